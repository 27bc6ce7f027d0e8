"""Who is at work in a task's folder: locks of the kernel's, which die with their process."""

from __future__ import annotations

import contextlib
import fcntl
import pathlib
import time
import urllib.parse
from collections.abc import Iterator
from typing import TextIO

from dlpipe.disk import file_locks
from dlpipe.errors import BusyError
from dlpipe.workspace import TaskFolder, running

# Who only looks whether somebody is at work holds the lock for a moment.
_PATIENCE_S = 1.0


@contextlib.contextmanager
def alone(folder: TaskFolder, run_id: str) -> Iterator[None]:
  """Holds the folder of a task for a run; the lock's file says which.

  Raises:
    BusyError: another run is at work there.
  """
  folder.root.mkdir(parents=True, exist_ok=True)
  path = folder.lock
  with path.open("a+", encoding="utf-8") as file:
    if not take(file):
      file.seek(0)
      raise BusyError(
        f"Another run is at work in {str(folder.root)!r}: "
        f"{file.read().strip() or 'of unknown name'}, "
        f"{file_locks.holders(path)}. Run again when it is done, or choose another --workspace."
      )
    file.truncate(0)
    file.write(f"{run_id}\n")
    file.flush()
    yield


def take(file: TextIO) -> bool:
  """Takes a file's lock; returns whether it is free."""
  started = time.monotonic()
  while True:
    try:
      fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
      return True
    except BlockingIOError:
      if time.monotonic() - started > _PATIENCE_S:
        return False
      time.sleep(0.05)


def node_file(artifacts: pathlib.Path, run_id: str, node_id: str) -> pathlib.Path:
  """Returns the file that a node of a run locks while it is at work; its folder is made."""
  folder = running(artifacts)
  folder.mkdir(parents=True, exist_ok=True)
  return folder / urllib.parse.quote(f"{run_id} {node_id}", safe=" :+")


def run_ids(folder: TaskFolder) -> set[str]:
  """Returns the runs at work in a task's folder: a whole one, and those of an orchestrator."""
  found = set()
  if _is_held(folder.lock):
    found.add(folder.lock.read_text(encoding="utf-8").strip())
  for path in running(folder.artifacts).glob("*"):
    if _is_held(path):
      found.add(urllib.parse.unquote(path.name).rpartition(" ")[0])
  return found


def _is_held(path: pathlib.Path) -> bool:
  with contextlib.suppress(FileNotFoundError, PermissionError), path.open(encoding="utf-8") as file:
    try:
      fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
      return True
  return False
