"""Tables of rows and named columns: CSV, TSV, JSON Lines and Parquet, one file or a folder of them.

    for shard in plan_shards(path, ["text", "label"]):
      for row in rows(shard):
        ...  # a Row with its values, or a BadRow with the reason

A row that cannot be used is a `BadRow` and never ends the reading. CSV, TSV and JSONL may be
gzipped; then a file is one shard.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from components.errors import BadInputError
from pipeline.sources import input_paths
from pipeline.sources.column_names import meant
from pipeline.sources.tables import delimited, jsonl, parquet, saved_otherwise
from pipeline.sources.tables.rows import BadRow, Row

__all__ = [
  "DESCRIPTION",
  "BadRow",
  "Row",
  "columns",
  "files",
  "matches",
  "plan_shards",
  "rows",
  "separator_advice",
]

DESCRIPTION = "a CSV, TSV, JSONL or Parquet file, or a folder of such files of one kind"

CSV, TSV, JSONL, PARQUET = "CSV", "TSV", "JSONL", "Parquet"
_SUFFIXES = {
  ".csv": CSV,
  ".tsv": TSV,
  ".jsonl": JSONL,
  ".ndjson": JSONL,
  ".parquet": PARQUET,
}
_DELIMITERS = {CSV: b",", TSV: b"\t"}


def matches(path: str) -> bool:
  """Whether the path is a table or a folder with tables of one kind, by their names."""
  try:
    return len({kind_of(file) for file in _find(path)}) == 1
  except BadInputError:
    return False


def files(path: str) -> list[str]:
  """The absolute paths of the table's files, by name.

  Raises:
    BadInputError: there are none, or they are of several kinds.
  """
  input_paths.require(path, expected=DESCRIPTION)
  found = _find(path)
  kinds = sorted({str(kind_of(file)) for file in found})
  if not found:
    raise BadInputError(f"Expected {DESCRIPTION}. Found none at {path!r}.")
  if len(kinds) > 1:
    raise BadInputError(
      f"Expected files of one kind in {path!r}. Found {' and '.join(kinds)}; name one file, or "
      "move the others away."
    )
  return found


def columns(path: str) -> list[str]:
  """The names of the columns, those of the first file where there are several.

  Raises:
    BadInputError: there is no table, or its columns cannot be read.
  """
  return _columns(files(path)[0])


def plan_shards(
  path: str, columns: Sequence[str] | None = None, *, flags: Mapping[str, str] | None = None
) -> list[dict[str, Any]]:
  """Cuts a table into units of work for `rows`, JSON-serialisable, in the order of the rows.

  Args:
    path: a file or a folder of files.
    columns: what to read; None reads all columns.
    flags: column to what names another one on the command line, such as
      `--set data.text_column=...`; for messages.

  Raises:
    BadInputError: a file or a column is missing, or its name stands twice in a header.
  """
  shards: list[dict[str, Any]] = []
  expected: list[str] | None = None
  for file in files(path):
    names = _columns(file)
    if columns is not None:
      for column in columns:
        _require_column(column, names, file, (flags or {}).get(column))
    elif kind_of(file) != JSONL:
      expected = names if expected is None else expected
      _require_same(names, expected, file)
    _require_single(names, columns, file)
    shards.extend({"kind": kind_of(file), **shard} for shard in _plan_file(file, names, columns))
  return shards


def rows(shard: Mapping[str, Any]) -> Iterator[Row | BadRow]:
  """The rows of one shard."""
  kind = shard["kind"]
  if kind in _DELIMITERS:
    return delimited.rows(shard, _DELIMITERS[kind])
  return (jsonl if kind == JSONL else parquet).rows(shard)


def kind_of(file: str) -> str | None:
  """The kind of a file by its name; None for other files."""
  name = file.lower()
  kind = _SUFFIXES.get(os.path.splitext(name.removesuffix(".gz"))[1])
  return None if kind == PARQUET and name.endswith(".gz") else kind


def separator_advice(file: str, names: Sequence[str]) -> str:
  """What to do where the only column is several, between other separators than the file's kind has.

  Args:
    file: one of the table's files.
    names: its columns.
  """
  delimiter = _DELIMITERS.get(kind_of(file) or "")
  if delimiter is None or len(names) != 1:
    return ""
  return saved_otherwise.separator_advice(names[0], delimiter)


def _find(path: str) -> list[str]:
  if os.path.isdir(path):
    found = [e.path for e in input_paths.entries(path) if e.is_file() and kind_of(e.name)]
    return [os.path.abspath(file) for file in found]
  return [os.path.abspath(path)] if os.path.isfile(path) and kind_of(path) else []


def _columns(file: str) -> list[str]:
  kind = kind_of(file)
  if kind in _DELIMITERS:
    return delimited.columns(file, _DELIMITERS[kind])
  return (jsonl if kind == JSONL else parquet).columns(file)


def _plan_file(
  file: str, names: Sequence[str], columns: Sequence[str] | None
) -> list[dict[str, Any]]:
  kind = kind_of(file)
  if kind in _DELIMITERS:
    return delimited.plan_file(file, names, columns, _DELIMITERS[kind])
  return (jsonl if kind == JSONL else parquet).plan_file(file, columns)


def _require_column(column: str, names: Sequence[str], file: str, flag: str | None) -> None:
  if column in names:
    return
  message = (
    f"Expected a column {column!r} in {file!r}.{meant(column, names)} Its columns are: "
    f"{', '.join(names) or 'none'}."
  )
  separators = separator_advice(file, names)
  if separators:
    message += separators + saved_otherwise.encoding_advice(file)
  elif kind_of(file) == JSONL and not names:
    message += " It has no rows, or none that can be read." + saved_otherwise.encoding_advice(file)
  elif flag:
    message += f" Name the right one with {flag}"
  raise BadInputError(message)


def _require_same(names: Sequence[str], expected: Sequence[str], file: str) -> None:
  if sorted(names) != sorted(expected):
    raise BadInputError(
      f"Expected the columns {', '.join(expected)} in {file!r}, as in the first file. Received: "
      f"{', '.join(names)}."
    )


def _require_single(names: Sequence[str], columns: Sequence[str] | None, file: str) -> None:
  twice = sorted({n for n in names if names.count(n) > 1 and (columns is None or n in columns)})
  if twice:
    raise BadInputError(
      f"Expected each column once in {file!r}. The header has {twice[0]!r} more than once; rename "
      "one."
    )
