"""Names the files that examples came from, where an example is a file of its own.

An example does not carry its origin, so files of the same size are read and compared. Imports
nothing heavy.
"""

from __future__ import annotations

import os
import pathlib
from collections.abc import Iterator, Mapping

from dlpipe.records import SPLIT_NAMES
from pipeline.checks.description import Row

_MAX_FILES = 500_000


def find(data_path: str, rows: Mapping[int, Row]) -> dict[int, str]:
  """Paths, relative to the input's folder, of files that hold exactly these inputs.

  Args:
    data_path: the input.
    rows: examples by number.

  Returns:
    Paths by number. Examples that are equal to each other get a path each, as long as there are
    files, and one whose folders are called as their label and split where there is such a one.
    Where no file holds the bytes, the number is missing.
  """
  if not os.path.isdir(data_path):
    return {}
  sizes = {len(row.value) for row in rows.values()}
  paths: dict[bytes, list[str]] = {row.value: [] for row in rows.values()}
  for path in _files(data_path):
    try:
      if os.path.getsize(path) in sizes:
        with open(path, "rb") as file:
          of_value = paths.get(file.read())
        if of_value is not None:
          of_value.append(os.path.relpath(path, data_path))
    except OSError:  # gone or closed meanwhile: then the example goes without a name
      continue
  found = {}
  for number, row in rows.items():
    if paths[row.value]:
      found[number] = _best(paths[row.value], row)
      paths[row.value].remove(found[number])
  return found


def _best(paths: list[str], row: Row) -> str:
  return max(paths, key=lambda path: _likeness(path, row))


def _likeness(path: str, row: Row) -> int:
  folders = pathlib.PurePath(path).parts[:-1]
  in_label = row.label.decode("utf-8", "replace") in folders
  return in_label + any(SPLIT_NAMES.get(folder.lower()) == row.split for folder in folders)


def _files(root: str) -> Iterator[str]:
  count = 0
  for folder, folders, names in os.walk(root):
    folders.sort()
    for name in sorted(names):
      count += 1
      if count > _MAX_FILES:
        return
      yield os.path.join(folder, name)
