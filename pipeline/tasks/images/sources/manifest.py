"""A CSV that names a picture and its label in each row; paths are relative to the CSV.

The options `path_column`, `label_column` and `split_column` name the columns.
"""

from __future__ import annotations

import collections
import csv
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from components.errors import BadInputError
from components.records import SPLIT_NAMES, Record, Rejected, SourcePlan
from pipeline.sources import given_splits, input_paths, sharding
from pipeline.sources.class_counts import names
from pipeline.sources.column_names import meant
from pipeline.tasks.images.sources import headers, pictures

DESCRIPTION = "a CSV with the columns path and label, paths relative to it"

_DEFAULTS = {"path_column": "path", "label_column": "label"}
_SUFFIXES = (".csv", ".tsv")
_SPLITS = {**SPLIT_NAMES, "": None}


def matches(path: str) -> bool:
  """Whether the path is a CSV, or a folder with exactly one CSV that has the usual columns."""
  try:
    file = _find(path)
    if file is None:
      return False
    return file == path or set(_DEFAULTS.values()) <= set(_columns(file))
  except (BadInputError, OSError):
    return False


def plan(path: str, options: Mapping[str, Any]) -> SourcePlan:
  """Reads the CSV and cuts it into shards; the pictures are not looked at.

  Raises:
    BadInputError: the file or a column is missing, a split is unknown, or there are fewer than two
      labels.
  """
  limit = pictures.max_pixels(options)
  file, rows = _rows(path, options)
  root = os.path.dirname(file)
  settled = given_splits.settle(split for _, _, split in rows)
  rows = [(name, label, settled[split] if split else None) for name, label, split in rows]
  _require_labels(rows, file)
  existing = [os.path.join(root, name) for name, _, _ in rows if name]
  return SourcePlan(
    shards=[
      {"root": root, "file": os.path.basename(file), "files": shard}
      for shard in sharding.split_files(rows, root)
    ],
    fingerprint=input_paths.fingerprint(root, [file, *existing], limit, _column_names(options)),
    given_splits=given_splits.given(settled),
    labels=tuple(sorted({label for _, label, _ in rows if label})),
  )


def read(shard: Mapping[str, Any], options: Mapping[str, Any]) -> Iterator[Record | Rejected]:
  """Reads the pictures of one shard."""
  limit = pictures.max_pixels(options)
  for name, label, split in shard["files"]:
    origin = f"{shard['file']}: {input_paths.printable(name)}"
    file = os.path.join(shard["root"], name)
    if not name:
      yield Rejected(origin=origin, reason="the row names no picture")
    elif not label:
      yield Rejected(origin=origin, reason="the row has no label", file=file)
    else:
      yield pictures.read_file(file, label=label, split=split, origin=origin, max_pixels=limit)


def sizes(path: str, options: Mapping[str, Any], count: int) -> Iterator[tuple[int, int]]:
  """Width and height of up to `count` pictures, in pixels."""
  file, rows = _rows(path, options)
  for name, _, _ in input_paths.spread([row for row in rows if row[0]], count):
    yield from headers.size_of_file(os.path.join(os.path.dirname(file), name))


def _find(path: str) -> str | None:
  if os.path.isdir(path):
    found = [e.path for e in input_paths.entries(path) if e.name.lower().endswith(_SUFFIXES)]
    return found[0] if len(found) == 1 else None
  return path if path.lower().endswith(_SUFFIXES) and os.path.isfile(path) else None


def _column_names(options: Mapping[str, Any]) -> tuple[str, str, str | None]:
  path = options.get("path_column") or _DEFAULTS["path_column"]
  label = options.get("label_column") or _DEFAULTS["label_column"]
  return path, label, options.get("split_column") or None


def _open(file: str) -> Iterator[list[str]]:
  # utf-8-sig: spreadsheets write a byte order mark, which would stick to the first column's name.
  with open(file, encoding="utf-8-sig", newline="") as f:
    yield from csv.reader(f, delimiter="\t" if file.lower().endswith(".tsv") else ",")


def _columns(file: str) -> list[str]:
  try:
    return [name.strip() for name in next(_open(file), [])]
  except (UnicodeDecodeError, csv.Error) as err:
    raise BadInputError(f"Expected UTF-8 CSV in {file!r}. Received: {err}") from err


def _rows(path: str, options: Mapping[str, Any]) -> tuple[str, list[tuple[str, str, str | None]]]:
  """The CSV's path and its (picture, label, split) rows."""
  input_paths.require(path, expected=DESCRIPTION)
  file = _find(path)
  if file is None:
    raise BadInputError(f"Expected {DESCRIPTION}. {path!r} is no .csv or .tsv file.")
  file = os.path.abspath(file)
  header = _columns(file)
  wanted = _column_names(options)
  for option, column in zip(("path_column", "label_column", "split_column"), wanted, strict=True):
    if column is not None and column not in header:
      raise BadInputError(
        f"Expected a column {column!r} in {file!r}.{meant(column, header)} Its columns are: "
        f"{', '.join(header)}. Name the right one with --set data.{option}=..."
      )
  indices = [None if column is None else header.index(column) for column in wanted]
  try:
    lines = list(_open(file))[1:]
  except (UnicodeDecodeError, csv.Error) as err:
    raise BadInputError(f"Expected UTF-8 CSV in {file!r}. Received: {err}") from err
  return file, [_row(line, indices, number, file) for number, line in enumerate(lines, 2) if line]


def _row(
  line: Sequence[str], indices: Sequence[int | None], number: int, file: str
) -> tuple[str, str, str | None]:
  name, label, split = (line[i].strip() if i is not None and i < len(line) else "" for i in indices)
  if split.lower() not in _SPLITS:
    raise BadInputError(
      f"Expected train, val, eval or test as split. Received {split!r} in row {number} of {file!r}."
    )
  return name, label, _SPLITS[split.lower()]


def _require_labels(rows: Sequence[tuple[str, str, str | None]], file: str) -> None:
  counts = collections.Counter(label for name, label, _ in rows if name and label)
  if len(counts) < 2:
    found = names(counts) or "none"
    raise BadInputError(
      f"Expected rows of at least two labels in {file!r}. Found: {found}. Add rows, or name the "
      "right column with --set data.label_column=..."
    )
  single = sorted(label for label, count in counts.items() if count < 2)
  if single:
    raise BadInputError(
      f"Expected at least two pictures of each label in {file!r}. Found one of {names(single)}; "
      "add pictures or remove the label."
    )
