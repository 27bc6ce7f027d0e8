"""Clients of TensorFlow Serving that others wrote, as their users use them."""

import base64
import json
import os
import pathlib
import shutil
import subprocess
import sys

import grpc
import pytest
import tensorflow as tf
from tensorflow_serving.apis import (
  classification_pb2,
  predict_pb2,
  prediction_service_pb2_grpc,
  regression_pb2,
)

ROOT = pathlib.Path(__file__).parents[4]
# Its messages are from before protobuf 4; it has no TensorFlow of its own.
MIN_TFS_CLIENT = ["min-tfs-client==1.0.2", "protobuf<3.21", "numpy<2"]
SCRIPT = """
import sys
import numpy as np
from min_tfs_client.requests import TensorServingClient
from min_tfs_client.tensors import tensor_proto_to_ndarray

client = TensorServingClient(host="127.0.0.1", port=int(sys.argv[1]))
newest = client.predict_request("half_plus", {"x": np.float32([[1.0], [2.0]])})
print(newest.model_spec.version.value, tensor_proto_to_ndarray(newest.outputs["y"]).tolist())
first = client.predict_request("half_plus", {"x": np.float32([[1.0]])}, model_version=1)
print(first.model_spec.version.value, tensor_proto_to_ndarray(first.outputs["y"]).tolist())
inputs = {"a": np.float32([[1, 2]]), "b": np.int32([5]), "s": np.array(["word"])}
many = client.predict_request("many", inputs)
print([tensor_proto_to_ndarray(many.outputs[name]).tolist() for name in sorted(many.outputs)])
"""


def test_the_stubs_of_tensorflow_serving_api(server):
  """As the guides have it, without a deadline."""
  example = tf.train.Example()
  example.features.feature["x"].float_list.value.append(2.0)
  with grpc.insecure_channel(f"localhost:{server.port}") as channel:
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    predict = predict_pb2.PredictRequest()
    predict.model_spec.name = "half_plus"
    predict.inputs["x"].CopyFrom(tf.make_tensor_proto([[1.0], [2.0]]))
    found = tf.make_ndarray(stub.Predict(predict).outputs["y"])
    classify = classification_pb2.ClassificationRequest()
    regress = regression_pb2.RegressionRequest()
    for request, signature in ((classify, "classify_labels"), (regress, "regress_x_to_y")):
      request.model_spec.name, request.model_spec.signature_name = "half_plus", signature
      request.input.example_list.examples.append(example)
    (classes,) = stub.Classify(classify).result.classifications
    (value,) = stub.Regress(regress).result.regressions
  assert found.tolist() == [[3.5], [4.0]]
  assert [(each.label, each.score) for each in classes.classes] == [("label", 4.0)]
  assert value.value == 4.0


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl here")
def test_curl(server, tmp_path):
  def curl(path, *options):
    url = f"http://127.0.0.1:{server.rest_port}{path}"
    command = ["curl", "-sS", "--fail-with-body", "--max-time", "20", *options, url]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)

  predict = "/v1/models/half_plus:predict"
  assert curl(predict, "-d", '{"instances": [1.0, 2.0]}') == {"predictions": [3.5, 4.0]}
  old = curl("/v1/models/half_plus/versions/1:predict", "-X", "POST", "-d", '{"inputs": [[1.0]]}')
  assert old == {"outputs": [[2.5]]}
  # A body beyond a kilobyte: curl asks before it sends.
  file = tmp_path / "body.json"
  picture = base64.b64encode(bytes(100_000)).decode()
  file.write_text(json.dumps({"signature_name": "encode", "instances": [{"b64": picture}]}))
  answer = curl("/v1/models/many:predict", "-H", "Expect: 100-continue", "-d", f"@{file}")
  assert answer == {"predictions": [{"b64": picture}]}
  (newest, _) = curl("/v1/models/half_plus")["model_version_status"]
  assert (newest["version"], newest["state"]) == ("2", "AVAILABLE")
  assert curl("/v1/models/half_plus/metadata")["model_spec"]["version"] == "2"


@pytest.fixture(scope="module")
def its_python(tmp_path_factory):
  """The Python of an environment with min-tfs-client alone; skips where none can be made."""
  uv = ROOT / ".tools" / "bin" / "uv"
  if not uv.exists():
    pytest.skip("`make install` brings uv, which makes the client's environment")
  python = tmp_path_factory.mktemp("min_tfs_client") / "bin" / "python"
  for command in (
    ["venv", "--python", sys.executable, python.parents[1]],
    ["pip", "install", "--python", python, *MIN_TFS_CLIENT],
  ):
    done = subprocess.run([uv, "--quiet", *command], capture_output=True, text=True)
    if done.returncode:
      pytest.skip(f"min-tfs-client cannot be installed: {done.stderr[-500:]}")
  return python


def test_min_tfs_client(server, its_python):
  environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
  done = subprocess.run(
    [its_python, "-c", SCRIPT, str(server.port)], capture_output=True, text=True, env=environment
  )
  assert done.stdout.splitlines() == [
    "2 [[3.5], [4.0]]",
    "1 [[2.5]]",
    "[[6], [3.0], ['WORD']]",
  ], done.stderr
