"""Baseline: the REST server that a good engineer writes, FastAPI without its costly parts.

uv run --with fastapi --with orjson --with "uvicorn[standard]" python fastapi_async.py FOLDER PORT

The handler is `async`, so a request changes no thread; orjson reads the body and writes the answer;
numpy turns the rows into one array; TensorFlow has one thread, as the model is small.
"""

from __future__ import annotations

import os
import pathlib
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import fastapi
import numpy as np
import orjson
import tensorflow as tf
import uvicorn


def main() -> None:
  """Serves until it is killed."""
  folder, port = pathlib.Path(sys.argv[1]), int(sys.argv[2])
  tf.config.threading.set_intra_op_parallelism_threads(1)
  tf.config.threading.set_inter_op_parallelism_threads(1)
  model = tf.saved_model.load(str(folder / "1"))  # kept: its variables live as long as it does
  signature = model.signatures["serving_default"]
  [name] = signature.structured_input_signature[1]
  [output] = signature.structured_outputs
  app = fastapi.FastAPI()

  @app.post(f"/v1/models/{folder.name}:predict")
  async def predict(request: fastapi.Request) -> fastapi.Response:
    rows = np.asarray(orjson.loads(await request.body())["instances"], np.float32)
    outputs = signature(**{name: tf.constant(rows)})[output].numpy()
    body = orjson.dumps({"predictions": outputs}, option=orjson.OPT_SERIALIZE_NUMPY)
    return fastapi.Response(body, media_type="application/json")

  uvicorn.run(app, host="127.0.0.1", port=port, log_level="error", access_log=False)


if __name__ == "__main__":
  main()
