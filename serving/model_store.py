"""Finds the versions below a TensorFlow Serving base path and loads them when they are asked for.

The only module here that imports TensorFlow: what loads and runs a SavedModel stands behind
`LoadedModel`, what is on the disk behind `ModelStore`.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
import re
import threading
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from serving.errors import Internal, NotFound, ServingError, error_of_code

Array = np.ndarray[Any, np.dtype[Any]]

_VERSION_NAME = re.compile(r"[0-9]+")
_MODEL_FILE = "saved_model.pb"
# TensorFlow numbers its errors as gRPC numbers its statuses.
_CODE_NAMES = {
  tf.errors.INVALID_ARGUMENT: "INVALID_ARGUMENT",
  # The runtime's word for an index or a range beyond the data, which came from the request.
  tf.errors.OUT_OF_RANGE: "INVALID_ARGUMENT",
  tf.errors.FAILED_PRECONDITION: "FAILED_PRECONDITION",
  tf.errors.NOT_FOUND: "NOT_FOUND",
  tf.errors.RESOURCE_EXHAUSTED: "RESOURCE_EXHAUSTED",
  tf.errors.UNIMPLEMENTED: "UNIMPLEMENTED",
  tf.errors.UNAVAILABLE: "UNAVAILABLE",
  tf.errors.DEADLINE_EXCEEDED: "DEADLINE_EXCEEDED",
}


# What TensorFlow says around the cause: where in the graph, never why.
_GRAPH_NOISE = ("Graph execution error", "Detected at node", "<stack traces", "[[{{", "(0)", "(1)")


@dataclasses.dataclass(frozen=True, kw_only=True)
class TensorSpec:
  """What a signature says of one input or output.

  Attributes:
    dtype: TensorFlow's name of the type, such as `string` or `float32`.
    numpy_dtype: the same for numpy; `object` for strings, whose elements are bytes.
    shape: None for a dimension of any size; None as a whole for any rank.
  """

  dtype: str
  numpy_dtype: np.dtype[Any]
  shape: tuple[int | None, ...] | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Signature:
  """Inputs and outputs by name."""

  inputs: Mapping[str, TensorSpec]
  outputs: Mapping[str, TensorSpec]


class LoadedModel:
  """One version in memory. Safe to run from several threads."""

  def __init__(self, path: pathlib.Path, version: int):
    """Loads the SavedModel.

    Raises:
      Internal: it cannot be loaded.
    """
    self.version = version
    try:
      # Functions hold their variables weakly: the loaded object must live as long as they run.
      self._loaded = tf.saved_model.load(os.fspath(path))
    except (OSError, ValueError, KeyError, tf.errors.OpError) as err:
      raise Internal(f"Version {version} in {path.parent} cannot be loaded: {err}") from err
    self._functions: Mapping[str, Callable[..., Any]] = dict(self._loaded.signatures)
    self.signatures: Mapping[str, Signature] = {
      name: Signature(
        inputs=_specs(function.structured_input_signature[1]),
        outputs=_specs(function.structured_outputs),
      )
      for name, function in self._loaded.signatures.items()
    }

  def run(self, signature: str, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """Runs a signature of `signatures` on inputs that fit it.

    Raises:
      ServingError: the graph refused the values, or failed; of the class its status asks for.
    """
    tensors = {name: tf.constant(value) for name, value in inputs.items()}
    try:
      outputs = self._functions[signature](**tensors)
    except tf.errors.OpError as err:
      raise _translated(err) from err
    return {name: np.asarray(tensor.numpy()) for name, tensor in outputs.items()}


class ModelStore:
  """The versions of one model.

  What is on the disk is looked up at each request, so a version that appears is served from then on
  and one that was asked for by number is found however old it is. Loaded versions stay loaded.
  """

  def __init__(self, base_path: str | os.PathLike[str]):
    """Looks at nothing yet: the directory may be filled later.

    Args:
      base_path: the directory whose children named by a number are versions.
    """
    self.base_path = pathlib.Path(base_path)
    self._loaded: dict[int, LoadedModel] = {}
    self._loading = threading.Lock()

  def versions(self) -> list[int]:
    """Numbers of the versions on the disk, ascending."""
    return sorted(self._paths())

  def get(self, version: int | None = None) -> LoadedModel:
    """A version, loaded when it is first asked for.

    Args:
      version: its number; None takes the largest.

    Raises:
      NotFound: there is no such version, or none at all.
      Internal: it cannot be loaded.
    """
    paths = self._paths()
    if not paths:
      raise NotFound(f"No version of a model in {self.base_path}.")
    number = max(paths) if version is None else version
    if number not in paths:
      raise NotFound(
        f"No version {number} in {self.base_path}. Versions: {', '.join(map(str, sorted(paths)))}."
      )
    # Only a request for a version that is not loaded waits, lest a new one stop the old from
    # answering; the lock is there because two such requests must not load it twice.
    if number not in self._loaded:
      with self._loading:
        if number not in self._loaded:
          self._loaded[number] = LoadedModel(paths[number], number)
    return self._loaded[number]

  def _paths(self) -> dict[int, pathlib.Path]:
    if not self.base_path.is_dir():
      return {}
    return {
      int(child.name): child
      for child in self.base_path.iterdir()
      if _VERSION_NAME.fullmatch(child.name) and (child / _MODEL_FILE).is_file()
    }


def _specs(tensors: Mapping[str, Any]) -> dict[str, TensorSpec]:
  return {
    name: TensorSpec(
      dtype=spec.dtype.name,
      numpy_dtype=np.dtype(spec.dtype.as_numpy_dtype),
      shape=None if spec.shape.rank is None else tuple(spec.shape.as_list()),
    )
    for name, spec in tensors.items()
  }


def _translated(error: Any) -> ServingError:
  """Our error for one of TensorFlow's, without its account of graph nodes."""
  lines = [line.strip() for line in str(error.message).splitlines()]
  told = [line for line in lines if line and not line.startswith(_GRAPH_NOISE)]
  name = _CODE_NAMES.get(error.error_code, "INTERNAL")
  return error_of_code(name, " ".join(told) or str(error.message))
