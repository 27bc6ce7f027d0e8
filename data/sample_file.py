"""Writes a generated sample file or folder once, atomically, and identically on every machine."""

from __future__ import annotations

import os
import pathlib
import shutil
import tempfile
from collections.abc import Callable
from typing import TextIO

# 1 November 2026. A fixed time gives a file the same fingerprint on every machine, and after the
# file was deleted and written again.
_MODIFIED_S = 1_793_491_200


def write_once(target: str, write: Callable[[TextIO], object]) -> str:
  """Writes the text file `target` if it does not exist.

  Args:
    target: path of the file; it is created complete or not at all.
    write: writes the content; it is stored as UTF-8 with unchanged line ends.

  Returns:
    `target`.

  Raises:
    OSError: the file cannot be written.
  """
  if os.path.isfile(target):
    return target
  parent = os.path.dirname(os.path.abspath(target))
  os.makedirs(parent, exist_ok=True)
  handle, partial = tempfile.mkstemp(prefix=".sample-", dir=parent)
  try:
    with open(handle, "w", encoding="utf-8", newline="") as file:
      write(file)
    os.chmod(partial, 0o644)
    os.utime(partial, (_MODIFIED_S, _MODIFIED_S))
    os.replace(partial, target)
  except BaseException:
    os.unlink(partial)
    raise
  return target


def write_folder_once(
  target: str, write: Callable[[pathlib.Path], object], *, modified_s: int = _MODIFIED_S
) -> str:
  """Writes the folder `target` if it does not exist.

  Args:
    target: path of the folder; it is created complete or not at all.
    write: called with a folder; writes the files below it.
    modified_s: modification time of every file, in seconds since the epoch.

  Returns:
    `target`.

  Raises:
    OSError: the folder cannot be written.
  """
  if os.path.isdir(target):
    return target
  parent = os.path.dirname(os.path.abspath(target))
  os.makedirs(parent, exist_ok=True)
  partial = pathlib.Path(tempfile.mkdtemp(prefix=".sample-", dir=parent))
  try:
    write(partial)
    for file in partial.rglob("*"):
      os.utime(file, (modified_s, modified_s))
    partial.chmod(0o755)
    try:
      partial.rename(target)
    except OSError:
      # Another process was first; its folder is complete, because a rename is atomic.
      if not os.path.isdir(target):
        raise
  finally:
    shutil.rmtree(partial, ignore_errors=True)
  return target
