"""What lies beside a SavedModel: requests that a server can replay as they are."""

import base64
import json

import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from pipeline.training.export import serving_assets


def _write(tmp_path, value):
  serving_assets.write(tmp_path, "images", "image", value)
  return tmp_path / "assets.extra"


def test_the_warmup_is_one_request_to_serving_default(tmp_path):
  extra = _write(tmp_path, b"\xff\xd8picture")
  path = str(extra / "tf_serving_warmup_requests")
  [record] = tf.data.TFRecordDataset(path).as_numpy_iterator()
  log = prediction_log_pb2.PredictionLog.FromString(record)
  request = log.predict_log.request
  assert request.model_spec.name == "images"
  assert request.model_spec.signature_name == "serving_default"
  assert list(request.inputs) == ["image"]
  assert tf.make_ndarray(request.inputs["image"]).tolist() == [b"\xff\xd8picture"]


@pytest.mark.parametrize(
  ("value", "shown"),
  [
    (b"\xff\xd8picture", {"b64": base64.b64encode(b"\xff\xd8picture").decode()}),
    ("café".encode(), "café"),
  ],
)
def test_the_request_is_tensorflow_servings_json(tmp_path, value, shown):
  text = (_write(tmp_path, value) / "examples" / "request.json").read_text("utf-8")
  assert json.loads(text) == {"instances": [{"image": shown}]}


@pytest.mark.parametrize("name", ["curl.sh", "predict_rest.py", "predict_grpc.py"])
def test_each_example_names_the_model_and_takes_an_address(tmp_path, name):
  text = (_write(tmp_path, b"x") / "examples" / name).read_text()
  address = "GRPC_ADDRESS" if name == "predict_grpc.py" else "REST_ADDRESS"
  assert address in text
  assert '"images"' in text or "/v1/models/images:predict" in text
  assert "request.json" in text
  assert "$" not in text or name == "curl.sh"
  if name.endswith(".py"):
    compile(text, name, "exec")


@pytest.mark.parametrize(("value", "is_encoded"), [(b"\xff\xd8picture", True), (b"text", False)])
def test_the_grpc_example_decodes_what_json_cannot_hold(tmp_path, value, is_encoded):
  text = (_write(tmp_path, value) / "examples" / "predict_grpc.py").read_text()
  assert ("import base64" in text) == is_encoded
  assert ('b64decode(instance["image"]["b64"])' in text) == is_encoded


def test_writing_again_replaces(tmp_path):
  _write(tmp_path, b"one")
  extra = _write(tmp_path, b"two")
  assert json.loads((extra / "examples" / "request.json").read_text()) == {
    "instances": [{"image": "two"}]
  }
  assert len(list(extra.rglob("*"))) == 6
