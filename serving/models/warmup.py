"""Warm-up: runs the requests that came with a version before others may ask it.

Source: tensorflow_serving/servables/tensorflow/saved_model_warmup*.cc.
"""

from __future__ import annotations

import pathlib

import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from serving.errors import InvalidArgument, Unimplemented
from serving.models import proto_calls
from serving.models.servable import Servable

_FILE = pathlib.PurePath("assets.extra", "tf_serving_warmup_requests")
_MAX_RECORDS = 1000
_CALLS = {
  "predict_log": proto_calls.predict,
  "classify_log": proto_calls.classify,
  "regress_log": proto_calls.regress,
  "multi_inference_log": proto_calls.multi_inference,
}


def warm_up(servable: Servable, path: pathlib.Path, *, iterations: int = 1) -> int:
  """Runs every recorded request on a version; returns how many there were.

  Args:
    servable: the version.
    path: the version's folder.
    iterations: how often to run each.

  Raises:
    ServingError: a request failed, or the file is no file of requests; the version must not serve.
  """
  file = path / _FILE
  if not file.is_file():
    return 0
  count = 0
  for record in _records(file):
    count += 1
    if count > _MAX_RECORDS:
      raise InvalidArgument(
        f"Number of warmup records exceeds the maximum ({_MAX_RECORDS}) at {file}"
      )
    for _ in range(max(1, iterations)):
      _send(servable, record)
  return count


def _records(file: pathlib.Path) -> list[bytes]:
  try:
    # One more than allowed is enough to refuse.
    dataset = tf.data.TFRecordDataset(str(file)).take(_MAX_RECORDS + 1)
    return list(dataset.as_numpy_iterator())
  except tf.errors.OpError as err:
    raise InvalidArgument(
      f"{err.message}. Please verify your warmup data is in TFRecord format."
    ) from err


def _send(servable: Servable, record: bytes) -> None:
  try:
    log = prediction_log_pb2.PredictionLog.FromString(record)
  except ValueError as err:
    raise InvalidArgument(f"Failed to parse warmup record: {err}") from err
  kind = log.WhichOneof("log_type") or "none"
  call = _CALLS.get(kind)
  if call is None:
    raise Unimplemented(f"Unsupported log_type for warmup: {kind}")
  call(servable, getattr(log, kind).request)
