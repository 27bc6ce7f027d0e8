"""Writes the files beside a SavedModel: warm-up requests for TensorFlow Serving, example requests.

The examples send one real value; the ServingGate executes them before a model is pushed.
"""

from __future__ import annotations

import base64
import json
import pathlib
import string

import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

from components.serving_gate import example_files
from pipeline.training.export.signatures import SERVING_DEFAULT

WARMUP_FILE = "assets.extra/tf_serving_warmup_requests"

_CURL = string.Template("""\
#!/bin/sh
# Asks for what is in $request, over REST. $rest_address says where the server is.
cd "$$(dirname "$$0")" || exit 1
curl -sS -d @$request "$${$rest_address:-http://localhost:8501}/v1/models/$model:predict"
""")

_REST = string.Template('''\
"""Asks for what is in $request, over REST; needs Python only.

    $rest_address=http://localhost:8501 python $rest
"""

import os
import pathlib
import urllib.error
import urllib.request

address = os.environ.get("$rest_address", "http://localhost:8501")
body = pathlib.Path(__file__).with_name("$request").read_bytes()
request = urllib.request.Request(
  f"{address}/v1/models/$model:predict", body, {"Content-Type": "application/json"}
)
try:
  with urllib.request.urlopen(request, timeout=60) as response:
    print(response.read().decode("utf-8"))
except urllib.error.HTTPError as err:
  raise SystemExit(f"{err}: {err.read().decode('utf-8', 'replace')}") from err
''')

_GRPC = string.Template('''\
"""Asks for what is in $request, over gRPC; needs `pip install tensorflow-serving-api`.

    $grpc_address=localhost:8500 python $grpc
"""

$imports

import grpc
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

text = pathlib.Path(__file__).with_name("$request").read_text(encoding="utf-8")
[instance] = json.loads(text)["instances"]

request = predict_pb2.PredictRequest()
request.model_spec.name = "$model"
request.model_spec.signature_name = "$signature"
request.inputs["$input_key"].CopyFrom(tf.make_tensor_proto([$value]))

with grpc.insecure_channel(os.environ.get("$grpc_address", "localhost:8500")) as channel:
  stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
  response = stub.Predict(request, timeout=60)
answer = {name: tf.make_ndarray(tensor).tolist() for name, tensor in response.outputs.items()}
print(json.dumps(answer, default=bytes.decode, ensure_ascii=False))
''')


def write(model_dir: pathlib.Path, model_name: str, input_key: str, value: bytes) -> None:
  """Writes the warm-up file, and `examples/`: a request and three programs that send it.

  Args:
    model_dir: the SavedModel's directory.
    model_name: the name that the model is served under.
    input_key: name of the input of `serving_default`.
    value: one real input.
  """
  examples = model_dir / example_files.FOLDER
  examples.mkdir(parents=True, exist_ok=True)
  request = predict_pb2.PredictRequest()
  request.model_spec.name = model_name
  request.model_spec.signature_name = SERVING_DEFAULT
  request.inputs[input_key].CopyFrom(tf.make_tensor_proto([value], dtype=tf.string))
  log = prediction_log_pb2.PredictionLog(predict_log=prediction_log_pb2.PredictLog(request=request))
  with tf.io.TFRecordWriter(str(model_dir / WARMUP_FILE)) as writer:
    writer.write(log.SerializeToString())
  shown = _json_value(value)
  body = json.dumps({"instances": [{input_key: shown}]}, ensure_ascii=False)
  is_text = isinstance(shown, str)
  words = {
    "model": model_name,
    "input_key": input_key,
    "signature": SERVING_DEFAULT,
    "request": example_files.REQUEST,
    "rest": example_files.REST,
    "grpc": example_files.GRPC,
    "rest_address": example_files.REST_ADDRESS,
    "grpc_address": example_files.GRPC_ADDRESS,
    "imports": "\n".join(
      f"import {name}" for name in [*([] if is_text else ["base64"]), "json", "os", "pathlib"]
    ),
    "value": f'instance["{input_key}"]'
    if is_text
    else f'base64.b64decode(instance["{input_key}"]["b64"])',
  }
  for name, text in (
    (example_files.REQUEST, f"{body}\n"),
    (example_files.CURL, _CURL.substitute(words)),
    (example_files.REST, _REST.substitute(words)),
    (example_files.GRPC, _GRPC.substitute(words)),
  ):
    (examples / name).write_text(text, encoding="utf-8")


def _json_value(value: bytes) -> dict[str, str] | str:
  """Encodes a value as TensorFlow Serving's JSON: text as it is, other bytes as {"b64": ...}."""
  try:
    return value.decode("utf-8")
  except UnicodeDecodeError:
    return {"b64": base64.b64encode(value).decode()}
