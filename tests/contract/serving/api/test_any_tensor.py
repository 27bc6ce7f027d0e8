"""Any tensor through both protocols, beside the same session in this process.

`DLPIPE_EXAMPLES` is how many are tried; without it a few hundred, always the same.
"""

import base64
import json
import os

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from tensorflow_serving.apis import predict_pb2

from serving.models.sessions import SavedModelSession

EXAMPLES = int(os.environ.get("DLPIPE_EXAMPLES", "0"))
TRY = settings(max_examples=EXAMPLES or 100, derandomize=not EXAMPLES, deadline=None)
NUMBERS = ["float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint32", "uint64"]
OTHERS = ["float16", "bfloat16", "complex64", "complex128", "uint16"]
SHAPES = hnp.array_shapes(min_dims=0, max_dims=6, min_side=0, max_side=3)


@pytest.fixture(scope="module")
def session(models):
  with_types = SavedModelSession(models / "types" / "1")
  yield with_types
  with_types.close()


@st.composite
def arrays(draw, names):
  """The name of a type, and an array of it; NaN, infinities and extremes are among the values."""
  name = draw(st.sampled_from(names))
  shape = draw(SHAPES)
  dtype = np.dtype(tf.as_dtype(name).as_numpy_dtype)
  if name == "string":
    values = hnp.arrays(object, shape, elements=st.binary(max_size=20) | _texts().map(str.encode))
    return name, draw(values)
  if name == "bfloat16":  # every pattern of bits is one
    return name, draw(hnp.arrays(np.uint16, shape)).view(dtype)
  if dtype.kind in "iu":
    limits = np.iinfo(dtype)
    extremes = st.sampled_from([limits.min, limits.max, 0])
    values = st.integers(int(limits.min), int(limits.max)) | extremes
    return name, draw(hnp.arrays(dtype, shape, elements=values))
  return name, draw(hnp.arrays(dtype, shape))


def _texts():
  return st.text(st.characters(blacklist_categories=["Cs"]), max_size=20)


def _is_written(shape):
  """Whether nested lists say the shape: none within an empty one."""
  return 0 not in shape[:-1]


def _expected(session, name, array):
  [answer] = session.run({f"x_{name}:0": array}, [session.signatures[name].outputs["y"].name])
  assert answer.shape == array.shape
  return answer


def _assert_same(answer, expected):
  assert (answer.dtype, answer.shape) == (expected.dtype, expected.shape)
  if expected.dtype == object:
    assert answer.tolist() == expected.tolist()
  elif expected.dtype.kind in "fc" and expected.dtype != tf.bfloat16.as_numpy_dtype:
    np.testing.assert_array_equal(answer, expected)
    assert np.signbit(answer.real).tolist() == np.signbit(expected.real).tolist()
  else:
    assert answer.tobytes() == expected.tobytes()


@TRY
@given(arrays([*NUMBERS, *OTHERS, "bool", "string"]), st.booleans())
@example(("float32", np.float32(np.nan)), True)
@example(("int64", np.array([-(2**63), 2**63 - 1])), False)
@example(("string", np.array(b"", object)), False)
def test_grpc(server, session, given_, as_content):
  name, array = given_
  array = np.asarray(array)
  request = predict_pb2.PredictRequest()
  request.model_spec.name, request.model_spec.signature_name = "types", name
  if name == "string" or not as_content:
    request.inputs["x"].CopyFrom(_typed(array))
  else:
    request.inputs["x"].CopyFrom(tf.make_tensor_proto(array))
  answer = server.prediction.Predict(request, timeout=120).outputs["y"]
  assert answer.tensor_content == b""
  found = tf.make_ndarray(answer)
  _assert_same(found, _expected(session, name, array))


def _typed(array):
  """A TensorProto with nothing in `tensor_content`."""
  dtype = tf.as_dtype(array.dtype)
  proto = tf.make_tensor_proto([], dtype, [0])
  for size in array.shape:
    proto.tensor_shape.dim.add().size = size
  del proto.tensor_shape.dim[0]
  flat = array.ravel()
  if dtype == tf.string:
    proto.string_val.extend(flat.tolist())
  elif dtype in (tf.complex64, tf.complex128):
    field = proto.scomplex_val if dtype == tf.complex64 else proto.dcomplex_val
    field.extend(np.stack([flat.real, flat.imag], 1).ravel().tolist())
  elif dtype in (tf.float16, tf.bfloat16):
    proto.half_val.extend(flat.view(np.uint16).tolist())
  else:
    fields = {tf.float32: "float", tf.float64: "double", tf.bool: "bool", tf.int64: "int64"}
    fields |= {tf.uint32: "uint32", tf.uint64: "uint64"}
    getattr(proto, f"{fields.get(dtype, 'int')}_val").extend(flat.tolist())
  return proto


@TRY
@given(arrays([*NUMBERS, "bool"]).filter(lambda pair: _is_written(pair[1].shape)), st.booleans())
@example(("float32", np.float32([[np.nan, np.inf], [-np.inf, -0.0]])), True)
@example(("uint64", np.uint64([2**64 - 1])), False)
def test_rest_numbers(server, session, given_, by_rows):
  name, array = given_
  _assert_same(_by_rest(server, name, array, by_rows), _expected(session, name, array))


@TRY
@given(hnp.arrays(object, SHAPES.filter(_is_written), elements=_texts()), st.booleans())
@example(np.array(['\0\u2028\U0001f600"\\'], object), True)
def test_rest_texts(server, session, texts, by_rows):
  found = _by_rest(server, "string", texts, by_rows)
  raw = np.empty(texts.shape, object)
  for index in np.ndindex(texts.shape):
    raw[index] = texts[index].encode()
    found[index] = found[index].encode()
  _assert_same(found, _expected(session, "string", raw))


@TRY
@given(st.lists(st.binary(max_size=30), min_size=1, max_size=5), st.booleans())
def test_rest_bytes(server, values, by_rows):
  encoded = [{"b64": base64.b64encode(value).decode()} for value in values]
  body = {"signature_name": "encode", "instances" if by_rows else "inputs": encoded}
  status, answer = server.post("/v1/models/many:predict", body)
  assert (status, answer) == (200, {"predictions" if by_rows else "outputs": encoded})


@settings(TRY, max_examples=EXAMPLES or 20)
@given(arrays(OTHERS).filter(lambda pair: pair[1].size and _is_written(pair[1].shape)))
def test_rest_has_no_other_types(server, given_):
  name, array = given_
  ones = np.ones(array.shape).tolist()
  status, answer = server.post("/v1/models/types:predict", {"signature_name": name, "inputs": ones})
  shown = {"float16": "half"}.get(name, name)
  assert (status, answer["error"].rpartition("to type: ")[2]) == (501, shown)


def _by_rest(server, name, array, by_rows):
  by_rows = by_rows and array.ndim > 0 and len(array) > 0
  request, response = ("instances", "predictions") if by_rows else ("inputs", "outputs")
  body = json.dumps({"signature_name": name, request: array.tolist()})
  status, _, answer = server.http("POST", "/v1/models/types:predict", body)
  assert status == 200, answer
  found = np.empty(array.shape, array.dtype)
  found[...] = np.array(json.loads(answer)[response], array.dtype).reshape(array.shape)
  return found
