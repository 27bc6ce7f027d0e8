"""Compares the files in a workspace with the records about them, for `dlpipe doctor`.

Changes nothing. Imports neither TensorFlow, TFX nor ml-metadata; reads one table of ml-metadata's
store with SQLite.
"""

from __future__ import annotations

import contextlib
import pathlib
import sqlite3
import tempfile
import urllib.parse
import zipfile
import zlib
from collections.abc import Iterator

from components.versioned_pusher.repair import repair_of
from components.versioned_pusher.version_folders import (
  is_damaged,
  leftovers,
  list_versions,
)
from dlpipe.workspace import TaskFolder, Workspace
from pipeline.doctor.environment import Finding
from pipeline.runs.store.stored_paths import StoredPaths
from pipeline.training.files import SET_ASIDE_SUFFIX, STATE_FILE

_LIVE = 2  # ml-metadata's Artifact.State
_SHOWN = 3
_WAIT_S = 2.0


def look(workspace: str, *, place: str = "") -> list[Finding]:
  """Returns findings on every task's folder in a workspace; none if it does not exist yet.

  Args:
    workspace: path of the workspace.
    place: ` --workspace DIR` for the commands to copy; empty if it is the default.
  """
  found: list[Finding] = []
  for folder in Workspace.of(workspace).tasks():
    found += [*_served(folder, place), *_store(folder, place)]
    found += [*_checkpoints(folder), *_leftovers(folder)]
  return [*found, *_temporary()] if found else []


def _served(folder: TaskFolder, place: str) -> Iterator[Finding]:
  serving = folder.serving
  versions = list_versions(serving)
  if not versions:
    return
  name, newest = "served versions", versions[-1]
  damaged = [n for n in versions if is_damaged(serving, n)]
  if not damaged:
    found = f"{folder.task}: {len(versions)}, the newest {newest}, as they were published"
    yield Finding(name=name, state="ok", found=found)
    return
  said = (
    f"{folder.task}: damaged: {', '.join(map(str, damaged))}; their files are not those published"
  )
  if newest not in damaged:
    remedy = "Delete them when no server holds them; none can be rolled back to."
    yield Finding(name=name, state="warning", found=said, remedy=remedy)
    return
  commands = repair_of(serving).commands(folder.task, place)
  remedy = "; or: ".join(commands)
  if commands[0].startswith("dlpipe run"):
    remedy += ". A run with the data and settings of before publishes the model again"
  yield Finding(name=name, state="broken", found=said, remedy=f"{remedy}.")


def _store(folder: TaskFolder, place: str) -> Iterator[Finding]:
  name, path = "metadata store", folder.metadata
  if not path.exists():
    return
  address = f"file:{urllib.parse.quote(str(path.absolute()))}?mode=ro"
  try:
    with contextlib.closing(sqlite3.connect(address, uri=True, timeout=_WAIT_S)) as store:
      [[state]] = store.execute("PRAGMA quick_check(1)").fetchall()
      if state != "ok":
        raise sqlite3.DatabaseError(state)
      rows = store.execute("SELECT uri FROM Artifact WHERE state = ?", (_LIVE,)).fetchall()
  except sqlite3.Error as err:
    if "locked" in str(err):
      found = f"{path} is locked by another program"
      yield Finding(name=name, state="warning", found=found, remedy="Ask again when it is done.")
      return
    yield Finding(
      name=name,
      state="broken",
      found=f"{path} cannot be read: {err}",
      remedy="Move it away: the next run makes a new one; what is served stays.",
    )
    return
  yield Finding(name=name, state="ok", found=f"{path}, {len(rows):,} artifacts")
  uris = map(StoredPaths(folder.root).found, (uri for (uri,) in rows))
  gone = sorted(uri for uri in uris if uri.startswith("/") and not pathlib.Path(uri).exists())
  if gone:
    shown = ", ".join(gone[:_SHOWN]) + (", ..." if len(gone) > _SHOWN else "")
    yield Finding(
      name="artifacts",
      state="warning",
      found=f"{folder.task}: {len(gone):,} of {len(rows):,} are gone: {shown}",
      remedy=f"dlpipe run {folder.task}{place} makes again what it needs.",
    )


def _checkpoints(folder: TaskFolder) -> Iterator[Finding]:
  name = "checkpoints"
  for path in sorted(folder.checkpoints.glob(f"*/{STATE_FILE}")):
    if _is_readable(path):
      continue
    yield Finding(
      name=name,
      state="warning",
      found=f"{path} is damaged",
      remedy="Nothing to do: the next training sets it aside and begins anew.",
    )
  for path in sorted(folder.checkpoints.glob(f"*{SET_ASIDE_SUFFIX}")):
    found = f"{path} could not be used and was set aside"
    yield Finding(name=name, state="warning", found=found, remedy="Delete it; nothing reads it.")


def _is_readable(path: pathlib.Path) -> bool:
  try:
    with zipfile.ZipFile(path) as archive:
      return archive.testzip() is None
  except (OSError, EOFError, zipfile.BadZipFile, zlib.error):
    return False


def _leftovers(folder: TaskFolder) -> Iterator[Finding]:
  left = leftovers(folder.serving)
  if left:
    yield Finding(
      name="leftovers",
      state="warning",
      found=f"{', '.join(map(str, left[:_SHOWN]))}: of a push at work, or of one that was killed",
      remedy="Nothing to do: the next push or rollback clears it.",
    )


def _temporary() -> Iterator[Finding]:
  left = sorted(pathlib.Path(tempfile.gettempdir()).glob("dlpipe-gate-*"))
  if left:
    yield Finding(
      name="leftovers",
      state="warning",
      found=f"{', '.join(map(str, left[:_SHOWN]))}: of a ServingGate at work, or of a killed one",
      remedy="Nothing to do: the next ServingGate clears what nobody uses.",
    )
