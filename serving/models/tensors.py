"""TensorProto to numpy and back, by TensorFlow Serving's rules.

Requests may fill `tensor_content` or the typed field of their type; answers always use the typed
field. Source: TensorFlow `Tensor::FromProto`, `Tensor::AsProtoField`. Called by the gRPC face and
for the default values of a signature.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import tensorflow as tf

from serving.errors import Unimplemented

Array = np.ndarray[Any, np.dtype[Any]]

_MAX_ELEMENTS = 2**62
# Missing values repeat the last one, so a few bytes could ask for any size. This is the limit.
_MAX_FILLED_BYTES = 2**30

_FIELDS = {
  tf.float32.as_datatype_enum: "float_val",
  tf.float64.as_datatype_enum: "double_val",
  tf.int8.as_datatype_enum: "int_val",
  tf.int16.as_datatype_enum: "int_val",
  tf.int32.as_datatype_enum: "int_val",
  tf.uint8.as_datatype_enum: "int_val",
  tf.uint16.as_datatype_enum: "int_val",
  tf.uint32.as_datatype_enum: "uint32_val",
  tf.uint64.as_datatype_enum: "uint64_val",
  tf.int64.as_datatype_enum: "int64_val",
  tf.bool.as_datatype_enum: "bool_val",
  tf.float16.as_datatype_enum: "half_val",
  tf.bfloat16.as_datatype_enum: "half_val",
  tf.complex64.as_datatype_enum: "scomplex_val",
  tf.complex128.as_datatype_enum: "dcomplex_val",
  tf.string.as_datatype_enum: "string_val",
}
_STRING = tf.string.as_datatype_enum
_NUMPY = {enum: np.dtype(tf.as_dtype(enum).as_numpy_dtype) for enum in _FIELDS}
_ENUMS = {dtype: enum for enum, dtype in _NUMPY.items() if enum != _STRING}
_TENSOR_PROTO = tf.make_tensor_proto(0).DESCRIPTOR
_DATA_TYPE = _TENSOR_PROTO.fields_by_name["dtype"].enum_type
# The packed form of these fields is the array's memory: the field's key, and the memory's type.
# Packed bytes are appended as a whole, so 32,000 floats cost 20 us and not 6 ms.
_SPLICED = {
  name: (bytes([_TENSOR_PROTO.fields_by_name[name].number << 3 | 2]), view)
  for name, view in {
    "float_val": "<f4",
    "double_val": "<f8",
    "bool_val": "|u1",
    "scomplex_val": "<f4",
    "dcomplex_val": "<f8",
  }.items()
}


class TensorParseError(ValueError):
  """A TensorProto that contradicts itself."""


def dtype_enum(array: Array) -> int:
  """Returns the number of the array's type in TensorFlow's `DataType`."""
  if array.dtype.kind == "O":
    return int(_STRING)
  enum = _ENUMS.get(array.dtype)
  if enum is None:
    raise Unimplemented(f"Tensors of type {array.dtype} cannot be sent.")
  return int(enum)


def dtype_name(array: Array) -> str:
  """Returns TensorFlow's name of the array's type, such as `DT_FLOAT`."""
  return str(_DATA_TYPE.values_by_number[dtype_enum(array)].name)


def array_from_proto(proto: Any) -> Array:
  """Returns the array of a TensorProto; strings are bytes in an array of objects.

  Raises:
    TensorParseError: unknown type, impossible shape, or content of another length.
  """
  field = _FIELDS.get(proto.dtype)
  if field is None:
    raise TensorParseError(f"type {proto.dtype}")
  shape = _shape(proto.tensor_shape)
  count = math.prod(shape)
  if proto.tensor_content:
    return _from_content(proto.dtype, proto.tensor_content, count).reshape(shape)
  return _from_field(proto.dtype, getattr(proto, field), count).reshape(shape)


def fill_proto(proto: Any, array: Array, *, as_content: bool = False) -> None:
  """Writes an array into an empty TensorProto.

  Args:
    proto: the message to fill.
    array: values of a type that TensorProto has; objects are bytes.
    as_content: whether to use `tensor_content`, as --enable_serialization_as_tensor_content asks.
  """
  enum = dtype_enum(array)
  proto.dtype = enum
  dims = proto.tensor_shape.dim
  for size in array.shape:
    dims.add().size = size
  if not array.size:
    return
  field = _FIELDS[enum]
  if as_content and enum != _STRING:
    proto.tensor_content = array.tobytes()
  elif field in _SPLICED:
    key, view = _SPLICED[field]
    raw = np.ascontiguousarray(array).view(view).tobytes()
    proto.MergeFromString(b"".join((key, _varint(len(raw)), raw)))
  elif field == "half_val":
    proto.half_val.extend(array.ravel().view(np.uint16).tolist())
  else:
    getattr(proto, field).extend(array.ravel().tolist())


def _shape(proto: Any) -> tuple[int, ...]:
  if proto.unknown_rank:
    raise TensorParseError("unknown rank")
  shape = tuple([dim.size for dim in proto.dim])
  if min(shape, default=0) < 0 or len(shape) > 254:
    raise TensorParseError(f"shape {shape}")
  if math.prod(filter(None, shape)) > _MAX_ELEMENTS:
    raise TensorParseError(f"shape {shape}")
  return shape


def _from_content(enum: int, content: bytes, count: int) -> Array:
  if enum == _STRING:
    return _strings_from_content(content, count)
  dtype = _NUMPY[enum]
  if len(content) != count * dtype.itemsize:
    raise TensorParseError(f"{len(content)} bytes for {count} values")
  array: Array = np.frombuffer(content, dtype)
  return array != 0 if dtype == np.bool_ and np.frombuffer(content, np.uint8).max() > 1 else array


def _strings_from_content(content: bytes, count: int) -> Array:
  """Returns all lengths as varints, then the strings. Source: TensorFlow's DecodeStringList."""
  sizes, position = [], 0
  if count > len(content):
    raise TensorParseError(f"{len(content)} bytes for {count} strings")
  for _ in range(count):
    size, shift = 0, 0
    while True:
      if position >= len(content) or shift > 28:
        raise TensorParseError("cut off among the lengths")
      byte = content[position]
      position += 1
      size |= (byte & 0x7F) << shift
      shift += 7
      if byte < 0x80:
        break
    sizes.append(size)
  if position + sum(sizes) != len(content):
    raise TensorParseError("lengths that do not add up")
  array = np.empty(count, object)
  for index, size in enumerate(sizes):
    array[index] = content[position : position + size]
    position += size
  return array


def _from_field(enum: int, values: Any, count: int) -> Array:
  """Returns the values of a typed field: cuts too many, repeats the last of too few; else zeros."""
  dtype = _NUMPY[enum]
  if enum in (tf.complex64.as_datatype_enum, tf.complex128.as_datatype_enum):
    pairs = np.array(values, dtype=dtype.type(0).real.dtype)
    given: Array = pairs[: len(pairs) // 2 * 2].view(dtype)
  elif enum == _STRING:
    given = np.empty(min(len(values), count), object)
    given[:] = values[: len(given)]
  elif dtype.itemsize == 2 and dtype.kind not in "iu":
    given = np.array(values, np.int32).astype(np.uint16).view(dtype)
  elif dtype.kind in "iu" and dtype.itemsize < 4:
    given = np.array(values, np.int32).astype(dtype)
  else:
    given = np.array(values, dtype)
  if len(given) >= count:
    return given[:count]
  if count * dtype.itemsize > _MAX_FILLED_BYTES:
    raise TensorParseError(f"{len(given)} values for {count}")
  filler: Any = given[-1] if len(given) else (b"" if enum == _STRING else 0)
  array = np.full(count, filler, dtype)
  array[: len(given)] = given
  return array


def _varint(value: int) -> bytes:
  out = bytearray()
  while value > 0x7F:
    out.append(value & 0x7F | 0x80)
    value >>= 7
  out.append(value)
  return bytes(out)
