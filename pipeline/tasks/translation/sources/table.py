"""Tables with a column of sentences and one of translations: CSV, TSV, JSON Lines or Parquet.

The options `source_column`, `target_column` and `split_column` name the columns.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from components.errors import BadInputError
from components.records import Record, Rejected, SourcePlan
from pipeline.sources import input_paths, tables, text_tables
from pipeline.tasks.translation.sources import records

DESCRIPTION = f"{tables.DESCRIPTION}, with the columns source and target"

_SOURCE_COLUMN, _TARGET_COLUMN = "source", "target"
_SOURCE_NAMES, _TARGET_NAMES = ("src",), ("tgt", "trg")


def matches(path: str) -> bool:
  """Whether the path is a table; a TSV must have the usual columns, or it holds pairs."""
  if not tables.matches(path):
    return False
  try:
    file = tables.files(path)[0]
    if tables.kind_of(file) != tables.TSV:
      return True
    names = tables.columns(file)
    return set(_columns(names, {})) <= set(names)
  except BadInputError:
    return False


def plan(path: str, options: Mapping[str, Any]) -> SourcePlan:
  """Cuts the table into shards.

  Raises:
    BadInputError: the table or a column is missing, it has no rows, or a split is unknown.
  """
  limit = records.max_chars(options)
  files = tables.files(path)
  source, target = _columns(tables.columns(path), options)
  split = options.get("split_column") or None
  flags = {source: "--set data.source_column=...", target: "--set data.target_column=..."}
  shards, given = text_tables.plan_table(path, [source, target], split, flags)
  if not shards:
    raise BadInputError(f"Expected rows with a source and a target in {path!r}. There are none.")
  return SourcePlan(
    shards=[{**shard, "source": source, "target": target} for shard in shards],
    fingerprint=input_paths.fingerprint(path, files, limit, source, target, split),
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


def _columns(names: list[str], options: Mapping[str, Any]) -> tuple[str, str]:
  source = options.get("source_column") or _SOURCE_COLUMN
  target = options.get("target_column") or _TARGET_COLUMN
  return (
    text_tables.find_column(names, source, _SOURCE_COLUMN, _SOURCE_NAMES),
    text_tables.find_column(names, target, _TARGET_COLUMN, _TARGET_NAMES),
  )
