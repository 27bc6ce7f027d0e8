"""How much of the disk a task's folder takes, part by part. Imports no framework."""

from __future__ import annotations

import os
import stat
from typing import NamedTuple

from dlpipe.workspace import TaskFolder


def of(path: str | os.PathLike[str]) -> int:
  """Returns the bytes of a file, or of all files below a folder; links are not followed.

  A file with several names counts for each by its share: the examples of a window are those that
  are kept of its spans.
  """
  try:
    found = os.lstat(path)
  except OSError:
    return 0
  if not stat.S_ISDIR(found.st_mode):
    return _share(found)
  total = 0
  try:
    with os.scandir(path) as entries:
      for entry in entries:
        try:
          is_folder = entry.is_dir(follow_symlinks=False)
          total += of(entry.path) if is_folder else _share(entry.stat(follow_symlinks=False))
        except OSError:  # deleted meanwhile
          continue
  except OSError:
    return total
  return total


class Linked(NamedTuple):
  """A file with several names: its bytes, how many names it has, and how many of them are here."""

  size: int
  names: int
  here: int


def measured(path: str | os.PathLike[str]) -> tuple[int, dict[tuple[int, int], Linked]]:
  """Returns the bytes of a path's files with one name, and all others by device and number."""
  alone, linked = 0, dict[tuple[int, int], Linked]()
  folders = () if os.path.islink(path) else os.walk(path)
  for file in (path, *(os.path.join(at, name) for at, _, names in folders for name in names)):
    try:
      found = os.lstat(file)
    except OSError:  # deleted meanwhile
      continue
    if stat.S_ISDIR(found.st_mode):
      continue
    if found.st_nlink < 2:
      alone += found.st_size
    else:
      before = linked.get((found.st_dev, found.st_ino))
      here = 1 + (before.here if before is not None else 0)
      linked[found.st_dev, found.st_ino] = Linked(found.st_size, found.st_nlink, here)
  return alone, linked


def _share(found: os.stat_result) -> int:
  return found.st_size // max(found.st_nlink, 1)


def changed(path: str | os.PathLike[str]) -> float:
  """Returns when the newest file of a path was written, in seconds since 1970; 0.0 without one."""
  newest = 0.0
  for name in [path, *(os.path.join(at, n) for at, _, names in os.walk(path) for n in names)]:
    try:
      newest = max(newest, os.lstat(name).st_mtime)
    except OSError:
      continue
  return newest


def by_part(folder: TaskFolder) -> dict[str, int]:
  """Returns the bytes of all that takes any in a task's folder, the largest first."""
  root = folder.root
  parts = {name: of(root / name) for name in (os.listdir(root) if root.is_dir() else ())}
  order = sorted(parts.items(), key=lambda part: (-part[1], part[0]))
  return {name: size for name, size in order if size}
