"""Finds where examples came from: the file that holds the input, or the row of a file.

An example does not carry its origin. Files of the same size are read and compared; for rows, the
source is read again until the few rows that a finding shows are found. Imports nothing heavy.
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
  """Finds the files that hold exactly these inputs.

  Args:
    data_path: the run's input.
    rows: examples by number.

  Returns:
    Paths relative to the input's folder, by the example's number. Equal examples get different
    paths while there are files enough; a path whose folders name the example's label and split is
    preferred. If no file holds an example's bytes, its number is missing.
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
    except OSError:  # deleted or made unreadable meanwhile: the example gets no path
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
  """Finds the rows of the input that examples came from, such as `reviews.csv, row 7`.

  Equal examples get different rows while there are rows enough. If the input has splits, an example
  gets a row of its split; an example of val may also get a row of train.

  Args:
    records: the source's records; read only as far as needed, a million at most.
    rows: examples by number.
    input_key: the raw feature that a caller sends.
    label_key: the raw feature to predict.

  Returns:
    Origins by the example's number.
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
  """Returns a feature in the form in which `read_examples` yields it."""
  value: Any = record.features.get(key, b"")
  return label_bytes(value if isinstance(value, (list, tuple)) else [value])
