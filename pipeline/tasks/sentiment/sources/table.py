"""Reads tables with a column of texts and one of labels: CSV, TSV, JSON Lines or Parquet.

The options `text_column`, `label_column` and `split_column` name the columns; `separator` and
`header` set the dialect of a CSV or TSV.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Mapping
from typing import Any

from dlpipe.errors import BadInputError
from dlpipe.recognition import Recognized
from dlpipe.records import Record, Rejected, SourcePlan
from pipeline.problem import Problem
from pipeline.problems import classes
from pipeline.sources import input_paths, tables
from pipeline.sources.text_files import text_tables
from pipeline.tasks.sentiment.features import LABEL
from pipeline.tasks.sentiment.sources import records

DESCRIPTION = f"{tables.DESCRIPTION}, with the columns text and label"

USUAL_NAMES = {
  "text": ("review", "sentence", "content", "comment", "message", "tweet", "body"),
  "label": ("sentiment", "class", "target", "polarity", "category"),
}


def matches(path: str) -> bool:
  """Returns whether the path is a table; one beside class folders must have the usual columns."""
  if not tables.matches(path):
    return False
  if os.path.isfile(path) or not any(e.is_dir() for e in input_paths.entries(path)):
    return True
  try:
    names = text_tables.find_columns(path, {}, USUAL_NAMES).names
    return set(names.values()) <= set(tables.columns(path))
  except BadInputError:
    return False


def plan(path: str, options: Mapping[str, Any], problem: Problem = classes.PROBLEM) -> SourcePlan:
  """Cuts the table into shards; up to 5,000 rows are read for their labels.

  Args:
    path: the table.
    options: the data options.
    problem: the kind of answer; a task with another kind calls this function in its own `plan`.

  Raises:
    BadInputError: the table or a column is missing, a split is unknown, or nothing can be learnt
      from the labels.
  """
  limit = records.max_chars(options)
  columns = text_tables.find_columns(path, options, USUAL_NAMES)
  shards, given = text_tables.plan_table(path, columns)
  shards = [{**shard, **columns.names} for shard in shards]
  records_of = (record for shard in shards for record in read(shard, options, problem))
  problem.require(
    (r if isinstance(r, Rejected) else r.features[LABEL] for r in records_of),
    source=os.path.abspath(path),
    advice="Add rows, or name the right columns with --set data.text_column=... and --set "
    "data.label_column=...",
    options=options,
  )
  files = tables.files(path, columns.dialect)
  return SourcePlan(
    shards=shards,
    fingerprint=input_paths.fingerprint(
      path, files, limit, *columns.facts, *(options.get(name) for name in problem.options)
    ),
    given_splits=given,
    recognized=Recognized(
      layout="table",
      fields=columns.fields,
      files=[input_paths.printable(os.path.basename(file)) for file in files],
      file_count=len(files),
      unread=text_tables.unread(path, columns),
    ),
  )


def read(
  shard: Mapping[str, Any], options: Mapping[str, Any], problem: Problem = classes.PROBLEM
) -> Iterator[Record | Rejected]:
  """Reads the rows of one shard; `problem` is that of `plan`."""
  limit = records.max_chars(options)
  for found in text_tables.read_table(shard):
    if isinstance(found, Rejected):
      yield found
      continue
    values = found.row.values
    record = records.to_record(
      values.get(shard["text"]),
      values.get(shard["label"]),
      split=found.split,
      origin=found.row.origin,
      limit=limit,
      read_label=lambda cell: problem.read_label(cell, options),
    )
    if isinstance(record, Rejected):
      record = dataclasses.replace(record, data=found.data)
    yield record
