"""The clients import neither TensorFlow nor the rest of this project, and stand beside them."""

import pathlib
import subprocess
import sys

_ROOT = pathlib.Path(__file__).parents[4]


def _run(code):
  ran = subprocess.run([sys.executable, "-c", code], cwd=_ROOT, capture_output=True, text=True)
  assert ran.returncode == 0, ran.stderr
  return ran.stdout


def test_what_is_imported():
  code = """
import sys
from dlpipe_client import connect
connect("grpc://localhost:1", "m").close()
connect("http://localhost:1", "m").close()
heavy = {"tensorflow", "tensorflow_serving", "tfx", "apache_beam", "simdjson"}
ours = {"components", "data", "dlpipe", "pipeline", "serving"}
print(sorted((heavy | ours) & set(sys.modules)))
"""
  assert _run(code) == "[]\n"


def test_messages_stand_beside_the_generated_ones(the_model):
  from dlpipe_client import protos

  assert protos.PredictRequest.DESCRIPTOR.full_name == "dlpipe_client.PredictRequest"
  request = protos.PredictRequest()
  request.model_spec.name = "m"
  from tensorflow_serving.apis import predict_pb2

  assert predict_pb2.PredictRequest.FromString(request.SerializeToString()).model_spec.name == "m"
