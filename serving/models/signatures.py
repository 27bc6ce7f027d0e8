"""Signatures as plain records, and a caller's values as arrays of their types.

Used by callers in this process; over a network a client makes arrays of values.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import saved_model_pb2

from serving.errors import DataLoss, InvalidArgument, NotFound
from serving.models.tensors import Array

MODEL_FILE = "saved_model.pb"
_TAG = "serve"
_INIT_OP = "__saved_model_init_op"
_RAGGED = " (do all rows have the same length?)"


@dataclasses.dataclass(frozen=True, kw_only=True)
class TensorSpec:
  """What a signature says of one input or output.

  Attributes:
    dtype: TensorFlow's name of the type, such as `string` or `float32`.
    numpy_dtype: numpy's name of the same type; `object` for strings, whose elements are bytes.
    shape: the sizes, None for a dimension of any size; None instead of a tuple for any rank.
  """

  dtype: str
  numpy_dtype: np.dtype[Any]
  shape: tuple[int | None, ...] | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Signature:
  """Inputs and outputs of a signature, by name."""

  inputs: Mapping[str, TensorSpec]
  outputs: Mapping[str, TensorSpec]


def from_definitions(definitions: Mapping[str, Any]) -> dict[str, Signature]:
  """Returns `SignatureDef`s by name, without the one that initializes the model."""
  return {
    name: Signature(inputs=_specs(definition.inputs), outputs=_specs(definition.outputs))
    for name, definition in definitions.items()
    if name != _INIT_OP
  }


def read_signatures(path: str | os.PathLike[str]) -> dict[str, Signature]:
  """Returns the signatures of a SavedModel, without loading it.

  >>> read_signatures("workspace/images/serving/3")["serving_default"].outputs["score"].dtype
  'float32'

  Args:
    path: the folder of `saved_model.pb`.

  Raises:
    NotFound: there is no such file, or it cannot be read.
    DataLoss: it is no SavedModel.
  """
  file = pathlib.Path(path) / MODEL_FILE
  try:
    saved = saved_model_pb2.SavedModel.FromString(file.read_bytes())
  except OSError as err:
    raise NotFound(f"{file}: {err.strerror}") from err
  except DecodeError as err:
    raise DataLoss(f"Can't parse {file} as binary proto") from err
  for graph in saved.meta_graphs:
    if _TAG in graph.meta_info_def.tags:
      return from_definitions(graph.signature_def)
  return {}


def as_array(name: str, value: Array | Sequence[Any], spec: TensorSpec | None) -> Array:
  """Returns an array of an input's value; an array stays what it is.

  Args:
    name: the input's.
    value: an array, or a value or nested lists of values.
    spec: what the signature says of the input; None if it has no such input.

  Raises:
    InvalidArgument: a list does not become an array of the signature's type without a loss.
  """
  if isinstance(value, np.ndarray) and value.dtype.kind not in "SU":
    return value
  if spec is None:
    return np.array(value, dtype=object)  # refused by its name, whatever it is
  return _strings(name, value) if spec.dtype == "string" else _numbers(name, value, spec)


def _specs(tensors: Mapping[str, Any]) -> dict[str, TensorSpec]:
  return {name: _spec(info) for name, info in tensors.items()}


def _spec(info: Any) -> TensorSpec:
  dtype, shape = tf.as_dtype(info.dtype), tf.TensorShape(info.tensor_shape)
  return TensorSpec(
    dtype=dtype.name,
    numpy_dtype=np.dtype(dtype.as_numpy_dtype),
    shape=None if shape.rank is None else tuple(shape.as_list()),
  )


def _strings(name: str, value: Array | Sequence[Any]) -> Array:
  # Only an array of objects keeps bytes as they are: numpy's own strings lose trailing zero bytes.
  given = np.array(value, dtype=object)
  array = np.empty(given.shape, dtype=object)
  for index in np.ndindex(given.shape):
    item = given[index]
    if isinstance(item, str):
      item = item.encode("utf-8")
    if not isinstance(item, bytes):
      raise InvalidArgument(
        f"Input {name!r} must hold strings. Received: {type(item).__name__} at "
        f"{list(index)}{_RAGGED if isinstance(item, (list, tuple)) else ''}."
      )
    array[index] = item
  return array


def _numbers(name: str, value: Array | Sequence[Any], spec: TensorSpec) -> Array:
  try:
    array = np.array(value)
  except (ValueError, OverflowError) as err:
    raise InvalidArgument(f"Input {name!r} cannot be read as an array{_RAGGED}.") from err
  if not array.size:
    return array.astype(spec.numpy_dtype)  # an empty list has no type of its own
  converted = _converted(array, spec.numpy_dtype)
  if converted is None:
    raise InvalidArgument(
      f"Input {name!r} must be of type {spec.dtype}. Received: {array.dtype}"
      f"{' with values out of range' if _same_family(array.dtype, spec.numpy_dtype) else ''}."
    )
  return converted


def _converted(array: Array, wanted: np.dtype[Any]) -> Array | None:
  """Converts an array to a type; None if the kind does not fit or a value is out of range."""
  if not np.can_cast(array.dtype, wanted, casting="same_kind") and not (
    array.dtype.kind == "i" and wanted.kind == "u"
  ):
    return None
  if array.dtype.kind == "b" and wanted.kind != "b":
    return None
  with np.errstate(over="ignore"):
    result = array.astype(wanted)
  changed = not np.array_equal(
    *((result, array) if wanted.kind in "iu" else (np.isinf(result), np.isinf(array)))
  )
  return None if changed else result


def _same_family(one: np.dtype[Any], other: np.dtype[Any]) -> bool:
  return any({one.kind, other.kind} <= set(kinds) for kinds in ("iu", "f"))
