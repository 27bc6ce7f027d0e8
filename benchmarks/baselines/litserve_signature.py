"""Baseline: LitServe in front of a loaded signature, one worker, as its guide has it.

uv run --with litserve python litserve_signature.py MODEL_FOLDER PORT
"""

from __future__ import annotations

import os
import pathlib
import sys
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import litserve
import numpy as np


class Signature(litserve.LitAPI):
  """The default signature; rows in, predictions out."""

  def setup(self, device: str) -> None:
    """Loads the model, in the worker."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    self._model = tf.saved_model.load(str(pathlib.Path(sys.argv[1]) / "1"))
    self._signature = self._model.signatures["serving_default"]
    [self._input] = self._signature.structured_input_signature[1]
    [self._output] = self._signature.structured_outputs

  def decode_request(self, request):  # LitServe reads a type here, and not as text
    """The rows as one array."""
    return np.asarray(request["instances"], np.float32)

  def predict(self, rows: np.ndarray) -> np.ndarray:
    """What the model says of them."""
    import tensorflow as tf

    return self._signature(**{self._input: tf.constant(rows)})[self._output].numpy()

  def encode_response(self, outputs: np.ndarray) -> dict[str, Any]:
    """As TensorFlow Serving answers."""
    return {"predictions": outputs.tolist()}


def main() -> None:
  """Serves until it is killed."""
  folder, port = pathlib.Path(sys.argv[1]), int(sys.argv[2])
  api = Signature(api_path=f"/v1/models/{folder.name}:predict")
  server = litserve.LitServer(api, accelerator="cpu")
  options = {"log_level": "error", "access_log": False, "generate_client_file": False}
  server.run(host="127.0.0.1", port=port, **options)


if __name__ == "__main__":
  main()
