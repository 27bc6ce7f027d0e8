"""`ArtifactFile`: a dataclass that a component stores as a JSON file in an artifact's directory.

Writer and reader of the file share the class, so every key is defined once. Imports only the
standard library, and pydantic when a file is read.
"""

from __future__ import annotations

import dataclasses
import json
import math
import pathlib
from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar

_File = TypeVar("_File", bound="ArtifactFile")


class ArtifactFile:
  """Base of a dataclass whose fields are the keys of a JSON file.

  A file of another release can be read: an unknown key is ignored, and a missing key gets the
  default of its field.
  """

  FILE: ClassVar[str]
  __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]  # of each subclass

  def to_json(self) -> dict[str, Any]:
    """Returns the content of the file as a JSON object."""
    return dataclasses.asdict(self)

  def to_text(self, *, allow_nan: bool = True) -> str:
    """Returns the text of the file.

    Args:
      allow_nan: whether numbers may be NaN or infinite, which standard JSON excludes.

    Raises:
      ValueError: a number is NaN or infinite, and `allow_nan` is false.
    """
    return json.dumps(self.to_json(), indent=2, allow_nan=allow_nan)

  @classmethod
  def from_json(cls: type[_File], document: Mapping[str, Any]) -> _File:
    """Creates an object from the result of `to_json`.

    Raises:
      ValueError: a value has the wrong type, or a field without a default is missing.
    """
    import pydantic

    return pydantic.TypeAdapter(cls).validate_python(document)

  @classmethod
  def from_text(cls: type[_File], text: str) -> _File:
    """Creates an object from the text of a file.

    Raises:
      ValueError: as `from_json`, or the text is not JSON.
    """
    return cls.from_json(json.loads(text))

  @classmethod
  def read(
    cls: type[_File], directory: pathlib.Path | None, name: str | None = None
  ) -> _File | None:
    """Reads the file in an artifact's directory; returns None if the node left no file.

    Args:
      directory: directory of the artifact; None if the node did not run.
      name: name of the file; `FILE` by default.

    Raises:
      ValueError: the file is damaged.
    """
    if directory is None:
      return None
    path = directory / (name or cls.FILE)
    return cls.from_text(path.read_text(encoding="utf-8")) if path.exists() else None


def finite(value: Any) -> Any:
  """Returns a JSON value with None for each number that standard JSON excludes.

  >>> finite({"worst_recall": float("nan"), "scores": (0.5, float("inf"))})
  {'worst_recall': None, 'scores': [0.5, None]}
  """
  if isinstance(value, dict):
    return {key: finite(item) for key, item in value.items()}
  if isinstance(value, (list, tuple)):
    return [finite(item) for item in value]
  return None if isinstance(value, float) and not math.isfinite(value) else value


def decoded(value: Any) -> Any:
  """Returns a value, or nested lists of values, with text for bytes, which JSON does not have.

  >>> decoded([[b"caf\\xc3\\xa9", 0.5], b"\\xff"])
  [['café', 0.5], '�']
  """
  if isinstance(value, list):
    return [decoded(item) for item in value]
  return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
