"""Names the files that examples came from, where an example is a file of its own.

An example does not carry its origin, so files of the same size are read and compared. Imports only
the standard library.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

_MAX_FILES = 500_000


def find(data_path: str, values: Mapping[int, bytes]) -> dict[int, str]:
  """Paths, relative to the input's folder, of files that hold exactly these bytes.

  Args:
    data_path: the input.
    values: the examples' raw inputs by number.

  Returns:
    Paths by number. Of examples that are equal to each other, each gets a path of its own, as long
    as there are files; where none holds those bytes, the number is missing.
  """
  if not os.path.isdir(data_path):
    return {}
  sizes = {len(value) for value in values.values()}
  paths: dict[bytes, list[str]] = {value: [] for value in values.values()}
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
  for number, value in values.items():
    if paths[value]:
      found[number] = paths[value].pop(0)
  return found


def _files(root: str) -> Iterator[str]:
  count = 0
  for folder, folders, names in os.walk(root):
    folders.sort()
    for name in sorted(names):
      count += 1
      if count > _MAX_FILES:
        return
      yield os.path.join(folder, name)
