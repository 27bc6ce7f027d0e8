"""Tables with a column of sentences and one of translations: CSV, TSV, JSON Lines or Parquet.

The options `source_column`, `target_column` and `split_column` name the columns; `separator` and
`header` say how a CSV or TSV is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from components.errors import BadInputError
from components.records import Record, Rejected, SourcePlan
from pipeline.sources import input_paths, tables, text_tables
from pipeline.tasks.translation.sources import records

DESCRIPTION = f"{tables.DESCRIPTION}, with the columns source and target"

_USUAL_NAMES = {"source": ("src",), "target": ("tgt", "trg")}


def matches(path: str) -> bool:
  """Whether the path is a table; a TSV must have the usual columns, or it holds pairs."""
  if not tables.matches(path):
    return False
  try:
    file = tables.files(path)[0]
    if tables.kind_of(file) != tables.TSV:
      return True
    names = text_tables.find_columns(file, {}, _USUAL_NAMES).names
    return set(names.values()) <= set(tables.columns(file))
  except BadInputError:
    return False


def plan(path: str, options: Mapping[str, Any]) -> SourcePlan:
  """Cuts the table into shards.

  Raises:
    BadInputError: the table or a column is missing, it has no rows, or a split is unknown.
  """
  limit = records.max_chars(options)
  columns = text_tables.find_columns(path, options, _USUAL_NAMES)
  shards, given = text_tables.plan_table(path, columns)
  if not shards:
    raise BadInputError(f"Expected rows with a source and a target in {path!r}. There are none.")
  return SourcePlan(
    shards=[{**shard, **columns.names} for shard in shards],
    fingerprint=input_paths.fingerprint(
      path,
      tables.files(path, columns.dialect),
      limit,
      sorted(columns.names.items()),
      columns.split,
      columns.dialect,
    ),
    given_splits=given,
  )


def read(shard: Mapping[str, Any], options: Mapping[str, Any]) -> Iterator[Record | Rejected]:
  """Reads the rows of one shard."""
  limit = records.max_chars(options)
  for found in text_tables.read_table(shard):
    if isinstance(found, Rejected):
      yield found
      continue
    values = found.row.values
    yield records.to_record(
      values.get(shard["source"]),
      values.get(shard["target"]),
      split=found.split,
      origin=found.row.origin,
      limit=limit,
      data=found.data,
    )
