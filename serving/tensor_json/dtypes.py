"""TensorFlow's types by their number in `tensorflow.DataType`, without importing TensorFlow.

Source: tensorflow/core/framework/types.proto; the names are those of `DataTypeString`.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

FLOAT, DOUBLE, INT32, UINT8, INT16, INT8, STRING = 1, 2, 3, 4, 5, 6, 7
INT64, BOOL, UINT32, UINT64 = 9, 10, 22, 23

NAMES = {
  0: "INVALID",
  FLOAT: "float",
  DOUBLE: "double",
  INT32: "int32",
  UINT8: "uint8",
  INT16: "int16",
  INT8: "int8",
  STRING: "string",
  8: "complex64",
  INT64: "int64",
  BOOL: "bool",
  11: "qint8",
  12: "quint8",
  13: "qint32",
  14: "bfloat16",
  15: "qint16",
  16: "quint16",
  17: "uint16",
  18: "complex128",
  19: "half",
  20: "resource",
  21: "variant",
  UINT32: "uint32",
  UINT64: "uint64",
  24: "float8_e5m2",
  25: "float8_e4m3fn",
  29: "int4",
  30: "uint4",
}

NUMPY = {
  FLOAT: np.dtype(np.float32),
  DOUBLE: np.dtype(np.float64),
  INT32: np.dtype(np.int32),
  UINT8: np.dtype(np.uint8),
  INT16: np.dtype(np.int16),
  INT8: np.dtype(np.int8),
  STRING: np.dtype(object),
  8: np.dtype(np.complex64),
  INT64: np.dtype(np.int64),
  BOOL: np.dtype(np.bool_),
  17: np.dtype(np.uint16),
  18: np.dtype(np.complex128),
  19: np.dtype(np.float16),
  UINT32: np.dtype(np.uint32),
  UINT64: np.dtype(np.uint64),
}

# The range of JSON integers of each type; narrow types are cast from int32 without a check.
_INT32_RANGE = (-(2**31), 2**31 - 1)
RANGES = {
  INT32: _INT32_RANGE,
  UINT8: _INT32_RANGE,
  INT16: _INT32_RANGE,
  INT8: _INT32_RANGE,
  INT64: (-(2**63), 2**63 - 1),
  UINT32: (0, 2**32 - 1),
  UINT64: (0, 2**64 - 1),
}

_NAME_OF_NUMPY = {dtype: NAMES[number] for number, dtype in NUMPY.items()}


class InputInfo(Protocol):
  """What a signature says of an input; a `tensorflow.TensorInfo` is one."""

  @property
  def dtype(self) -> int:
    """A number of `tensorflow.DataType`."""


def name_of(dtype: int) -> str:
  """Returns TensorFlow's name of a type; `unknown dtype enum (n)` for a number it does not have."""
  return NAMES.get(dtype, f"unknown dtype enum ({dtype})")


def name_of_numpy(dtype: np.dtype[Any]) -> str:
  """Returns TensorFlow's name of a numpy type."""
  return _NAME_OF_NUMPY.get(dtype, str(dtype))
