"""Reads `predictions.parquet`: all of it, or the rows that a person asks for."""

from __future__ import annotations

import csv
import io
import json
import math
import pathlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dlpipe.errors import BadInputError
from pipeline.problems.rows import LABELS
from pipeline.rows import where as conditions
from pipeline.rows.files import FILE
from pipeline.sources.tables.parquet_files import open_parquet

_BATCH = 1_000
_ORDERS = {"asc": "ascending", "desc": "descending"}


def read(directory: pathlib.Path, *, without: Collection[str] = ()) -> pa.Table:
  """Reads the table of a `Predictions` artifact.

  Args:
    directory: the artifact's directory.
    without: columns to leave out, such as `scores`, which is large if there are many classes.

  Raises:
    BadInputError: the file is missing or damaged.
  """
  path = directory / FILE
  if not path.is_file():
    raise BadInputError(f"{path} is gone. `dlpipe run` with the same settings writes it again.")
  with open_parquet(str(path)) as file:
    names = [name for name in file.schema_arrow.names if name not in without]
    return file.read(columns=names)


def asked(
  table: pa.Table, *, where: str | None = None, sort: str | None = None, limit: int | None = None
) -> pa.Table:
  """Returns some rows of a table.

  Args:
    table: the rows.
    where: a condition that they must fulfil, as `where.matching` takes it.
    sort: a column, such as `loss`: numbers are sorted from the greatest down, texts by alphabet;
      `loss:asc` and `loss:desc` name the order. None keeps the order of the examples.
    limit: the most rows; None for all.

  Raises:
    BadInputError: the condition, the column or the limit cannot be used.
  """
  if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 0):
    raise BadInputError(f"limit takes a whole number of at least 0. Received: {limit!r}")
  found = table if where is None else conditions.matching(table, where)
  if sort is not None:
    name, order = _order(table, sort)
    # Arrow sorts texts and numbers; a column of truth values is sorted as numbers.
    column = found[name]
    keys = column.cast(pa.int8()) if pa.types.is_boolean(column.type) else column
    ordered = pa.table({"key": keys})
    found = found.take(pc.sort_indices(ordered, sort_keys=[("key", order)]))
  return found if limit is None else found.slice(0, limit)


def _order(table: pa.Table, sort: str) -> tuple[str, str]:
  name, _, order = sort.partition(":")
  try:
    column = table[conditions.column_named(table.column_names, name)]
  except BadInputError as err:
    raise BadInputError(
      f"Cannot sort by {sort!r}: {err}. Columns: {', '.join(table.column_names)}."
    ) from None
  if order and order not in _ORDERS:
    raise BadInputError(f"Expected {name}, {name}:asc or {name}:desc to sort by. Received: {sort}")
  if pa.types.is_list(column.type):
    raise BadInputError(f"Cannot sort by {name!r}, which holds lists.")
  usual = "asc" if pa.types.is_string(column.type) else "desc"
  return name, _ORDERS[order or usual]


def as_rows(table: pa.Table) -> list[dict[str, Any]]:
  """Returns rows as dictionaries that JSON can hold: a number that is not finite is None.

  `scores` maps the model's labels to their scores, if the table names them.
  """
  return list(_rows(table))


def names_of_scores(table: pa.Table) -> list[str]:
  """Returns the labels that the places of `scores` stand for; empty if there are none."""
  metadata: Mapping[bytes, bytes] = table.schema.metadata or {}
  return json.loads(metadata[LABELS]) if LABELS in metadata else []


def as_csv(table: pa.Table) -> str:
  """Returns rows as CSV; lists are JSON."""
  file = io.StringIO()
  writer = csv.writer(file, lineterminator="\n")
  writer.writerow(table.column_names)
  for row in _rows(table):
    writer.writerow(
      json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list)) else value
      for value in row.values()
    )
  return file.getvalue()


def _rows(table: pa.Table) -> Iterator[dict[str, Any]]:
  labels = names_of_scores(table)
  narrow = {field.name for field in table.schema if _is_narrow(field.type)}
  for batch in table.to_batches(max_chunksize=_BATCH):  # Python's numbers take far more memory
    for row in batch.to_pylist():
      yield {
        name: _plain(name, _shortened(value) if name in narrow else value, labels)
        for name, value in row.items()
      }


def _is_narrow(kind: pa.DataType) -> bool:
  return pa.types.is_float32(kind.value_type if pa.types.is_list(kind) else kind)


def _shortened(value: Any) -> Any:
  """Returns a float32 with the fewest decimals that tell it, as `batch` writes it."""
  if isinstance(value, list):
    return [_shortened(each) for each in value]
  return float(str(np.float32(value))) if isinstance(value, float) else value


def _plain(name: str, value: Any, labels: Sequence[str]) -> Any:
  if isinstance(value, list):
    plain = [_plain("", each, ()) for each in value]
    return dict(zip(labels, plain, strict=True)) if name == "scores" and labels else plain
  return None if isinstance(value, float) and not math.isfinite(value) else value
