"""Copies what is live to a store, from which servers elsewhere take the largest number, too.

Where it is copied to stands with the labels and pins, as the last run said: promoting and rolling
back change what is live without a run.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator

from components.versioned_pusher import stages
from components.versioned_pusher.version_folders import (
  RECORD_FILE,
  content_digest,
  is_damaged,
  list_versions,
  version_record,
)
from dlpipe.errors import BadInputError, DlpipeError
from dlpipe.remote import publishing
from dlpipe.workspace import TaskFolder, Workspace

_WAY_OUT = "Give push.copy_to a folder of its own for each workspace."


def remember(folder: TaskFolder, address: str | None) -> None:
  """Keeps where what is live is to be copied, for whoever changes it later; None for nowhere."""
  if stages.read(folder).copy_to != address:
    with stages.edited(folder) as found:
      found.copy_to = address


def copy_live(folder: TaskFolder) -> str | None:
  """Copies what is live, unless it is there; returns its address in the store.

  Returns:
    None if nothing is to be copied, nothing is live, or what is live is damaged.

  Raises:
    BadInputError: the store refuses these credentials; or it holds another model under this number,
      or a larger number, which its servers would go on serving.
    DlpipeError: the connection was lost; trying again copies it.
  """
  place = _place(folder)
  if place is None:
    return None
  base, number = place
  address, version = f"{base}/{number}", folder.serving / str(number)
  with _told_what_is_live(folder, number):
    there = publishing.uploaded(address, RECORD_FILE)
    newest = max(_numbers(publishing.folders(base)), default=number)
  if newest > number:
    raise BadInputError(
      f"{base} holds version {newest}, and version {number} is live here: servers would go on with "
      f"theirs. {_WAY_OUT}"
    )
  if there is None:
    with _told_what_is_live(folder, number):
      publishing.publish(version, address)
  elif _digest(there) != _own_digest(folder, number):
    raise BadInputError(
      f"{address} holds another model than version {number} here, and servers that have it would "
      f"not take this one under the same number. {_WAY_OUT}"
    )
  return address


def is_missing(folder: TaskFolder) -> bool:
  """Returns whether what is live should be in a store, and is not there.

  Raises:
    BadInputError, DlpipeError: the store cannot be read.
  """
  place = _place(folder)
  return place is not None and publishing.uploaded(f"{place[0]}/{place[1]}", RECORD_FILE) is None


def _place(folder: TaskFolder) -> tuple[str, int] | None:
  """Returns the store's address, and the number of what is live and whole."""
  base = stages.read(folder).copy_to
  number = max(list_versions(folder.serving), default=None)
  if base is None or number is None or is_damaged(folder.serving, number):
    return None
  return base.rstrip("/"), number


@contextlib.contextmanager
def _told_what_is_live(folder: TaskFolder, number: int) -> Iterator[None]:
  """Lets a failure of the store say what has changed nevertheless, and what copies it later."""
  try:
    yield
  except DlpipeError as err:
    place = Workspace(folder.root.parent).option
    raise type(err)(
      f"Version {number} is live in {folder.serving}, and is not in the store yet: {err}\n"
      f"To copy it: dlpipe promote {folder.task} {number}{place}"
    ) from err


def _numbers(names: Iterable[str]) -> list[int]:
  return [int(name) for name in names if name.isascii() and name.isdigit()]


def _own_digest(folder: TaskFolder, number: int) -> str:
  recorded = version_record(folder.serving, number).get("sha256")
  return recorded or content_digest(folder.serving / str(number))


def _digest(record: bytes) -> str | None:
  try:
    found = json.loads(record)
  except ValueError:
    return None
  return found.get("sha256") if isinstance(found, dict) else None
