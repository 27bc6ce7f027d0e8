"""A model made of Python functions, behind a real gRPC server and a real HTTP server."""

import concurrent.futures
import http.server
import re
import threading
import typing

import grpc
import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import json_format
from tensorflow.core.framework import types_pb2
from tensorflow_serving.apis import (
  classification_pb2,
  get_model_metadata_pb2,
  get_model_status_pb2,
  model_service_pb2_grpc,
  predict_pb2,
  prediction_service_pb2_grpc,
  regression_pb2,
)

from dlpipe_client import GrpcClient, RestClient, Retry
from serving import tensor_json

VERSION = 7
DTYPES = ("float32", "float64", "int32", "uint8", "int16", "int8", "string", "int64", "bool")
DTYPES += ("uint32", "uint64", "float16", "uint16", "complex64", "complex128", "bfloat16")


class Fault(typing.NamedTuple):
  """What the server answers instead."""

  code: grpc.StatusCode
  http_status: int
  message: str


class Model:
  """Signatures that give back what they get, and the calls that reached them."""

  def __init__(self):
    self.faults = []
    self.headers = []
    self.specs = []
    self.state = 30
    self.signatures = {f"echo_{name}": ({"x": name}, {"x": name}) for name in DTYPES}
    self.signatures["pair"] = (
      {"n": "float32", "s": "string"},
      {"twice": "float32", "raw_bytes": "string"},
    )
    self.signatures["serving_default"] = ({"n": "float32"}, {"half": "float32"})

  def run(self, name, inputs):
    if name == "pair":
      return {"twice": inputs["n"] * 2, "raw_bytes": inputs["s"]}
    if name == "serving_default":
      return {"half": inputs["n"] / 2}
    return inputs

  def classes(self, examples):
    return [
      [(each.features.feature["name"].bytes_list.value[0].decode(), 0.25), ("ü", 0.75)]
      for each in map(tf.train.Example.FromString, examples)
    ]

  def values(self, examples):
    parsed = map(tf.train.Example.FromString, examples)
    return [sum(each.features.feature["n"].int64_list.value) for each in parsed]

  def definitions(self):
    found = get_model_metadata_pb2.SignatureDefMap()
    for name, sides in self.signatures.items():
      signature = found.signature_def[name]
      signature.method_name = "tensorflow/serving/predict"
      for infos, side in zip((signature.inputs, signature.outputs), sides, strict=True):
        for key, dtype in side.items():
          infos[key].dtype = types_pb2.DataType.Value(_enum(dtype))
          infos[key].name = f"{key}:0"
          infos[key].tensor_shape.dim.add(size=-1)
    found.signature_def["anything"].inputs["x"].dtype = types_pb2.DT_INT64
    found.signature_def["anything"].inputs["x"].tensor_shape.unknown_rank = True
    return found

  def metadata(self):
    answer = get_model_metadata_pb2.GetModelMetadataResponse()
    answer.model_spec.name = "m"
    answer.model_spec.version.value = VERSION
    answer.metadata["signature_def"].Pack(self.definitions())
    return answer

  def status(self):
    answer = get_model_status_pb2.GetModelStatusResponse()
    answer.model_version_status.add(version=VERSION, state=self.state)
    ended = answer.model_version_status.add(version=3, state=50)
    ended.status.error_code, ended.status.error_message = 3, "broken"
    return answer


def _enum(dtype):
  return "DT_" + {"float32": "FLOAT", "float64": "DOUBLE", "float16": "HALF"}.get(
    dtype, dtype.upper()
  )


class Service(
  prediction_service_pb2_grpc.PredictionServiceServicer,
  model_service_pb2_grpc.ModelServiceServicer,
):
  def __init__(self, model):
    self.model = model

  def _see(self, request, context):
    self.model.headers.append(dict(context.invocation_metadata()))
    self.model.specs.append(request.model_spec)
    if self.model.faults:
      fault = self.model.faults.pop(0)
      context.abort(fault.code, fault.message)

  def Predict(self, request, context):  # noqa: N802
    self._see(request, context)
    inputs = {name: tf.make_ndarray(proto) for name, proto in request.inputs.items()}
    response = predict_pb2.PredictResponse()
    for name, array in self.model.run(request.model_spec.signature_name, inputs).items():
      typed = response.outputs[name]
      if array.dtype.kind in "OS" or self.model.typed:
        _fill_typed(typed, array)
      else:
        typed.CopyFrom(tf.make_tensor_proto(array))
    return response

  def Classify(self, request, context):  # noqa: N802
    self._see(request, context)
    response = classification_pb2.ClassificationResponse()
    for classes in self.model.classes(_serialized(request.input)):
      row = response.result.classifications.add()
      for label, score in classes:
        row.classes.add(label=label, score=score)
    return response

  def Regress(self, request, context):  # noqa: N802
    self._see(request, context)
    response = regression_pb2.RegressionResponse()
    for value in self.model.values(_serialized(request.input)):
      response.result.regressions.add(value=value)
    return response

  def GetModelMetadata(self, request, context):  # noqa: N802
    self._see(request, context)
    assert list(request.metadata_field) == ["signature_def"]
    return self.model.metadata()

  def GetModelStatus(self, request, context):  # noqa: N802
    self._see(request, context)
    return self.model.status()


def _serialized(data):
  if data.WhichOneof("kind") == "example_list":
    return [each.SerializeToString() for each in data.example_list.examples]
  listed = data.example_list_with_context
  context = listed.context.SerializeToString()
  return [context + each.SerializeToString() for each in listed.examples]


_FIELDS = {
  "float32": "float_val", "float64": "double_val", "int64": "int64_val", "bool": "bool_val",
  "uint32": "uint32_val", "uint64": "uint64_val", "float16": "half_val", "bfloat16": "half_val",
  "complex64": "scomplex_val", "complex128": "dcomplex_val", "object": "string_val",
}  # fmt: skip


def _fill_typed(proto, array):
  """As TensorFlow Serving answers: values in the field of their type, no `tensor_content`."""
  proto.dtype = tf.as_dtype(array.dtype).as_datatype_enum
  for size in array.shape:
    proto.tensor_shape.dim.add(size=size)
  flat = array.reshape(-1)
  if array.dtype.name in ("float16", "bfloat16"):
    flat = flat.view(np.uint16)
  if array.dtype.kind == "c":
    flat = flat.view(np.float32 if array.dtype == np.complex64 else np.float64)
  getattr(proto, _FIELDS.get(array.dtype.name, "int_val")).extend(flat.tolist())


class Handler(http.server.BaseHTTPRequestHandler):
  protocol_version = "HTTP/1.1"
  pattern = re.compile(r"/v1/models/m(?:/versions/(\d+)|/labels/(\w+))?(/metadata|:\w+)?")

  def log_message(self, *args):
    pass

  def setup(self):
    super().setup()
    self.server.connections += 1

  def do_GET(self):
    self._answer(b"")

  def do_POST(self):
    self._answer(self.rfile.read(int(self.headers["content-length"])))

  def _answer(self, body):
    model = self.server.model
    model.headers.append({name.lower(): value for name, value in self.headers.items()})
    model.specs.append(self.path)
    if model.faults:
      fault = model.faults.pop(0)
      status, answer = fault.http_status, tensor_json.write_error(fault.message)
    else:
      status, answer = self._result(model, body)
    self.send_response(status)
    self.send_header("content-length", str(len(answer)))
    self.end_headers()
    self.wfile.write(answer)

  def _result(self, model, body):
    match = self.pattern.fullmatch(self.path)
    if match is None:
      return 404, b"<html>not here</html>"
    verb = match[3]
    if verb == ":predict":
      parsed = tensor_json.parse_predict(body)
      definition = model.definitions().signature_def[parsed.signature_name]
      inputs, row = tensor_json.to_inputs(parsed, dict(definition.inputs))
      return 200, tensor_json.write_predict(model.run(parsed.signature_name, inputs), row=row)
    if verb == ":classify":
      _, examples = tensor_json.parse_classify(body, "classify")
      return 200, tensor_json.write_classify(model.classes(examples))
    if verb == ":regress":
      _, examples = tensor_json.parse_classify(body, "regress")
      return 200, tensor_json.write_regress(model.values(examples))
    if verb == "/metadata":
      metadata = model.metadata()
      definitions = json_format.MessageToDict(model.definitions(), preserving_proto_field_name=True)
      spec = {"name": "m", "signature_name": "", "version": str(metadata.model_spec.version.value)}
      found = {"model_spec": spec, "metadata": {"signature_def": definitions}}
      return 200, json_format.json.dumps(found).encode()
    return 200, json_format.MessageToJson(model.status()).encode().replace(
      b"modelVersionStatus", b"model_version_status"
    ).replace(b"errorCode", b"error_code").replace(b"errorMessage", b"error_message")


@pytest.fixture(scope="package")
def the_model():
  return Model()


@pytest.fixture
def model(the_model):
  """The model behind both servers, with nothing left of the test before."""
  the_model.__init__()
  the_model.typed = True
  return the_model


@pytest.fixture(scope="package")
def serve_grpc(the_model):
  """Returns a function that starts a gRPC server and returns its port."""
  servers = []

  def serve(credentials=None):
    server = grpc.server(
      concurrent.futures.ThreadPoolExecutor(8),
      options=[("grpc.max_receive_message_length", -1)],
    )
    service = Service(the_model)
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(service, server)
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(service, server)
    if credentials is None:
      port = server.add_insecure_port("127.0.0.1:0")
    else:
      port = server.add_secure_port("127.0.0.1:0", credentials)
    server.start()
    servers.append(server)
    return port

  yield serve
  for server in servers:
    server.stop(None)


@pytest.fixture(scope="package")
def serve_http(the_model):
  """Returns a function that starts an HTTP server and returns it."""
  servers = []

  def serve(context=None):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.model, server.connections, server.daemon_threads = the_model, 0, True
    if context is not None:
      # The handshake belongs to the thread of its connection, not to the one that accepts.
      server.socket = context.wrap_socket(
        server.socket, server_side=True, do_handshake_on_connect=False
      )
      server.handle_error = lambda request, address: None
    threading.Thread(target=server.serve_forever, daemon=True).start()
    servers.append(server)
    return server

  yield serve
  for server in servers:
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="package")
def grpc_target(serve_grpc):
  return f"127.0.0.1:{serve_grpc()}"


@pytest.fixture(scope="package")
def http_server(serve_http):
  return serve_http()


@pytest.fixture
def url(http_server):
  return f"http://127.0.0.1:{http_server.server_port}"


@pytest.fixture
def quick():
  """Tries again at once."""
  return Retry(sleep=lambda seconds: None)


@pytest.fixture(params=["rest", "grpc"])
def client(request, model, url, grpc_target, quick):
  """Each of the two clients in turn."""
  if request.param == "rest":
    made = RestClient(url, "m", retry=quick, token="secret")
  else:
    made = GrpcClient(grpc_target, "m", retry=quick, token="secret")
  with made:
    yield made


@pytest.fixture
def clients(model, url, grpc_target):
  """Both clients."""
  with RestClient(url, "m") as rest, GrpcClient(grpc_target, "m") as rpc:
    yield rest, rpc
