"""`ArtifactFile`: a dataclass that a component keeps as a JSON file in an artifact's directory.

Who writes the file and who reads it use the same class, so no key of it is typed twice. Imports
only the standard library, and pydantic when a file is read.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar

_File = TypeVar("_File", bound="ArtifactFile")


class ArtifactFile:
  """Base of a dataclass whose fields are the keys of a JSON file.

  A file of another release is read as far as it goes: an unknown key is ignored, and a missing one
  has the field's default.
  """

  FILE: ClassVar[str]

  def to_json(self) -> dict[str, Any]:
    """Returns the content of the file."""
    return dataclasses.asdict(self)  # type: ignore[call-overload]

  def to_text(self, *, allow_nan: bool = True) -> str:
    """Returns the file, as a component writes it.

    Args:
      allow_nan: whether numbers may be NaN or infinite, which JSON proper does not have.

    Raises:
      ValueError: one is, and may not.
    """
    return json.dumps(self.to_json(), indent=2, allow_nan=allow_nan)

  @classmethod
  def from_json(cls: type[_File], document: Mapping[str, Any]) -> _File:
    """Returns the value that `to_json` wrote.

    Raises:
      ValueError: a value is of another type, or a field without a default is missing.
    """
    import pydantic

    return pydantic.TypeAdapter(cls).validate_python(document)

  @classmethod
  def from_text(cls: type[_File], text: str) -> _File:
    """Returns the value in a file.

    Raises:
      ValueError: as `from_json`, or the text is no JSON.
    """
    return cls.from_json(json.loads(text))

  @classmethod
  def read(
    cls: type[_File], directory: pathlib.Path | None, name: str | None = None
  ) -> _File | None:
    """Returns the value in an artifact's directory; None if a node did not run, or failed and left no file.

    Args:
      directory: the artifact's; None for a node that did not run.
      name: the file, if it is not `FILE`.

    Raises:
      ValueError: the file is damaged.
    """
    if directory is None:
      return None
    path = directory / (name or cls.FILE)
    return cls.from_text(path.read_text(encoding="utf-8")) if path.exists() else None
