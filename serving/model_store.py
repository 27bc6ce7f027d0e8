"""Finds the versions below a TensorFlow Serving base path and loads them when they are asked for.

For callers in this process, who want a prediction and no server. Models are loaded and run by the
server's own `sessions`.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
import threading
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from serving.errors import Internal, NotFound, ServingError, error_of_code
from serving.sessions import SavedModelSession
from serving.versions import find_versions

Array = np.ndarray[Any, np.dtype[Any]]

_MODEL_FILE = "saved_model.pb"
_INIT_OP = "__saved_model_init_op"
# Where in the graph something failed, which tells a caller nothing.
_GRAPH_NOISE = ("Graph execution error", "[[{{")


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
      self._session = SavedModelSession(path)
    except ServingError as err:
      raise Internal(f"Version {version} in {path.parent} cannot be loaded: {err}") from err
    self.signatures: Mapping[str, Signature] = {
      name: Signature(inputs=_specs(definition.inputs), outputs=_specs(definition.outputs))
      for name, definition in self._session.signatures.items()
      if name != _INIT_OP
    }

  def run(self, signature: str, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """Runs a signature of `signatures` on inputs that fit it.

    Raises:
      ServingError: the graph refused the values, or failed; of the class its status asks for.
    """
    definition = self._session.signatures[signature]
    feeds = {definition.inputs[name].name: value for name, value in inputs.items()}
    fetches = {name: tensor.name for name, tensor in definition.outputs.items()}
    try:
      values = self._session.run(feeds, list(fetches.values()))
    except ServingError as err:
      raise error_of_code(err.grpc_code, _without_noise(err.message)) from err
    return dict(zip(fetches, values, strict=True))


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
      number: path
      for number, path in find_versions(self.base_path).items()
      if (path / _MODEL_FILE).is_file()
    }


def _specs(tensors: Mapping[str, Any]) -> dict[str, TensorSpec]:
  return {name: _spec(info) for name, info in tensors.items()}


def _spec(info: Any) -> TensorSpec:
  dtype, shape = tf.as_dtype(info.dtype), tf.TensorShape(info.tensor_shape)
  return TensorSpec(
    dtype=dtype.name,
    numpy_dtype=np.dtype(dtype.as_numpy_dtype),
    shape=None if shape.rank is None else tuple(shape.as_list()),
  )


def _without_noise(message: str) -> str:
  lines = [line.strip() for line in message.splitlines()]
  return " ".join(line for line in lines if line and not line.startswith(_GRAPH_NOISE)) or message
