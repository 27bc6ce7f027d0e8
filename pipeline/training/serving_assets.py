"""What lies beside a SavedModel: warm-up requests for TensorFlow Serving and a request to copy."""

from __future__ import annotations

import base64
import json
import pathlib

import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

from pipeline.signatures import SERVING_DEFAULT

_EXTRA = "assets.extra"
WARMUP_FILE = "tf_serving_warmup_requests"


def write(model_dir: pathlib.Path, model_name: str, input_key: str, value: bytes) -> None:
  """Writes the warm-up file, and `examples/` with a REST request that this model answers.

  Args:
    model_dir: the SavedModel's directory.
    model_name: the name it is served under.
    input_key: `serving_default`'s input.
    value: one real value of it.
  """
  extra = model_dir / _EXTRA
  examples = extra / "examples"
  examples.mkdir(parents=True, exist_ok=True)
  request = predict_pb2.PredictRequest()
  request.model_spec.name = model_name
  request.model_spec.signature_name = SERVING_DEFAULT
  request.inputs[input_key].CopyFrom(tf.make_tensor_proto([value], dtype=tf.string))
  log = prediction_log_pb2.PredictionLog(predict_log=prediction_log_pb2.PredictLog(request=request))
  with tf.io.TFRecordWriter(str(extra / WARMUP_FILE)) as writer:
    writer.write(log.SerializeToString())
  body = {"instances": [{input_key: _json_value(value)}]}
  (examples / "request.json").write_text(json.dumps(body, ensure_ascii=False) + "\n", "utf-8")
  (examples / "curl.sh").write_text(
    "# Run beside request.json; set HOST to where TensorFlow Serving's REST port listens.\n"
    f"curl -d @request.json http://${{HOST:-localhost:8501}}/v1/models/{model_name}:predict\n"
  )


def _json_value(value: bytes) -> dict[str, str] | str:
  """TensorFlow Serving's JSON: text as it is, other bytes as {"b64": ...}."""
  try:
    return value.decode("utf-8")
  except UnicodeDecodeError:
    return {"b64": base64.b64encode(value).decode()}
