"""numpy arrays and TensorFlow's types: names, numbers, and `TensorProto` both ways."""

from __future__ import annotations

from typing import Any

import numpy as np

from dlpipe_client.answers import TensorInfo
from dlpipe_client.errors import InvalidInput, InvalidResponse
from dlpipe_client.protos import TensorProto

Array = np.ndarray[Any, np.dtype[Any]]

# Source: tensorflow/core/framework/types.proto.
NUMBERS = {
  "float32": 1,
  "float64": 2,
  "int32": 3,
  "uint8": 4,
  "int16": 5,
  "int8": 6,
  "string": 7,
  "complex64": 8,
  "int64": 9,
  "bool": 10,
  "bfloat16": 14,
  "uint16": 17,
  "complex128": 18,
  "float16": 19,
  "uint32": 22,
  "uint64": 23,
}
NAMES = {
  **{number: name for name, number in NUMBERS.items()},
  0: "invalid",
  11: "qint8",
  12: "quint8",
  13: "qint32",
  15: "qint16",
  16: "quint16",
  20: "resource",
  21: "variant",
}
_PROTO_NAMES = {"float": "float32", "double": "float64", "half": "float16"}

_RAW_FIELDS = {
  "float32": "float_val",
  "float64": "double_val",
  "complex64": "scomplex_val",
  "complex128": "dcomplex_val",
}
_VALUE_FIELDS = {
  "int64": "int64_val",
  "bool": "bool_val",
  "uint32": "uint32_val",
  "uint64": "uint64_val",
}


def name_of_number(number: int) -> str:
  """Returns TensorFlow's name of a type; the number itself if it is unknown."""
  return NAMES.get(number, str(number))


def name_of_proto(proto_name: str) -> str:
  """Returns the name of `DT_FLOAT` and its like."""
  name = proto_name.removeprefix("DT_").lower()
  return _PROTO_NAMES.get(name, name)


def numpy_dtype(name: str) -> np.dtype[Any] | None:
  """Returns the type of an array's items; `object` for strings, None if numpy has no such type."""
  if name == "string":
    return np.dtype(object)
  if name == "bfloat16":
    return np.dtype(np.float32)
  return np.dtype(name) if name in NUMBERS else None


def as_array(name: str, value: Any, info: TensorInfo | None) -> Array:
  """Returns what is sent for an input.

  Args:
    name: the input's.
    value: an array, which keeps its type; or a number, a string, bytes or nested lists of them,
      which take the type that the signature has where nothing is lost.
    info: what the signature says of it; None where it is not known.

  Returns:
    An array; strings are `bytes` in an array of `object`.

  Raises:
    InvalidInput: it cannot be sent.
  """
  if isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind not in "OSU":
    array: Array = np.asarray(value)
    if array.dtype.name not in NUMBERS:
      raise InvalidInput(f"Input {name!r} has a type that is not served: {array.dtype}.")
    return array
  array = _array_of_values(name, value)
  if array.dtype == object:
    if info is not None and info.dtype != "string":
      raise InvalidInput(f"Input {name!r} must be of type {info.dtype}. Received: no numbers.")
    return _strings(name, array)
  if info is None:
    return array
  wanted = numpy_dtype(info.dtype)
  if wanted is None:
    raise InvalidInput(f"Input {name!r} has a type that this client does not send: {info.dtype}.")
  if wanted.kind == "O":
    raise InvalidInput(f"Input {name!r} must be of type string. Received: {array.dtype}.")
  return _converted(name, array, wanted)


def _array_of_values(name: str, value: Any) -> Array:
  try:
    array: Array = np.array(value)
  except UnicodeError:  # strings and bytes
    return np.array(value, dtype=object)
  except (ValueError, OverflowError) as err:
    raise InvalidInput(
      f"Input {name!r} cannot be read as an array (do all rows have the same length?)."
    ) from err
  # numpy's own strings lose zero bytes at their ends.
  return np.array(value, dtype=object) if array.dtype.kind in "OSU" else array


def _strings(name: str, array: Array) -> Array:
  encoded = np.empty(array.shape, dtype=object)
  for index in np.ndindex(array.shape):
    item = array[index]
    if isinstance(item, str):
      item = item.encode("utf-8")
    if not isinstance(item, bytes):
      raise InvalidInput(
        f"Input {name!r} must hold numbers, or strings and bytes. "
        f"Received: {type(item).__name__} at {list(index)}."
      )
    encoded[index] = item
  return encoded


def _converted(name: str, array: Array, wanted: np.dtype[Any]) -> Array:
  if not array.size:
    return array.astype(wanted)
  takes = {"b": "b", "i": "iu", "u": "iu", "f": "iuf", "c": "iufc"}[wanted.kind]
  with np.errstate(over="ignore"):
    result = array.astype(wanted)
  if array.dtype.kind not in takes or (wanted.kind in "iu" and not np.array_equal(result, array)):
    raise InvalidInput(f"Input {name!r} must be of type {wanted}. Received: {array.dtype}.")
  return result


def to_proto(array: Array) -> Any:
  """Returns the array as a `TensorProto`: numbers in `tensor_content`, strings in `string_val`."""
  proto = TensorProto()
  for size in array.shape:
    proto.tensor_shape.dim.add(size=size)
  if array.dtype == object:
    proto.dtype = NUMBERS["string"]
    proto.string_val.extend(array.reshape(-1).tolist())
  else:
    proto.dtype = NUMBERS[array.dtype.name]
    proto.tensor_content = (
      np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
    )
  return proto


def from_proto(proto: Any) -> Array:
  """Returns the array that a `TensorProto` is, by `tensor_content` or by its typed field.

  As in TensorFlow, the last value stands for all that are missing. bfloat16 becomes float32.

  Raises:
    InvalidResponse: its type is unknown or its content too short.
  """
  name = name_of_number(proto.dtype)
  if name not in NUMBERS:
    raise InvalidResponse(
      f"The server answered with a type that this client does not read: {name}."
    )
  shape = tuple(dim.size for dim in proto.tensor_shape.dim)
  count = int(np.prod(shape, dtype=np.int64))
  values = _values(proto, name)
  if len(values) < count:
    if proto.tensor_content:
      raise InvalidResponse(f"The server answered with {len(values)} values for the shape {shape}.")
    fill = values[-1:] if len(values) else np.array([b"" if name == "string" else 0], values.dtype)
    values = np.concatenate([values, np.repeat(fill, count - len(values))])
  return values[:count].reshape(shape)


def _values(proto: Any, name: str) -> Array:
  if name == "string":
    return _object_array(list(proto.string_val))
  stored = np.dtype(np.uint16 if name == "bfloat16" else name).newbyteorder("<")
  if proto.tensor_content:
    values = _from_bytes(proto.tensor_content, stored)
  elif name in _RAW_FIELDS:
    values = _from_bytes(b"".join(getattr(proto, _RAW_FIELDS[name])), stored)
  elif name in ("float16", "bfloat16"):
    values = np.array(proto.half_val, np.int32).astype(np.uint16).view(stored)
  else:
    field = getattr(proto, _VALUE_FIELDS.get(name, "int_val"))
    values = np.array(field, np.uint64 if name == "uint64" else np.int64).astype(stored)
  if name == "bfloat16":
    return (values.astype(np.uint32) << 16).view(np.float32)
  # A copy, which may be written to and does not keep the message.
  return values.astype(stored.newbyteorder("="), copy=True)


def _from_bytes(content: bytes, stored: np.dtype[Any]) -> Array:
  if len(content) % stored.itemsize:
    raise InvalidResponse(f"The server answered with {len(content)} bytes, which is no {stored}.")
  return np.frombuffer(content, stored)


def _object_array(values: list[bytes]) -> Array:
  array = np.empty(len(values), dtype=object)
  array[:] = values
  return array
