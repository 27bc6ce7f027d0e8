#!/bin/sh
# Starts the embedded server as tensorflow/serving's own entry point starts TensorFlow Serving.
# It listens on every interface: nobody reconfigures or profiles it unless its arguments say so.
# It listens to everybody: its limits are the defaults of docs/serving-api.md, and `docker run ... IMAGE
# --max_request_bytes=...` sets others.
exec python -m serving --host=0.0.0.0 --port=8500 --rest_api_port=8501 \
  --enable_config_reload=false --enable_profiler=false \
  --model_name="${MODEL_NAME}" --model_base_path="${MODEL_BASE_PATH}/${MODEL_NAME}" "$@"
