"""Tables of texts: which columns, which splits, and rows with their splits."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from components.errors import BadInputError
from components.records import TRAIN, Rejected
from pipeline.sources import class_counts, given_splits, sharding, tables

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


def plan_table(
  path: str, columns: Sequence[str], split_column: str | None, flags: Mapping[str, str]
) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
  """The shards of a table for `read_table`, and the splits it draws itself.

  They are those of the column `split_column`, if that is given; otherwise those of the files'
  names, where each starts with one, such as `train.csv` beside `test.csv`.

  Raises:
    BadInputError: a column is missing, or a row names no known split.
  """
  flags = {**flags, **({split_column: "--set data.split_column=..."} if split_column else {})}
  wanted = list(dict.fromkeys([*columns, *([split_column] if split_column else [])]))
  parts = tables.plan_shards(path, wanted, flags=flags)
  if split_column:
    settled = given_splits.settle(_splits_of_rows(parts, split_column))
    parts = [{**part, "split_column": split_column, "splits": settled} for part in parts]
  else:
    by_file = {part["file"]: given_splits.of_text(os.path.basename(part["file"])) for part in parts}
    if TRAIN not in by_file.values() or None in by_file.values():
      by_file = dict.fromkeys(by_file)
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
