"""Baseline: the REST server that a person writes, FastAPI in front of a loaded signature.

uv run --with fastapi --with uvicorn python fastapi_signature.py MODEL_FOLDER PORT
"""

from __future__ import annotations

import os
import pathlib
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import fastapi
import pydantic
import tensorflow as tf
import uvicorn


class PredictRequest(pydantic.BaseModel):
  """TensorFlow Serving's row format, for pictures."""

  instances: list[list[list[list[float]]]]


def main() -> None:
  """Serves until it is killed."""
  folder, port = pathlib.Path(sys.argv[1]), int(sys.argv[2])
  model = tf.saved_model.load(str(folder / "1"))  # kept: its variables live as long as it does
  signature = model.signatures["serving_default"]
  [name] = signature.structured_input_signature[1]
  [output] = signature.structured_outputs
  app = fastapi.FastAPI()

  @app.post(f"/v1/models/{folder.name}:predict")
  def predict(request: PredictRequest) -> dict[str, list[list[float]]]:
    outputs = signature(**{name: tf.constant(request.instances, tf.float32)})
    return {"predictions": outputs[output].numpy().tolist()}

  uvicorn.run(app, host="127.0.0.1", port=port, log_level="error", access_log=False)


if __name__ == "__main__":
  main()
