"""Tables of rows and named columns: CSV, TSV, JSON Lines and Parquet, one file or a folder of them.

    for shard in plan_shards(path, ["text", "label"]):
      for row in rows(shard):
        ...  # a Row with its values, or a BadRow with the reason

A row that cannot be used is a `BadRow` and never ends the reading. CSV, TSV and JSONL may be
gzipped; then a file is one shard.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from dlpipe.errors import BadInputError
from pipeline.sources import input_paths
from pipeline.sources.tables import delimited, jsonl, parquet, saved_otherwise
from pipeline.sources.tables.dialect import Dialect
from pipeline.sources.tables.kinds import CSV, JSONL, PARQUET, SEPARATORS, TSV, kind_of
from pipeline.sources.tables.rows import BadRow, Row
from pipeline.sources.tables.table_file import TableFile

__all__ = [
  "CSV",
  "DESCRIPTION",
  "JSONL",
  "PARQUET",
  "TSV",
  "BadRow",
  "Dialect",
  "Row",
  "columns",
  "files",
  "kind_of",
  "matches",
  "plan_shards",
  "rows",
  "says_its_columns",
  "separator_advice",
]

DESCRIPTION = "a CSV, TSV, JSONL or Parquet file, or a folder of such files of one kind"

_BY_NAME = Dialect()


def matches(path: str) -> bool:
  """Returns whether the path is a table or a folder with tables of one kind, by their names."""
  try:
    return len({kind_of(file) for file in _find(path)}) == 1
  except BadInputError:
    return False


def files(path: str, dialect: Dialect = _BY_NAME) -> list[str]:
  """Returns the absolute paths of the table's files, by name; a separator allows any file name.

  Raises:
    BadInputError: there are no files, the files are of several kinds, or a dialect is set for files
      that have none.
  """
  input_paths.require(path, expected=DESCRIPTION)
  if dialect.separator and os.path.isfile(path) and kind_of(path) is None:
    return [os.path.abspath(path)]
  found = _find(path)
  kinds = sorted({str(kind_of(file)) for file in found})
  if not found:
    other = "; one of another name needs data.separator" if os.path.isfile(path) else ""
    raise BadInputError(f"Expected {DESCRIPTION}. Found none at {path!r}{other}.")
  if len(kinds) > 1:
    raise BadInputError(
      f"Expected files of one kind in {path!r}. Found {' and '.join(kinds)}; name one file, or "
      "move the others away."
    )
  if dialect != _BY_NAME and kinds[0] not in SEPARATORS:
    raise BadInputError(
      f"data.separator and data.header are for CSV and TSV. {found[0]!r} is {kinds[0]}, which says "
      "itself what its columns are; leave them out."
    )
  return found


def columns(path: str, dialect: Dialect = _BY_NAME) -> list[str]:
  """Returns the names of the columns; of several files, those of the first one.

  Raises:
    BadInputError: there is no table, or its columns cannot be read.
  """
  return TableFile(files(path, dialect)[0], dialect).names


def plan_shards(
  path: str,
  columns: Sequence[str] | None = None,
  *,
  flags: Mapping[str, str] | None = None,
  dialect: Dialect = _BY_NAME,
  set_with: str | None = None,
  usual: Collection[str] = (),
) -> list[dict[str, Any]]:
  """Cuts a table into JSON-serialisable shards for `rows`, in the order of the rows.

  Args:
    path: a file or a folder of files.
    columns: names of the columns to read; None reads all columns.
    flags: column to the option that names another one, such as `--set data.text_column=...`; for
      messages.
    dialect: separator and header of the files.
    set_with: prefix of a setting on the command line, such as `--set data.`; None if the dialect
      cannot be set.
    usual: lower-case names that identify a header.

  Raises:
    BadInputError: a file or a column is missing, a column's name occurs twice in a header, or the
      header is a row of data.
  """
  shards: list[dict[str, Any]] = []
  expected: list[str] | None = None
  for name in files(path, dialect):
    file = TableFile(name, dialect, set_with, flags, usual)
    if columns is not None:
      for column in columns:
        file.require_column(column)
    elif file.kind != JSONL:
      expected = file.names if expected is None else expected
      _require_same(file.names, expected, name)
    file.require_single(columns)
    file.require_header(columns or ())
    shards.extend({"kind": file.kind, **shard} for shard in file.plan(columns))
  return shards


def rows(shard: Mapping[str, Any]) -> Iterator[Row | BadRow]:
  """Yields the rows of one shard."""
  kind = shard["kind"]
  if kind in SEPARATORS:
    return delimited.rows(shard)
  return (jsonl if kind == JSONL else parquet).rows(shard)


def says_its_columns(file: str) -> bool:
  """Returns whether files of this kind name their columns outside of their rows."""
  return kind_of(file) in (JSONL, PARQUET)


def separator_advice(file: str, names: Sequence[str]) -> str:
  """Returns advice if the only column is several, joined by another separator than expected.

  Args:
    file: one of the table's files.
    names: names of its columns.
  """
  separator = SEPARATORS.get(kind_of(file) or "")
  if separator is None or len(names) != 1:
    return ""
  return saved_otherwise.separator_advice(names, separator)


def _find(path: str) -> list[str]:
  if os.path.isdir(path):
    found = [e.path for e in input_paths.entries(path) if e.is_file() and kind_of(e.name)]
    return [os.path.abspath(file) for file in found]
  return [os.path.abspath(path)] if os.path.isfile(path) and kind_of(path) else []


def _require_same(names: Sequence[str], expected: Sequence[str], file: str) -> None:
  if sorted(names) != sorted(expected):
    raise BadInputError(
      f"Expected the columns {', '.join(expected)} in {file!r}, as in the first file. Received: "
      f"{', '.join(names)}."
    )
