"""Reads tables of examples: finds the columns and splits, and yields rows with their splits.

`TABLE_OPTIONS` names the data options of every task that reads tables.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from dlpipe.errors import BadInputError
from dlpipe.recognition import Unread
from dlpipe.records import TRAIN, Rejected
from pipeline.sources import class_counts, given_splits, input_paths, sharding, tables
from pipeline.sources.tables import dialect as dialects

# The data options for the dialect and the splits of a table.
TABLE_OPTIONS = ("separator", "header", "split_column")

_SET_WITH = "--set data."
_SPLIT_COLUMNS = ("split", "subset", "partition", "set")
_PARTS = 2  # parts of 5,000 rows in a shard, from all over the table


class SplitRow(NamedTuple):
  """A row of a table and the split that the table gave it."""

  row: tables.Row
  split: str | None

  @property
  def data(self) -> bytes:
    """The row for the quarantine, as JSON, because the bytes of the table are not kept."""
    return json.dumps(self.row.values, ensure_ascii=False, default=str).encode(
      "utf-8", "backslashreplace"
    )


class Columns(NamedTuple):
  """The columns that a task reads from a table.

  Attributes:
    names: the task's name to the column's name, such as `{"text": "review"}`.
    split: the column that names the split, or None.
    dialect: separator and header of the files.
    usual: lower-case names that identify a header.
  """

  names: Mapping[str, str]
  split: str | None
  dialect: tables.Dialect
  usual: frozenset[str] = frozenset()

  @property
  def facts(self) -> tuple[Any, ...]:
    """The values, beside the files, on which a plan depends."""
    return sorted(self.names.items()), self.split, tuple(self.dialect)

  @property
  def fields(self) -> dict[str, str]:
    """The parts of an example for `Recognized.fields`."""
    split = {"split": self.split} if self.split else {}
    return {role: f"column {name!r}" for role, name in {**self.names, **split}.items()}


def find_columns(
  path: str, options: Mapping[str, Any], usual: Mapping[str, Sequence[str]]
) -> Columns:
  """Finds the columns by options such as `text_column`, or by their usual names.

  Args:
    path: the table.
    options: the data options.
    usual: the task's name of a column, which is the default, to its other usual names.

  Raises:
    BadInputError: there is no table, its columns cannot be read, or an option names no column.
  """
  dialect = dialects.from_options(options)
  names = _names(path, dialect)
  first = tables.files(path, dialect)[0]
  # Columns can be counted only if the first row certainly is a header.
  is_counted = bool(dialect.header) or tables.says_its_columns(first)
  counted = names if is_counted else []
  wanted = {role: _name(options, f"{role}_column", counted) or role for role in usual}
  found = {role: find_column(names, name, role, usual[role]) for role, name in wanted.items()}
  split = _name(options, "split_column", counted)
  _require_apart({**found, **({"split": split} if split else {})})
  return Columns(
    found,
    split,
    dialect,
    frozenset(name for role, others in usual.items() for name in (role, *others)),
  )


def _require_apart(found: Mapping[str, str]) -> None:
  """Raises `BadInputError` if one column has two roles, such as text and label."""
  by_column: dict[str, str] = {}
  for role, column in found.items():
    other = by_column.setdefault(column, role)
    if other != role:
      raise BadInputError(
        f"Expected a column for the {other} and another one for the {role}. Received {column!r} "
        f"for both; name them with --set data.{other}_column=... and --set data.{role}_column=..."
      )


def find_column(names: Sequence[str], wanted: str, default: str, others: Sequence[str]) -> str:
  """Returns the wanted column; if it is an absent default, the only column with another usual name.

  Args:
    names: the table's columns.
    wanted: the option's value.
    default: the option's default.
    others: other usual names of the column, in lower case.
  """
  if wanted != default or wanted in names:
    return wanted
  found = [name for name in names if name.strip().lower() in (default, *others)]
  return found[0] if len(found) == 1 else wanted


def unread(path: str, columns: Columns) -> list[Unread]:
  """Lists the columns, files and folders in a table or beside it that are not read.

  Args:
    path: the input.
    columns: the columns that are read.
  """
  taken = {*columns.names.values(), columns.split}
  left = [name for name in _names(path, columns.dialect) if name not in taken]
  found = [Unread(name=f"column {name!r}", reason=_unused(name, columns)) for name in left]
  files = tables.files(path, columns.dialect)
  return found + input_paths.unread(path, files, "beside the table")


def _unused(name: str, columns: Columns) -> str:
  has_splits = not columns.split and name.strip().lower() in _SPLIT_COLUMNS
  return "not used; data.split_column=... does" if has_splits else "not used"


def plan_table(path: str, columns: Columns) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
  """Returns the shards of a table for `read_table`, and the splits that it defines.

  The column `split_column` gives the splits, if it is set; otherwise the files' names give them, as
  `given_splits.of_names` says.

  Raises:
    BadInputError: a column is missing, a row names an unknown split, or only some of the files'
      names give a split.
  """
  split = columns.split
  by_file = {} if split else _splits_of_files(path, columns)
  flags = {name: f"{_SET_WITH}{role}_column=..." for role, name in columns.names.items()}
  if split:
    flags.setdefault(split, f"{_SET_WITH}split_column=...")
  parts = tables.plan_shards(
    path,
    list(flags),
    flags=flags,
    dialect=columns.dialect,
    set_with=_SET_WITH,
    usual=columns.usual,
  )
  if split:
    settled = given_splits.settle(_splits_of_rows(parts, split))
    parts = [{**part, "split_column": split, "splits": settled} for part in parts]
  else:
    settled = given_splits.settle(by_file.values())
    parts = [{**part, "split": settled.get(by_file[part["file"]] or "")} for part in parts]
  return sharding.mix(parts, _PARTS), given_splits.given(settled)


def read_table(shard: Mapping[str, Any]) -> Iterator[SplitRow | Rejected]:
  """Yields the rows of one shard."""
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


def _names(path: str, dialect: tables.Dialect) -> list[str]:
  """Returns the columns of a table; if files are named by splits, those of train."""
  files = tables.files(path, dialect)
  of_train = [file for file, split in _named_splits(files).items() if split == TRAIN]
  return tables.columns((of_train or files)[0], dialect)


def _named_splits(files: Sequence[str]) -> dict[str, str | None]:
  found = given_splits.of_names([os.path.basename(file) for file in files])
  return dict(zip(files, found, strict=True))


def _name(options: Mapping[str, Any], option: str, counted: Sequence[str]) -> str | None:
  """Returns the column that an option gives by name, or by number from 1 in `counted`."""
  value = options.get(option)
  if isinstance(value, int) and not isinstance(value, bool):
    value = str(value)
  if value is not None and not isinstance(value, str):
    raise BadInputError(f"data.{option} must be the name of a column. Received: {option}={value!r}")
  if value and value not in counted and value.isdecimal() and 0 < int(value) <= len(counted):
    return counted[int(value) - 1]
  return value or None


def _splits_of_files(path: str, columns: Columns) -> dict[str, str | None]:
  """Returns the split that each file's name gives; None for all files if no name gives train.

  Raises:
    BadInputError: a file beside that of train lacks the columns or gives no split.
  """
  wanted, dialect = columns.names.values(), columns.dialect
  files = tables.files(path, dialect)
  found = _named_splits(files)
  if TRAIN not in found.values():
    return found
  has_columns = {file: set(wanted) <= set(tables.columns(file, dialect)) for file in files}
  train = next(file for file, split in found.items() if split == TRAIN)
  lacking = [os.path.basename(file) for file in files if not has_columns[file]]
  if has_columns[train] and lacking:
    does = "does" if len(lacking) == 1 else "do"
    raise BadInputError(
      f"Expected the columns {' and '.join(wanted)} in every table of {path!r}, as in "
      f"{os.path.basename(train)!r}. {class_counts.names(lacking)} {does} not have them; what has "
      f"no answers cannot be learnt from: move it away, or give --data {train}"
    )
  others = [os.path.basename(file) for file, split in found.items() if split is None]
  if others:
    raise BadInputError(
      f"Beside {os.path.basename(train)!r} in {path!r} lie tables of no split: "
      f"{class_counts.names(others)}. Call them train, val or test as the others are, or move "
      "them away."
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
