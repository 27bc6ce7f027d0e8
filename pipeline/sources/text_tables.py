"""Tables of texts: which columns, which splits, and rows with their splits."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from components.errors import BadInputError
from components.recognition import Unread
from components.records import TRAIN, Rejected
from pipeline.sources import class_counts, given_splits, input_paths, sharding, tables

_PARTS = 2  # of 5,000 rows a shard, from all over the table


class SplitRow(NamedTuple):
  """A row of a table and the split that the table gave it."""

  row: tables.Row
  split: str | None

  @property
  def data(self) -> bytes:
    """The row for the quarantine, as JSON: a table's own bytes are not kept."""
    return json.dumps(self.row.values, ensure_ascii=False, default=str).encode(
      "utf-8", "backslashreplace"
    )


def find_column(names: Sequence[str], wanted: str, default: str, others: Sequence[str]) -> str:
  """The wanted column; where that is the default and absent, the only one of other usual names.

  Args:
    names: the table's columns.
    wanted: the option's value.
    default: the option's default.
    others: what else such a column is called, in lower case.
  """
  if wanted != default or wanted in names:
    return wanted
  found = [name for name in names if name.strip().lower() in (default, *others)]
  return found[0] if len(found) == 1 else wanted


def columns(path: str) -> list[str]:
  """The columns of a table; where files are named by splits, those of train.

  Raises:
    BadInputError: there is no table, or its columns cannot be read.
  """
  files = tables.files(path)
  of_train = [f for f in files if given_splits.of_text(os.path.basename(f)) == TRAIN]
  return tables.columns((of_train or files)[0])


def unread(
  path: str, files: Sequence[str], names: Sequence[str], taken: Iterable[str | None]
) -> list[Unread]:
  """What lies in a table or beside it and is not read: columns, files, folders.

  Args:
    path: the input.
    files: the table's files, absolute.
    names: its columns.
    taken: the columns that are read.
  """
  left = [name for name in names if name not in set(taken)]
  found = [Unread(name=f"column {name!r}", reason="not used") for name in left]
  return found + input_paths.unread(path, files, "beside the table")


def plan_table(
  path: str, columns: Sequence[str], split_column: str | None, flags: Mapping[str, str]
) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
  """The shards of a table for `read_table`, and the splits it draws itself.

  They are those of the column `split_column`, if that is given; otherwise those of the files'
  names, where each starts with one, such as `train.csv` beside `test.csv`.

  Raises:
    BadInputError: a column is missing, a row names no known split, or a file is of no split beside
      those that are.
  """
  by_file = {} if split_column else _splits_of_files(path, columns)
  flags = {**flags, **({split_column: "--set data.split_column=..."} if split_column else {})}
  wanted = list(dict.fromkeys([*columns, *([split_column] if split_column else [])]))
  parts = tables.plan_shards(path, wanted, flags=flags)
  if split_column:
    settled = given_splits.settle(_splits_of_rows(parts, split_column))
    parts = [{**part, "split_column": split_column, "splits": settled} for part in parts]
  else:
    settled = given_splits.settle(by_file.values())
    parts = [{**part, "split": settled.get(by_file[part["file"]] or "")} for part in parts]
  return sharding.mix(parts, _PARTS), given_splits.given(settled)


def read_table(shard: Mapping[str, Any]) -> Iterator[SplitRow | Rejected]:
  """The rows of one shard."""
  for part in shard["parts"]:
    column = part.get("split_column")
    for row in tables.rows(part):
      if isinstance(row, tables.BadRow):
        yield Rejected(origin=row.origin, reason=row.reason, data=row.data)
      elif column:
        split = _split(row, column)
        yield SplitRow(row, part["splits"][split] if split else None)
      else:
        yield SplitRow(row, part["split"])


def _splits_of_files(path: str, columns: Sequence[str]) -> dict[str, str | None]:
  """The split that each file's name says; None for all where none says train.

  Raises:
    BadInputError: beside train lies a file without the columns, or one that is of no split.
  """
  files = tables.files(path)
  found = {file: given_splits.of_text(os.path.basename(file)) for file in files}
  if TRAIN not in found.values():
    return dict.fromkeys(files)
  has_columns = {file: set(columns) <= set(tables.columns(file)) for file in files}
  train = next(file for file, split in found.items() if split == TRAIN)
  lacking = [os.path.basename(file) for file in files if not has_columns[file]]
  if has_columns[train] and lacking:
    does = "does" if len(lacking) == 1 else "do"
    raise BadInputError(
      f"Expected the columns {' and '.join(columns)} in every table of {path!r}, as in "
      f"{os.path.basename(train)!r}. {class_counts.names(lacking)} {does} not have them; what has "
      f"no answers cannot be learnt from: move it away, or give --data {train}"
    )
  others = [os.path.basename(file) for file, split in found.items() if split is None]
  if others:
    raise BadInputError(
      f"Beside {os.path.basename(train)!r} in {path!r} lie tables of no split: "
      f"{class_counts.names(others)}. Let their names begin with train, val or test, or move them "
      "away."
    )
  return found


def _splits_of_rows(parts: Sequence[Mapping[str, Any]], column: str) -> set[str | None]:
  found = set()
  for part in parts:
    for row in tables.rows({**part, "columns": [column]}):
      if isinstance(row, tables.Row):
        found.add(_split(row, column))
  return found


def _split(row: tables.Row, column: str) -> str | None:
  value = row.values.get(column)
  name = "" if value is None else str(value).strip()
  split = given_splits.of_text(name) if name else None
  if name and split is None:
    raise BadInputError(
      f"Expected train, val, eval or test in column {column!r} as data.split_column. Received "
      f"{class_counts.names([name])} in {row.origin}."
    )
  return split
