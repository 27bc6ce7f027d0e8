"""Names where examples came from: the file that an example is, or the row of a file.

An example does not carry its origin. Files of the same size are read and compared; for rows, the
source is read again until the few that a finding shows are met. Imports nothing heavy.
"""

from __future__ import annotations

import itertools
import os
import pathlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from dlpipe.records import SPLIT_NAMES, TRAIN, VAL, Record, Rejected
from pipeline.checks.description import Row, label_bytes

_MAX_FILES = 500_000
_MAX_RECORDS = 1_000_000  # some ten seconds of texts


def files(data_path: str, rows: Mapping[int, Row]) -> dict[int, str]:
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
  for path in _walked(data_path):
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


def _walked(root: str) -> Iterator[str]:
  count = 0
  for folder, folders, names in os.walk(root):
    folders.sort()
    for name in sorted(names):
      count += 1
      if count > _MAX_FILES:
        return
      yield os.path.join(folder, name)


def rows_of(
  records: Iterable[Record | Rejected],
  rows: Mapping[int, Row],
  *,
  input_key: str,
  label_key: str,
) -> dict[int, str]:
  """Where examples stand in the input, such as `reviews.csv, row 7`, by number.

  Equal examples get an origin each, as long as there are records, and where the input draws splits,
  one of their split.

  Args:
    records: what the source reads; it is read only as far as is needed, a million at most.
    rows: examples by number.
    input_key: the raw feature that a caller sends.
    label_key: the raw feature to predict.
  """
  waiting: dict[tuple[bytes, bytes], list[int]] = {}
  for number, row in rows.items():
    waiting.setdefault((row.value, row.label), []).append(number)
  found: dict[int, str] = {}
  for record, _ in zip(records if rows else (), range(_MAX_RECORDS), strict=False):
    if isinstance(record, Rejected):
      continue
    numbers = waiting.get((_bytes(record, input_key), _bytes(record, label_key)), ())
    fitting = (n for n in numbers if n not in found and _fits(record.split, rows[n]))
    for number in itertools.islice(fitting, 1):
      found[number] = record.origin
    if len(found) == len(rows):
      break
  return found


def _fits(split: str | None, row: Row) -> bool:
  return split in (None, row.split) or (split == TRAIN and row.split == VAL)


def _bytes(record: Record, key: str) -> bytes:
  """A feature as `read_examples` gives it back."""
  value: Any = record.features.get(key, b"")
  return label_bytes(value if isinstance(value, (list, tuple)) else [value])
