"""What a server says of a model."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping


@dataclasses.dataclass(frozen=True)
class TensorInfo:
  """One input or output of a signature.

  Attributes:
    dtype: TensorFlow's name, such as `float32` or `string`.
    shape: None for a dimension of any size; None as a whole for any rank.
  """

  dtype: str
  shape: tuple[int | None, ...] | None


@dataclasses.dataclass(frozen=True)
class Signature:
  """One way to call a model.

  Attributes:
    inputs: by name.
    outputs: by name.
    method_name: such as `tensorflow/serving/predict`.
  """

  inputs: Mapping[str, TensorInfo]
  outputs: Mapping[str, TensorInfo]
  method_name: str


@dataclasses.dataclass(frozen=True)
class ModelMetadata:
  """A version of a model and its signatures by name."""

  name: str
  version: int
  signatures: Mapping[str, Signature]


@dataclasses.dataclass(frozen=True)
class VersionStatus:
  """What became of a version.

  Attributes:
    version: its number.
    state: START, LOADING, AVAILABLE, UNLOADING or END.
    error_code: OK, or why it could not be loaded.
    error_message: "" where it is OK.
  """

  version: int
  state: str
  error_code: str
  error_message: str


@dataclasses.dataclass(frozen=True)
class ModelSpec:
  """Which model a call is for; neither version nor label is the newest version."""

  name: str
  version: int | None = None
  label: str | None = None
  signature_name: str = ""
