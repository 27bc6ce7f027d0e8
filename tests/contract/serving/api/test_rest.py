"""REST: which path is which call, and Predict's bodies end to end."""

import gzip
import json
import math

import pytest

BODY = {"instances": [[1.0], [2.0]]}
PREDICTIONS = {"predictions": [[3.5], [4.0]]}  # of version 2
JSON = "application/json"


@pytest.mark.parametrize(
  ("path", "answer"),
  [
    ("/v1/models/half_plus:predict", PREDICTIONS),
    ("/v1/models/half_plus/versions/2:predict", PREDICTIONS),
    ("/v1/models/half_plus/versions/0001:predict", {"predictions": [[2.5], [3.0]]}),
    ("/v1/models/half_plus/labels/stable:predict", {"predictions": [[2.5], [3.0]]}),
    ("/v1/models/half_plus/labels/canary:predict", PREDICTIONS),
    ("/V1/MODELS/half_plus/Versions/2:predict", PREDICTIONS),
    ("/v1/models/h%61lf_plus/labels/c%61nary:predict", PREDICTIONS),
  ],
)
def test_predict_paths(server, path, answer):
  assert server.post(path, BODY) == (200, answer)


@pytest.mark.parametrize(
  ("method", "path", "status", "message"),
  [
    ("GET", "/v1/models", 400, "Missing model name in request."),
    ("GET", "/v1/models/versions/1", 400, "Missing model name in request."),
    ("GET", "/v1/models/", 400, "Malformed request: GET /v1/models/"),
    ("GET", "/v1/nothing", 400, "Malformed request: GET /v1/nothing"),
    (
      "GET",
      "/v1/models/half_plus:predict",
      400,
      "Malformed request: GET /v1/models/half_plus:predict",
    ),
    ("GET", "/v1/models/m/labels/a/b", 400, "Malformed request: GET /v1/models/m/labels/a/b"),
    ("POST", "/v1/models/half_plus", 400, "Malformed request: POST /v1/models/half_plus"),
    ("POST", "/v1/models/m:explain", 400, "Malformed request: POST /v1/models/m:explain"),
    (
      "POST",
      "/v1/models/half_plus:PREDICT",
      400,
      "Malformed request: POST /v1/models/half_plus:PREDICT",
    ),
    (
      "POST",
      "/v1/models/half_plus:predict?x=1",
      400,
      "Malformed request: POST /v1/models/half_plus:predict?x=1",
    ),
    (
      "POST",
      "/v1/models/half_plus/versions/1/labels/a:predict",
      400,
      "Malformed request: POST /v1/models/half_plus/versions/1/labels/a:predict",
    ),
    ("PUT", "/v1/models/half_plus", 400, "Malformed request: PUT /v1/models/half_plus"),
    ("DELETE", "/v1/models/half_plus", 400, "Malformed request: DELETE /v1/models/half_plus"),
    ("PATCH", "/v1/models/half_plus", 400, "Malformed request: PATCH /v1/models/half_plus"),
    (
      "POST",
      "/v1/models/half_plus/versions/9223372036854775808:predict",
      400,
      "Failed to convert version: 9223372036854775808 to numeric.",
    ),
    (
      "GET",
      f"/v1/models/half_plus/versions/{'9' * 40}",
      400,
      f"Failed to convert version: {'9' * 40} to numeric.",
    ),
    ("GET", "/v1/models/half_plus?v=1", 404, "Could not find any versions of model half_plus?v=1"),
    ("GET", "/v1/models/nobody", 404, "Could not find any versions of model nobody"),
    ("GET", "/v1/models/half_plus/versions/9", 404, "Could not find version 9 of model half_plus"),
    (
      "POST",
      "/v1/models/nobody:predict",
      404,
      "Servable not found for request: Latest(nobody)",
    ),
    (
      "POST",
      "/v1/models/half_plus/versions/9:predict",
      404,
      "Servable not found for request: Specific(half_plus, 9)",
    ),
    (
      "POST",
      "/v1/models/half_plus/labels/new:predict",
      400,
      "Unrecognized servable version label: new",
    ),
    (
      "GET",
      "/v1/models/half_plus/labels/new/metadata",
      400,
      "Unrecognized servable version label: new",
    ),
    ("GET", "/v1/models/nobody/metadata", 404, "Servable not found for request: Latest(nobody)"),
  ],
)
def test_paths_that_are_refused(server, method, path, status, message):
  found, headers, body = server.http(method, path, json.dumps(BODY) if method == "POST" else None)
  assert found == status
  assert headers["content-type"] == JSON
  assert json.loads(body) == {"error": message}


@pytest.mark.parametrize(
  "path", ["/", "/v1", "/v2/models/half_plus", "/monitoring/prometheus/metrics"]
)
def test_outside_of_the_api(server, path):
  status, headers, body = server.http("GET", path)
  assert status == 404
  assert headers["content-type"].startswith("text/html")
  assert b"404 Not Found" in body


@pytest.mark.parametrize(("origin", "status"), [("https://a.example", 200), ("file://a", 400)])
def test_preflight(server, origin, status):
  path = "/v1/models/half_plus:predict"
  found, headers, body = server.http("OPTIONS", path, Origin=origin)
  assert (found, body) == (status, b"")
  assert "access-control-allow-origin" not in headers


def test_head_has_no_body(server):
  status, headers, body = server.http("HEAD", "/v1/models/half_plus")
  assert (status, body) == (400, b"")
  assert int(headers["content-length"]) > 0


def test_status_lists_the_highest_version_first(server):
  status, answer = server.get("/v1/models/half_plus")
  assert status == 200
  healthy = {"error_code": "OK", "error_message": ""}
  assert answer == {
    "model_version_status": [
      {"version": "2", "state": "AVAILABLE", "status": healthy},
      {"version": "1", "state": "AVAILABLE", "status": healthy},
    ]
  }


def test_status_of_one_version_and_of_a_label(server):
  _, answer = server.get("/v1/models/half_plus/versions/1")
  assert [one["version"] for one in answer["model_version_status"]] == ["1"]
  _, answer = server.get("/v1/models/half_plus/labels/stable")
  assert [one["version"] for one in answer["model_version_status"]] == ["2", "1"]


def test_metadata(server):
  status, answer = server.get("/v1/models/many/metadata")
  assert status == 200
  assert answer["model_spec"] == {"name": "many", "signature_name": "", "version": "1"}
  signatures = answer["metadata"]["signature_def"]["signature_def"]
  assert signatures["serving_default"]["method_name"] == "tensorflow/serving/predict"
  assert signatures["serving_default"]["defaults"] == {}
  assert signatures["serving_default"]["inputs"]["a"] == {
    "dtype": "DT_FLOAT",
    "name": "a:0",
    "tensor_shape": {
      "dim": [{"name": "", "size": "-1"}, {"name": "", "size": "2"}],
      "unknown_rank": False,
    },
  }
  assert signatures["matmul"]["inputs"]["m"]["tensor_shape"] == {"dim": [], "unknown_rank": True}


@pytest.mark.parametrize("path", ["versions/1", "labels/stable"])
def test_metadata_of_a_version(server, path):
  _, answer = server.get(f"/v1/models/half_plus/{path}/metadata")
  assert answer["model_spec"]["version"] == "1"


MANY = {"a": [1.0, 2.0], "b": 5, "s": "word"}
COLUMNS = {"a": [[1.0, 2.0]], "b": [5], "s": ["word"]}


@pytest.mark.parametrize(
  ("model", "body", "answer"),
  [
    ("half_plus", {"instances": [1.0, 2]}, {"predictions": [3.5, 4.0]}),
    ("half_plus", {"instances": [{"x": [1.0]}]}, {"predictions": [[3.5]]}),
    ("half_plus", {"inputs": [[1.0]]}, {"outputs": [[3.5]]}),
    ("half_plus", {"inputs": {"x": [[1.0]]}}, {"outputs": [[3.5]]}),
    ("half_plus", {"inputs": {"x": [[1.0]], "z": 1}}, {"outputs": [[3.5]]}),
    ("half_plus", {"inputs": 1.0}, {"outputs": 3.5}),
    ("half_plus", {"inputs": []}, {"outputs": []}),
    ("half_plus", {"instances": [1.0], "more": {"a": 1}}, {"predictions": [3.5]}),
    (
      "half_plus",
      {"signature_name": "predict_two", "instances": [1.0]},
      {"predictions": [{"y": 3.5, "y2": 4.5}]},
    ),
    (
      "half_plus",
      {"signature_name": "predict_two", "inputs": [1.0]},
      {"outputs": {"y": [3.5], "y2": [4.5]}},
    ),
    ("half_plus", {"signature_name": "", "instances": [1.0]}, {"predictions": [3.5]}),
    ("many", {"instances": [MANY]}, {"predictions": [{"sum": 3.0, "next": 6, "upper": "WORD"}]}),
    ("many", {"inputs": COLUMNS}, {"outputs": {"sum": [3.0], "next": [6], "upper": ["WORD"]}}),
    (
      "many",
      {"signature_name": "encode", "instances": [{"b64": "/wA="}, "a"]},
      {"predictions": [{"b64": "/wA="}, {"b64": "YQ=="}]},
    ),
    (
      "many",
      {"signature_name": "encode_two", "instances": ["a"]},
      {"predictions": [{"image_bytes": {"b64": "YQ=="}, "text": "a"}]},
    ),
    ("many", {"signature_name": "scalar", "inputs": [[1.0, 2.0]]}, {"outputs": 3.0}),
    ("types", {"signature_name": "bool", "instances": [True]}, {"predictions": [True]}),
    (
      "types",
      {"signature_name": "int64", "instances": [9007199254740993]},
      {"predictions": [9007199254740993]},
    ),
    ("types", {"signature_name": "string", "inputs": "é\0"}, {"outputs": "é\0"}),
  ],
)
def test_predict_bodies(server, model, body, answer):
  assert server.post(f"/v1/models/{model}:predict", body) == (200, answer)


@pytest.mark.parametrize(
  ("model", "body", "status", "message"),
  [
    ("half_plus", b"", 400, "JSON Parse error: The document is empty"),
    ("half_plus", b"{", 400, "JSON Parse error: Missing a name for object member. at offset: 1"),
    ("half_plus", b"[1]", 400, "JSON Value: [1] Is not object"),
    ("nobody", b"{", 400, "JSON Parse error: Missing a name for object member. at offset: 1"),
    ("half_plus", b"{}", 400, "Missing 'inputs' or 'instances' key"),
    ("nobody", b"{}", 404, "Servable not found for request: Latest(nobody)"),
    (
      "half_plus",
      b'{"signature_name": "s", "instances": [1]}',
      400,
      'Serving signature name: "s" not found in signature def',
    ),
    ("half_plus", b'{"instances": [1], "inputs": [1]}', 400, "expecting only one of 'inputs'"),
    ("half_plus", b'{"instances": 1}', 400, "Expecting 'instances' to be an list/array"),
    ("half_plus", b'{"instances": []}', 400, "No values in 'instances' array"),
    (
      "half_plus",
      b'{"instances": ["x"]}',
      400,
      'JSON Value: "x" Type: String is not of expected type: float',
    ),
    ("half_plus", b'{"instances": [[1], [1, 2]]}', 400, "Expecting tensor size: 1 but got: 2"),
    ("many", b'{"instances": [1]}', 400, "instances is a plain list, but expecting list of"),
    ("many", b'{"instances": [{"a": [1, 2]}]}', 400, "keys must be equal to: a,b,s"),
    ("many", b'{"inputs": {"a": [[1, 2]]}}', 400, "Missing named input: b in 'inputs' object."),
    (
      "many",
      b'{"signature_name": "with_default", "inputs": {"a": [[1, 2]]}}',
      400,
      "Missing named input: factor in 'inputs' object.",
    ),
    (
      "many",
      b'{"signature_name": "scalar", "instances": [[1, 2]]}',
      400,
      "Tensor name: total has no shape information ",
    ),
    (
      "many",
      b'{"signature_name": "uneven", "instances": [[1, 2]]}',
      400,
      "has inconsistent batch size: ",
    ),
    (
      "types",
      b'{"signature_name": "float16", "inputs": [1]}',
      501,
      "Conversion of JSON Value: 1 to type: half",
    ),
    ("types", b'{"signature_name": "float16", "instances": [1]}', 400, "to type: half"),
    (
      "types",
      b'{"signature_name": "int32", "inputs": [1.0]}',
      400,
      "is not of expected type: int32",
    ),
  ],
)
def test_predict_bodies_that_are_refused(server, model, body, status, message):
  found, headers, answer = server.http("POST", f"/v1/models/{model}:predict", body)
  assert found == status
  assert headers["content-type"] == JSON
  assert message in json.loads(answer)["error"]


def test_numbers_that_json_does_not_have(server):
  body = b'{"inputs": [NaN, Infinity, -Infinity, 1e39]}'
  status, _, answer = server.http("POST", "/v1/models/half_plus:predict", body)
  assert status == 200
  found = json.loads(answer)["outputs"]
  assert math.isnan(found[0])
  assert found[1:] == [math.inf, -math.inf, math.inf]


def test_deep_nesting_is_refused_and_not_a_crash(server):
  body = b'{"inputs": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
  status, _, _ = server.http("POST", "/v1/models/half_plus:predict", body)
  assert status == 400
  assert server.post("/v1/models/half_plus:predict", BODY) == (200, PREDICTIONS)


def test_gzip_is_inflated_whatever_the_content_type(server):
  content = gzip.compress(json.dumps(BODY).encode())
  path = "/v1/models/half_plus:predict"
  status, _, answer = server.http(
    "POST", path, content, Content_Encoding="gzip", Content_Type="text/plain"
  )
  assert (status, json.loads(answer)) == (200, PREDICTIONS)


def test_gzip_that_does_not_inflate_is_empty(server):
  path = "/v1/models/half_plus:predict"
  status, _, answer = server.http("POST", path, b"no gzip", Content_Encoding="gzip")
  assert status == 400
  assert json.loads(answer) == {"error": "JSON Parse error: The document is empty"}


def test_a_long_run_is_given_up_at_the_timeout(server):
  status, answer = server.post("/v1/models/slow:predict", {"instances": [50_000_000]})
  assert (status, answer) == (504, {"error": "Timed out waiting for notification"})
  assert server.post("/v1/models/slow:predict", {"inputs": [10]}) == (200, {"outputs": 10})


def test_both_faces_give_the_same_numbers(server):
  rows = [[0.1], [1 / 3], [1e-30], [123456.789]]
  over_grpc = server.predict("half_plus", {"x": rows}).outputs["y"].float_val
  _, over_rest = server.post("/v1/models/half_plus:predict", {"instances": rows})
  assert [row[0] for row in over_rest["predictions"]] == pytest.approx(list(over_grpc), rel=1e-7)
