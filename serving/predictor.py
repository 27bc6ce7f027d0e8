"""`Predictor`: what every protocol calls. Knows arrays and models, neither HTTP nor gRPC.

Names, types and shapes are checked against the signature before the model runs, so that a caller
reads what was expected and what was received instead of an error from inside a graph.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from serving.errors import FailedPrecondition, InvalidArgument
from serving.model_store import Array, ModelStore, Signature, TensorSpec

SERVING_DEFAULT = "serving_default"


class Predictor:
  """Predictions and metadata of one model."""

  def __init__(self, store: ModelStore):
    """Args: the store to take versions from."""
    self._store = store

  def predict(
    self,
    inputs: Mapping[str, Array | Sequence[Any]],
    signature: str = SERVING_DEFAULT,
    version: int | None = None,
  ) -> dict[str, Array]:
    """Runs a signature.

    Args:
      inputs: input name to values, all rows at once. An array must have exactly the signature's
        type; nested lists are converted where nothing is lost (whole numbers to floats, str to
        UTF-8 bytes).
      signature: the signature's name.
      version: the model's version; None takes the newest.

    Returns:
      Output name to array; strings are bytes in an array of dtype `object`.

    Raises:
      NotFound: there is no such version.
      FailedPrecondition: the model has no such signature.
      InvalidArgument: a name, type or shape does not fit, or the graph refuses the values.
      Internal: the model cannot be loaded or failed.
    """
    model = self._store.get(version)
    wanted = _signature(model.signatures, signature).inputs
    if set(inputs) != set(wanted):
      raise InvalidArgument(
        f"Signature {signature!r} takes the inputs {sorted(wanted)}. Received: {sorted(inputs)}."
      )
    return model.run(
      signature, {name: _as_array(name, inputs[name], spec) for name, spec in wanted.items()}
    )

  def metadata(self, version: int | None = None) -> dict[str, Any]:
    """What the model takes and gives, as plain values.

    Returns:
      `{"version": n, "signatures": {name: {"inputs"|"outputs": {name: {"dtype": "float32",
      "shape": [None, 3]}}}}}`; the shape is None where the rank is open.

    Raises:
      NotFound: there is no such version.
      Internal: it cannot be loaded.
    """
    model = self._store.get(version)
    return {
      "version": model.version,
      "signatures": {
        name: {"inputs": _plain(signature.inputs), "outputs": _plain(signature.outputs)}
        for name, signature in sorted(model.signatures.items())
      },
    }


def _signature(known: Mapping[str, Signature], name: str) -> Signature:
  if name not in known:
    # The first sentence is TensorFlow Serving's own; callers match it.
    raise FailedPrecondition(
      f'Serving signature key "{name}" not found. The model has: {", ".join(sorted(known))}.'
    )
  return known[name]


def _plain(specs: Mapping[str, TensorSpec]) -> dict[str, Any]:
  return {
    name: {"dtype": spec.dtype, "shape": None if spec.shape is None else list(spec.shape)}
    for name, spec in sorted(specs.items())
  }


def _as_array(name: str, value: Array | Sequence[Any], spec: TensorSpec) -> Array:
  convert = _as_strings if spec.dtype == "string" else _as_numbers
  array = convert(name, value, spec)
  if spec.shape is not None:
    fits = len(array.shape) == len(spec.shape) and all(
      wanted is None or wanted == size for wanted, size in zip(spec.shape, array.shape, strict=True)
    )
    if not fits:
      raise InvalidArgument(
        f"Input {name!r} must have the shape {_shown(spec.shape)}. Received: {_shown(array.shape)}."
      )
  return array


def _as_strings(name: str, value: Array | Sequence[Any], spec: TensorSpec) -> Array:
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


def _as_numbers(name: str, value: Array | Sequence[Any], spec: TensorSpec) -> Array:
  if isinstance(value, np.ndarray):
    if value.dtype != spec.numpy_dtype:
      raise InvalidArgument(
        f"Input {name!r} must be of type {spec.dtype}. Received: {value.dtype}."
      )
    return value
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
  """The array in another type; None where the kind does not fit or a value is out of range."""
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


def _shown(shape: Sequence[int | None]) -> str:
  return "[" + ", ".join("?" if size is None else str(size) for size in shape) + "]"


_RAGGED = " (do all rows have the same length?)"
