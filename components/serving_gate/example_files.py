"""Names that who writes an export's example requests and who executes them must agree on."""

FOLDER = "assets.extra/examples"
REQUEST, CURL, REST, GRPC = "request.json", "curl.sh", "predict_rest.py", "predict_grpc.py"

# Environment variables that name the server, `http://host:port` and `host:port`.
REST_ADDRESS, GRPC_ADDRESS = "REST_ADDRESS", "GRPC_ADDRESS"
