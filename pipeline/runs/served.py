"""Reads a served directory: which version is served, since when, and who put it there.

Reads no metadata store; callers add what it knows of the runs. Imports neither
TensorFlow nor TFX.
"""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any

from components.versioned_pusher.version_folders import (
  content_digest,
  list_versions,
  turn,
  version_record,
)
from dlpipe.workspace import MODEL_FILE

PUSHED, ROLLED_BACK, UNKNOWN = "pushed", "rolled_back", "unknown"
WHOLE, CHANGED, DAMAGED = "whole", "changed", "damaged"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Version:
  """One version of a model.

  Attributes:
    version: its number.
    since: when it was published, ISO 8601 in UTC; None if dlpipe did not put it there.
    how: pushed, rolled_back, or unknown if dlpipe did not put it there.
    rollback_of: the version that a rollback repeats.
    first_version: the number under which the same model was first published.
    was_live: whether it was served to who names no version; false of a canary.
    files: whole as they were published; changed since; damaged, which no server can load; unknown
      if no record has their digest.
  """

  version: int
  since: str | None
  how: str
  rollback_of: int | None
  first_version: int
  was_live: bool
  files: str

  def to_json(self) -> dict[str, Any]:
    """Returns the object `--json` prints."""
    return dataclasses.asdict(self)


def versions(serving_dir: pathlib.Path) -> list[Version]:
  """Returns all versions, the newest first; that is the one that a model server takes."""
  return [_version(serving_dir, number) for number in reversed(list_versions(serving_dir))]


def _version(serving_dir: pathlib.Path, number: int) -> Version:
  record = version_record(serving_dir, number)
  rollback_of = record.get("rollback_of")
  how = ROLLED_BACK if rollback_of is not None else PUSHED if "pushed_from" in record else UNKNOWN
  return Version(
    version=number,
    since=record.get("published_at"),
    how=how,
    rollback_of=rollback_of,
    first_version=record.get("first_version", number),
    was_live=turn(record, number) > 0,
    files=_files(serving_dir / str(number), record.get("sha256")),
  )


def _files(directory: pathlib.Path, digest: str | None) -> str:
  try:
    if not (directory / MODEL_FILE).is_file():
      return DAMAGED
    if digest is None:
      return UNKNOWN
    return WHOLE if content_digest(directory) == digest else CHANGED
  except OSError:  # a disk that fails, files that may not be read
    return DAMAGED
