"""JSON values to arrays of a given type; only whole numbers are converted, to floats.

`tensor` and `batch` try whole levels of lists at once. If anything does not fit, they walk value by
value and find the first error in TensorFlow Serving's order and words.

Source: `GetDenseTensorShape`, `FillTensorProto`, `AddValueToTensor` and `AddInstanceItem` of
tensorflow_serving/util/json_tensor.cc.
"""

from __future__ import annotations

import binascii
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from serving.errors import InvalidArgument, ServingError, Unimplemented
from serving.tensor_json import dtypes
from serving.tensor_json.describe import describe, type_name
from serving.tensor_json.dtypes import Array

_FLOATS = (dtypes.FLOAT, dtypes.DOUBLE)
_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_SPACES = b" \t\n\v\f\r"
_MOST_DIMENSIONS = 32  # of a numpy array


def tensor(value: Any, dtype: int, name: str) -> Array:
  """Returns the array of a value in the columnar format; its shape is that of the lists.

  Raises:
    InvalidArgument: lists of different lengths, or a value of another type.
    Unimplemented: JSON cannot carry the type.
  """
  regular = _regular([value], dtype)
  if regular is not None:
    return regular.reshape(regular.shape[1:])
  shape = _shape(value)
  return _array(_fill(value, shape, dtype), shape, dtype, name)


def batch(rows: Sequence[Any], dtype: int, name: str) -> Array | None:
  """Returns the array of the rows' values, `[rows, ...]`; None if types or shapes differ."""
  return _regular(rows, dtype)


class Batch:
  """Rows that are added one by one, each checked against the first."""

  def __init__(self, dtype: int, name: str):
    """Starts without rows.

    Args:
      dtype: the input's type, a number of `tensorflow.DataType`.
      name: the input's name.
    """
    self._dtype, self._name = dtype, name
    self._values: list[Any] = []
    self._size = -1
    self._shape: list[int] = []

  def add(self, value: Any) -> None:
    """Adds a row.

    Raises:
      InvalidArgument: the row does not fit the type or the rows before.
      Unimplemented: JSON cannot carry the type.
    """
    shape = _shape(value)
    values = _fill(value, shape, self._dtype)
    if self._size < 0:
      self._size, self._shape = len(values), shape
    elif len(values) != self._size:
      raise InvalidArgument(f"Expecting tensor size: {self._size} but got: {len(values)}")
    elif shape != self._shape:
      raise InvalidArgument(f"Expecting shape {_listed(self._shape)} but got: {_listed(shape)}")
    self._values += values

  def array(self, count: int) -> Array:
    """Returns the first `count` rows as one array; TensorFlow, too, ignores repeated names."""
    values = self._values[: count * self._size]
    return _array(values, [count, *self._shape], self._dtype, self._name)


def decode_base64(text: str | bytes) -> bytes:
  """Returns the bytes of base64 text; padding may be absent and white space is skipped.

  Raises:
    InvalidArgument: it is not base64.
  """
  raw = text.encode() if isinstance(text, str) else text
  if raw.translate(None, _BASE64):
    raw = raw.translate(None, _SPACES)
  digits = raw.rstrip(b"=.")
  missing = -len(digits) % 4
  padding = len(raw) - len(digits)
  if digits.translate(None, _BASE64) or missing == 3 or padding not in (0, missing):
    raise InvalidArgument("Unable to base64 decode")
  return binascii.a2b_base64(digits + b"=" * missing)


def is_base64(value: Any) -> bool:
  """Returns whether the value is `{"b64": "<text>"}`, with nothing beside it and not twice."""
  return type(value) is dict and len(value) == 1 and isinstance(value.get("b64"), (str, bytes))


def _regular(values: Sequence[Any], dtype: int) -> Array | None:
  """Returns `[values, ...]`; None if a list or a value needs the slow way or is wrong."""
  shape, level = [len(values)], values
  while isinstance(level[0], list):
    size = len(level[0])
    if not size or len(shape) == _MOST_DIMENSIONS:
      return None
    if set(map(type, level)) != {list} or set(map(len, level)) != {size}:
      return None
    shape.append(size)
    level = list(itertools.chain.from_iterable(level))
  flat = _leaves(level, set(map(type, level)), dtype)
  return None if flat is None else flat.reshape(shape)


def _leaves(values: Sequence[Any], types: set[type], dtype: int) -> Array | None:
  if dtype in _FLOATS:
    return _cast(np.array(values, np.float64), dtype) if types <= {int, float} else None
  if dtype in dtypes.RANGES:
    low, high = dtypes.RANGES[dtype]
    if types != {int} or min(values) < low or max(values) > high:
      return None
    return _cast(np.array(values, np.uint64 if high >= 2**63 else np.int64), dtype)
  if dtype == dtypes.BOOL:
    return np.array(values, np.bool_) if types == {bool} else None
  if dtype == dtypes.STRING and types == {str}:
    return _strings([value.encode() for value in values])
  return None


def from_numbers(numbers: Array, dtype: int) -> Array | None:
  """Converts float64 or int64 to another type; returns None if each value must be checked alone."""
  if dtype in _FLOATS:
    return _cast(numbers.astype(np.float64, copy=False), dtype)
  if dtype not in dtypes.RANGES or numbers.dtype != np.int64:
    return None
  low, high = dtypes.RANGES[dtype]
  if (numbers.min() < low) or (high < 2**63 and numbers.max() > high):
    return None
  return _cast(numbers, dtype)


def _cast(array: Array, dtype: int) -> Array:
  with np.errstate(over="ignore"):  # numbers out of range become infinite
    return array.astype(dtypes.NUMPY[dtype], copy=False)


def _strings(values: Sequence[bytes]) -> Array:
  array = np.empty(len(values), dtype=object)
  array[:] = values
  return array


def _shape(value: Any) -> list[int]:
  """Returns the length of the first list of each level."""
  shape = []
  while isinstance(value, list):
    shape.append(len(value))
    if not value:
      break
    value = value[0]
  return shape


def _fill(value: Any, shape: list[int], dtype: int) -> list[Any]:
  """Returns every value of nested lists that must have `shape`, in order; nothing recurses."""
  rank, found = len(shape), []
  levels = [iter((value,))]
  while levels:
    level = len(levels) - 1
    for item in levels[-1]:
      if not isinstance(item, list):
        if level != rank:
          raise InvalidArgument(
            f"JSON Value: {describe(item)} found at incorrect level: {level + 1} in the JSON DOM. "
            f"Expected at level: {rank}"
          )
        found.append(_leaf(item, dtype))
        continue
      if level >= rank:
        raise InvalidArgument(f"Encountered list at unexpected level: {level} expected < {rank}")
      if len(item) != shape[level]:
        raise InvalidArgument(
          f"Encountered list at unexpected size: {len(item)} at level: {level} "
          f"expected size: {shape[level]}"
        )
      levels.append(iter(item))
      break
    else:
      levels.pop()
  return found


def _leaf(value: Any, dtype: int) -> Any:
  if isinstance(value, dict):
    if dtype != dtypes.STRING:
      raise _type_error(value, dtype)
    if not is_base64(value):
      raise InvalidArgument(
        f"JSON Value: {describe(value)} not formatted correctly for base64 data"
      )
    return decode_base64(value["b64"])
  if dtype == dtypes.STRING:
    if not isinstance(value, (str, bytes)):
      raise _type_error(value, dtype)
    return value.encode() if isinstance(value, str) else value
  is_bool = isinstance(value, bool)
  if dtype in _FLOATS:
    fits = isinstance(value, (int, float)) and not is_bool
  elif dtype in dtypes.RANGES:
    low, high = dtypes.RANGES[dtype]
    fits = isinstance(value, int) and not is_bool and low <= value <= high
  elif dtype == dtypes.BOOL:
    fits = is_bool
  else:
    raise Unimplemented(
      f"Conversion of JSON Value: {describe(value)} to type: {dtypes.name_of(dtype)}"
    )
  if not fits:
    raise _type_error(value, dtype)
  return value


def _type_error(value: Any, dtype: int) -> ServingError:
  return InvalidArgument(
    f"JSON Value: {describe(value)} Type: {type_name(value)} is not of expected type: "
    f"{dtypes.name_of(dtype)}"
  )


def _array(values: list[Any], shape: list[int], dtype: int, name: str) -> Array:
  if len(shape) > _MOST_DIMENSIONS:
    raise InvalidArgument(f"tensor parsing error: {name}")
  if dtype == dtypes.STRING:
    return _strings(values).reshape(shape)
  if dtype in _FLOATS:
    return _cast(np.array(values, np.float64), dtype).reshape(shape)
  if dtype in dtypes.RANGES:
    is_large = dtypes.RANGES[dtype][1] >= 2**63
    return _cast(np.array(values, np.uint64 if is_large else np.int64), dtype).reshape(shape)
  if dtype not in dtypes.NUMPY:
    raise Unimplemented(f"Conversion of JSON Value: [] to type: {dtypes.name_of(dtype)}")
  return np.array(values, dtypes.NUMPY[dtype]).reshape(shape)


def _listed(shape: Sequence[int]) -> str:
  return "[" + ",".join(map(str, shape)) + "]"
