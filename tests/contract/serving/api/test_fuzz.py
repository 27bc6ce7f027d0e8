"""Requests that are none: bodies, HTTP and messages with pieces changed, cut, doubled, mixed up.

`DLPIPE_FUZZ` is how many each test sends; without it two thousand, always the same. Each must get
an answer that the contract has, and a right request after them the right answer.
"""

import contextlib
import json
import logging
import os
import pathlib
import random
import socket
import struct

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import classification_pb2, predict_pb2

_LOG = logging.getLogger(__name__)
COUNT = int(os.environ.get("DLPIPE_FUZZ", "0")) or 2000
STATUSES = {200, 400, 404, 413, 414, 429, 431, 499, 501, 503, 504}
CODES = {"INVALID_ARGUMENT", "FAILED_PRECONDITION", "NOT_FOUND", "UNIMPLEMENTED", "OUT_OF_RANGE"}
# gRPC's own answer to bytes that are no message at all.
NO_MESSAGE = ("INTERNAL", "Exception deserializing request!")
MODELS = {"half_plus": ["serving_default"], "many": ["serving_default", "encode", "scalar"]}
BODIES = [
  b'{"instances": [[1.0], [2.5e3], [-3]]}',
  b'{"signature_name": "encode", "instances": [{"b64": "aGVsbG8="}, "word", "\\u00e9\\n"]}',
  b'{"inputs": {"a": [[1, 2.5], [NaN, -Infinity]], "b": [5, 6], "s": ["x", {"b64": "eA=="}]}}',
  b'{"signature_name": "uneven", "instances": [{"a": [1, 2]}, {"a": [3, 4]}]}',
  b'{"signature_name": "classify_labels", "context": {"x": 1.5}, "examples": [{"x": [2.0]}, {}]}',
]
PIECES = [
  *(b"[", b"]", b"{", b"}", b",", b":", b'"', b"\\", b"\\u", b"\\ud800", b"null", b"true", b"NaN"),
  *(
    b"-",
    b"1e999",
    b"-0",
    b"99999999999999999999",
    b"0x1",
    b"1.",
    b"\0",
    b"\xff\xfe",
    b"\xed\xa0\x80",
  ),
  *(b'"b64"', b'"instances"', b'"inputs"', b'"signature_name"', b"[" * 200, b"{" * 200, b" " * 200),
]
HEADERS = [
  b"Content-Length: 5", b"Content-Length: -1", b"Content-Length: 99999999999999999999",
  b"Transfer-Encoding: chunked", b"Transfer-Encoding: gzip, chunked", b"Content-Encoding: gzip",
  b"Expect: 100-continue", b"Connection: Upgrade", b"Upgrade: h2c", b"Connection: close",
  b"X: " + b"y" * 3000, b"No colon", b": empty", b"\0: \0", b" folded", b"Host: a\r\nHost: b",
]  # fmt: skip
VERBS = [b"GET", b"POST", b"PUT", b"HEAD", b"OPTIONS", b"DELETE", b"CONNECT", b"BREW", b"", b"post"]
TARGETS = [
  b"/v1/models/half_plus:predict", b"/v1/models/many:predict", b"/v1/models/half_plus:classify",
  b"/v1/models/half_plus/versions/1:regress", b"/v1/models/half_plus/labels/stable:predict",
  b"/v1/models/half_plus/metadata", b"/v1/models/half_plus", b"/v1/models", b"/", b"*", b"",
  b"/v1/models/%00%ff:predict", b"/v1/models/half_plus/versions/99999999999999999999",
  b"http://a/v1/models/half_plus", b"/v1/" + b"x" * 5000, b"/v1/models/half_plus?x=\xc3\xa9",
]  # fmt: skip


def _mutated(draw, raw):
  """The bytes with up to four changes."""
  for _ in range(draw.randint(1, 4)):
    at = draw.randrange(len(raw) + 1)
    to = min(len(raw), at + draw.choice([1, 1, 2, 5, 20]))
    piece = draw.choice(PIECES)
    raw = draw.choice(
      [
        raw[:at] + piece + raw[at:],
        raw[:at] + piece + raw[to:],
        raw[:at] + raw[to:],
        raw[:at],
        raw[:to] + raw[at:],
        raw[:at] + bytes([draw.randrange(256)]) + raw[at + 1 :],
        raw[:at] + raw[at:to] * draw.randint(2, 50) + raw[to:],
      ]
    )
  return raw


def _memory_mb(pid):
  pages = int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1])
  return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


@pytest.fixture(autouse=True)
def unharmed(server):
  """After the test the process is there, answers, and has not grown by what it was sent."""
  pid = server.process.pid
  before = _memory_mb(pid)
  yield
  assert server.process.poll() is None
  answer = server.post("/v1/models/half_plus:predict", {"instances": [2.0]})
  assert answer == (200, {"predictions": [4.0]})
  assert server.predict("half_plus", {"x": [[2.0]]}).outputs["y"].float_val == [4.0]
  after = _memory_mb(pid)
  _LOG.info("%d requests: %.1f MB before, %.1f MB after", COUNT, before, after)
  # What the first unusual requests bring into memory, not more for more of them.
  assert after - before < 30


def test_bodies(server):
  draw, seen = random.Random(1), set()
  for _ in range(COUNT):
    method = draw.choice([b"predict", b"predict", b"classify", b"regress"])
    path = f"/v1/models/{draw.choice(sorted(MODELS))}:{method.decode()}"
    body = _mutated(draw, draw.choice(BODIES))
    status, headers, answer = server.http("POST", path, body)
    assert status in STATUSES, (status, path, body, answer)
    assert headers["content-type"] == "application/json"
    if status != 200:
      assert answer.startswith(b'{\n    "error": "'), (body, answer)
    seen.add(status)
  assert {200, 400} <= seen


def test_http(server):
  draw, answered = random.Random(2), 0
  for _ in range(COUNT):
    body = draw.choice(BODIES)
    lines = [b"%s %s HTTP/1.1" % (draw.choice(VERBS), draw.choice(TARGETS))]
    lines += draw.sample(HEADERS, draw.randint(0, 3))
    if draw.random() < 0.6:
      lines.append(b"Content-Length: %d" % (len(body) + draw.choice([0, 0, 0, -1, 1])))
    raw = b"\r\n".join(lines) + b"\r\n\r\n" + body
    if draw.random() < 0.5:
      raw = _mutated(draw, raw)
    answered += _exchange(server.rest_port, raw * draw.choice([1, 1, 2]), draw.random() < 0.2)
  assert answered > COUNT / 3


def _exchange(port, raw, leaves):
  """Sends and says no more; whether an answer came. It must be HTTP, and the end must come."""
  with socket.create_connection(("127.0.0.1", port), timeout=120) as connection:
    connection.sendall(raw)
    if leaves:  # with a reset
      linger = struct.pack("ii", 1, 0)
      connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
      return False
    connection.shutdown(socket.SHUT_WR)
    answer = bytearray()
    with contextlib.suppress(ConnectionError):
      while piece := connection.recv(65536):
        answer += piece
  if not answer:
    return False
  assert answer.startswith(b"HTTP/1.1 "), (raw, answer)
  statuses = {int(part.split(b" ", 1)[0]) for part in answer.split(b"HTTP/1.1 ")[1:]}
  assert statuses <= STATUSES | {100}, (raw, answer)
  return True


def test_messages(server):
  draw, codes = random.Random(3), set()
  calls = {
    name: server.channel.unary_unary(f"/tensorflow.serving.PredictionService/{name}")
    for name in ("Predict", "Classify", "Regress", "MultiInference", "GetModelMetadata")
  }
  seeds = [message.SerializeToString() for message in _messages()]
  for _ in range(COUNT):
    message = _mutated(draw, draw.choice(seeds))
    name = draw.choice(["Predict", "Predict", *calls])
    try:
      calls[name](message, timeout=120)
      codes.add("OK")
    except grpc.RpcError as err:
      code = (err.code().name, err.details())
      assert code[0] in CODES or code == NO_MESSAGE, (name, message, code)
      codes.add(code[0])
  assert {"OK", "INVALID_ARGUMENT"} <= codes


def _messages():
  for array in (np.float32([[1.0], [2.0]]), np.array([[b"a", b"bc"]], object), np.int64([3, -1])):
    for name in ("x", "a"):
      request = predict_pb2.PredictRequest()
      request.model_spec.name = "half_plus" if name == "x" else "many"
      request.inputs[name].CopyFrom(tf.make_tensor_proto(array))
      yield request
  typed = predict_pb2.PredictRequest()
  typed.model_spec.name = "half_plus"
  typed.inputs["x"].dtype = 1
  typed.inputs["x"].float_val.extend([1.0, 2.0])
  for size in (2, 1):
    typed.inputs["x"].tensor_shape.dim.add().size = size
  yield typed
  classify = classification_pb2.ClassificationRequest()
  classify.model_spec.name, classify.model_spec.signature_name = "half_plus", "classify_labels"
  example = classify.input.example_list.examples.add()
  example.features.feature["x"].float_list.value.append(2.0)
  yield classify


def test_the_seeds_are_right(server):
  """What the changes start from is answered: it reaches the models."""
  for body in BODIES:
    given = json.loads(body)
    model = (
      "half_plus"
      if "examples" in given or given.get("instances") == [[1], [2500], [-3]]
      else "many"
    )
    method = "classify" if "examples" in given else "predict"
    assert server.http("POST", f"/v1/models/{model}:{method}", body)[0] == 200, body
