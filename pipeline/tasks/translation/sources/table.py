"""Reads tables with columns of sentences and translations: CSV, TSV, JSON Lines or Parquet.

The options `source_column`, `target_column` and `split_column` name the columns; `separator` and
`header` set the dialect of a CSV or TSV.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dlpipe.errors import BadInputError
from dlpipe.recognition import Recognized
from dlpipe.records import Record, Rejected, SourcePlan
from pipeline.sources import first_records, input_paths, tables
from pipeline.sources.text_files import text_tables
from pipeline.tasks.translation.sources import records, sides

DESCRIPTION = f"{tables.DESCRIPTION}, with the columns source and target"

USUAL_NAMES = {"source": ("src",), "target": ("tgt", "trg")}
_SPREAD = 10  # shards that a sample reads
_ADVICE = (
  "Name the columns of sentences and translations with --set data.source_column=... --set "
  "data.target_column=...; what you name is taken as it is."
)


def matches(path: str) -> bool:
  """Returns whether the path is a table; a TSV without the usual columns is read as pairs."""
  if not tables.matches(path):
    return False
  try:
    file = tables.files(path)[0]
    if tables.kind_of(file) != tables.TSV:
      return True
    names = text_tables.find_columns(file, {}, USUAL_NAMES).names
    return set(names.values()) <= set(tables.columns(file))
  except BadInputError:
    return False


def plan(path: str, options: Mapping[str, Any]) -> SourcePlan:
  """Cuts the table into shards.

  Raises:
    BadInputError: the table or a column is missing, the table has no rows, a split is unknown, or
      a column does not hold sentences.
  """
  limit = records.max_chars(options)
  columns = text_tables.find_columns(path, options, USUAL_NAMES)
  shards, given = text_tables.plan_table(path, columns)
  if not shards:
    raise BadInputError(f"Expected rows with a source and a target in {path!r}. There are none.")
  source, target = columns.names["source"], columns.names["target"]
  places = (f"column {source!r}", f"column {target!r}")
  pairs = _sample(shards, source, target)
  if options.get("source_column") is None:
    sides.require(pairs, places, source=os.path.abspath(path), advice=_ADVICE)
  shards = [{**shard, **columns.names} for shard in shards]
  first_records.require_one(
    (record for shard in shards for record in read(shard, options)), source=os.path.abspath(path)
  )
  files = tables.files(path, columns.dialect)
  return SourcePlan(
    shards=shards,
    fingerprint=input_paths.fingerprint(path, files, limit, *columns.facts),
    given_splits=given,
    recognized=Recognized(
      layout="table",
      fields=columns.fields,
      files=[input_paths.printable(os.path.basename(file)) for file in files],
      file_count=len(files),
      unread=text_tables.unread(path, columns),
      warnings=sides.warnings(pairs),
    ),
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


def _sample(shards: Sequence[Mapping[str, Any]], source: str, target: str) -> list[sides.Pair]:
  """Samples texts of pairs from all over the table; other values are left out."""
  spread = input_paths.spread(shards, _SPREAD)
  each = sides.LOOKED_AT // len(spread)
  found = [
    (row.row.values.get(source), row.row.values.get(target))
    for shard in spread
    for row in itertools.islice(text_tables.read_table(shard), each)
    if not isinstance(row, Rejected)
  ]
  # A number counts as an id, as its digits would.
  return [
    (str(s), str(t)) for s, t in found if isinstance(s, str | int) and isinstance(t, str | int)
  ]
