"""Baseline: a BentoML service in front of a loaded signature, one worker, as its guide has it.

MODEL_FOLDER=... uv run --with bentoml bentoml serve bentoml_signature:Signature --port PORT
"""

from __future__ import annotations

import os
import pathlib

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import bentoml
import numpy as np

FOLDER = pathlib.Path(os.environ["MODEL_FOLDER"])


@bentoml.service(workers=1)
class Signature:
  """The default signature; rows in, predictions out."""

  def __init__(self) -> None:
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    self._model = tf.saved_model.load(str(FOLDER / "1"))
    self._signature = self._model.signatures["serving_default"]
    [self._input] = self._signature.structured_input_signature[1]
    [self._output] = self._signature.structured_outputs

  @bentoml.api(route=f"/v1/models/{FOLDER.name}:predict")
  def predict(self, instances: np.ndarray) -> dict[str, list[list[float]]]:
    """What the model says of the rows, as TensorFlow Serving answers."""
    import tensorflow as tf

    rows = tf.constant(instances, tf.float32)
    outputs = self._signature(**{self._input: rows})[self._output].numpy()
    return {"predictions": outputs.tolist()}
