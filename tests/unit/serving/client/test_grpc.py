"""gRPC only: what is sent, and answers of other servers."""

import socket

import numpy as np
import pytest
from tensorflow_serving.apis import predict_pb2

from dlpipe_client import (
  DeadlineExceeded,
  GrpcClient,
  InvalidInput,
  InvalidResponse,
  Retry,
  Unavailable,
)


class Transport:
  """Answers every call with the same bytes; keeps what was asked."""

  def __init__(self, answer=b""):
    self.answer, self.asked = answer, []

  def send(self, method, request, metadata, timeout_s):
    self.asked.append((method, request, timeout_s))
    return self.answer

  def close(self):
    self.answer = None


def test_numbers_are_sent_as_content_and_strings_as_values():
  transport = Transport()
  client = GrpcClient("", "m", transport=transport, timeout_s=9)
  array = np.arange(6, dtype=">i8").reshape(2, 3).T
  assert client.predict({"n": array, "s": np.array([["a"]], object)}, version=0) == {}
  [(method, request, left_s)] = transport.asked
  assert method == "/tensorflow.serving.PredictionService/Predict"
  assert 8 < left_s <= 9
  sent = predict_pb2.PredictRequest.FromString(request)
  assert sent.model_spec.name == "m"
  assert sent.model_spec.signature_name == "serving_default"
  assert sent.model_spec.HasField("version")
  assert sent.model_spec.version.value == 0
  assert [dim.size for dim in sent.inputs["n"].tensor_shape.dim] == [3, 2]
  assert np.frombuffer(sent.inputs["n"].tensor_content, "<i8").tolist() == [0, 3, 1, 4, 2, 5]
  assert list(sent.inputs["s"].string_val) == [b"a"]


def test_labels():
  transport = Transport()
  GrpcClient("", "m", transport=transport).predict({}, label="stable")
  sent = predict_pb2.PredictRequest.FromString(transport.asked[0][1])
  assert sent.model_spec.version_label == "stable"


def _answer(**fields):
  response = predict_pb2.PredictResponse()
  tensor = response.outputs["x"]
  for name, value in fields.items():
    if name == "shape":
      for size in value:
        tensor.tensor_shape.dim.add(size=size)
    elif isinstance(value, list):
      getattr(tensor, name).extend(value)
    else:
      setattr(tensor, name, value)
  return GrpcClient("", "m", transport=Transport(response.SerializeToString())).predict({})["x"]


def test_the_last_value_stands_for_those_that_are_missing():
  assert _answer(dtype=1, shape=[2, 2], float_val=[1.0, 2.5]).tolist() == [[1, 2.5], [2.5, 2.5]]
  assert _answer(dtype=3, shape=[2]).tolist() == [0, 0]
  assert _answer(dtype=7, shape=[2]).tolist() == [b"", b""]
  assert _answer(dtype=9, shape=[1], int64_val=[1, 2, 3]).tolist() == [1]


@pytest.mark.parametrize(
  ("fields", "message"),
  [
    ({"dtype": 20}, "a type that this client does not read: resource"),
    ({"dtype": 0}, "a type that this client does not read: invalid"),
    ({"dtype": 1, "shape": [2], "tensor_content": b"abcd"}, r"1 values for the shape \(2,\)"),
    ({"dtype": 1, "shape": [1], "tensor_content": b"abc"}, "3 bytes, which is no float32"),
  ],
)
def test_tensors_that_are_none(fields, message):
  with pytest.raises(InvalidResponse, match=message):
    _answer(**fields)


def test_an_answer_that_is_no_message():
  client = GrpcClient("", "m", transport=Transport(b"\xff\xff"))
  with pytest.raises(InvalidResponse, match="not understood"):
    client.predict({})


def test_metadata_without_signatures():
  with pytest.raises(InvalidResponse, match=r"Expected `signature_def`. Received: \[\]"):
    GrpcClient("", "m", transport=Transport()).metadata()


def test_no_server_is_unavailable_and_no_answer_is_late():
  with socket.create_server(("127.0.0.1", 0)) as listener:
    port = listener.getsockname()[1]
    with GrpcClient(f"127.0.0.1:{port}", "m") as client, pytest.raises(DeadlineExceeded):
      client.status(timeout_s=0.2)  # it listens and never speaks
  once = Retry(attempts=1)
  with GrpcClient(f"127.0.0.1:{port}", "m", retry=once) as client, pytest.raises(Unavailable):
    client.status(timeout_s=300)


def test_answers_beyond_four_megabytes(model, grpc_target):
  array = np.ones((3, 1 << 20), np.float32)
  with GrpcClient(grpc_target, "m") as client:
    model.typed = False
    found = client.predict({"x": array}, signature_name="echo_float32")["x"]
  np.testing.assert_array_equal(found, array)


@pytest.mark.parametrize("target", ["", "grpc://a:1"])
def test_targets_that_are_none(target):
  with pytest.raises(InvalidInput, match="Expected host:port or unix:/path"):
    GrpcClient(target, "m")
