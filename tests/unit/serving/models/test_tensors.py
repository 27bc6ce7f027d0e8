"""TensorProto to numpy and back, where the contract tests do not look."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2

from serving.errors import Unimplemented
from serving.models.tensors import TensorParseError, array_from_proto, dtype_name, fill_proto

STRINGS = np.array([b"", b"abc", b"x" * 300], object)


def _sent(array, **options):
  proto = tensor_pb2.TensorProto()
  fill_proto(proto, array, **options)
  return proto


@pytest.mark.parametrize("as_content", [False, True])
@pytest.mark.parametrize(
  "array",
  [
    np.arange(6, dtype=np.float32).reshape(2, 3).T,
    np.array([np.nan, np.inf, -0.0]),
    np.array([2**63, 1], np.uint64),
    np.array([-(2**63)], np.int64),
    np.array([[True], [False]]),
    np.array(3, np.int8),
    np.array([1 + 2j, -1j], np.complex64),
    np.zeros((0, 3), np.float16),
    np.arange(1000, dtype=np.float64),
    STRINGS,
  ],
)
def test_what_is_sent_is_read_and_tensorflow_agrees(array, as_content):
  proto = _sent(array, as_content=as_content)
  for back in (array_from_proto(proto), tf.make_ndarray(proto)):
    assert back.shape == array.shape
    np.testing.assert_array_equal(back, array)
  assert array_from_proto(proto).dtype == array.dtype


def test_packed_fields_are_what_protobuf_would_write():
  values = np.float32([1.5, -2.0, 3.25])
  built = tensor_pb2.TensorProto(dtype=1, float_val=values.tolist())
  built.tensor_shape.dim.add(size=3)
  assert _sent(values) == built


def test_strings_in_content():
  lengths = b"\x00\x03\xac\x02"
  proto = tensor_pb2.TensorProto(dtype=7, tensor_content=lengths + b"abc" + b"x" * 300)
  proto.tensor_shape.dim.add(size=3)
  assert array_from_proto(proto).tolist() == STRINGS.tolist()


@pytest.mark.parametrize(
  "content", [b"\x01", b"\x01\x01\x01", b"\xff\xff\xff\xff\xff\x01ab", b"\x00"]
)
def test_strings_in_content_that_do_not_add_up(content):
  proto = tensor_pb2.TensorProto(dtype=7, tensor_content=content)
  proto.tensor_shape.dim.add(size=2)
  with pytest.raises(TensorParseError):
    array_from_proto(proto)


def test_small_integers_are_cut_to_their_type():
  proto = tensor_pb2.TensorProto(dtype=tf.int8.as_datatype_enum, int_val=[127, 128, 256 + 5])
  proto.tensor_shape.dim.add(size=3)
  assert array_from_proto(proto).tolist() == [127, -128, 5]


def test_an_odd_number_of_parts_of_complex_numbers():
  proto = tensor_pb2.TensorProto(dtype=tf.complex64.as_datatype_enum, scomplex_val=[1.0, 2.0, 3.0])
  proto.tensor_shape.dim.add(size=2)
  assert array_from_proto(proto).tolist() == [1 + 2j, 1 + 2j]


def test_names_of_types():
  assert dtype_name(STRINGS) == "DT_STRING"
  assert dtype_name(np.zeros(1, np.uint16)) == "DT_UINT16"
  with pytest.raises(Unimplemented, match="Tensors of type datetime64"):
    dtype_name(np.zeros(1, "datetime64[s]"))
