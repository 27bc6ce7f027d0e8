"""Parquet files, read a batch of rows at a time. pyarrow is imported when a file is read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pipeline.sources.encoding import UndecodableError, decode
from pipeline.sources.tables.parquet_files import open_parquet
from pipeline.sources.tables.rows import BadRow, Row, origin_prefix

_SHARD_ROWS = 10_000
_BATCH_ROWS = 1000


def columns(file: str) -> list[str]:
  """The names of the columns.

  Raises:
    BadInputError: the file is no Parquet file.
  """
  with open_parquet(file) as table:
    return list(table.schema_arrow.names)


def plan_file(file: str, wanted: Sequence[str] | None) -> list[dict[str, Any]]:
  """Cuts a file into ranges of rows.

  Raises:
    BadInputError: the file is no Parquet file.
  """
  with open_parquet(file) as table:
    count = table.metadata.num_rows
  shard = {"file": file, "columns": None if wanted is None else list(wanted)}
  return [
    {**shard, "start": start, "stop": min(start + _SHARD_ROWS, count)}
    for start in range(0, count, _SHARD_ROWS)
  ]


def rows(shard: Mapping[str, Any]) -> Iterator[Row | BadRow]:
  """The rows of one shard: those from `start` to `stop`, counted from 0."""
  import pyarrow as pa

  file, start, stop = shard["file"], shard["start"], shard["stop"]
  number = start
  prefix = origin_prefix(file)
  try:
    with open_parquet(file) as table:
      groups, skipped = _groups(table.metadata, start, stop)
      batches = table.iter_batches(
        batch_size=_BATCH_ROWS, row_groups=groups, columns=shard["columns"], use_threads=False
      )
      for batch in batches:
        first, skipped = skipped, max(0, skipped - len(batch))
        batch = batch.slice(first, stop - number)
        if len(batch):
          for row in _rows(batch, prefix, number + 1):
            number = row.number
            yield row
        if number >= stop:
          return
  except (OSError, pa.ArrowException) as err:
    reason = f"the file cannot be read from here on: {err}"
    yield BadRow(number + 1, f"{prefix}{number + 1}", reason, b"")


def _groups(metadata: Any, start: int, stop: int) -> tuple[list[int], int]:
  """The row groups that hold rows from `start` to `stop`, and how many rows they hold before."""
  groups: list[int] = []
  skipped = position = 0
  for group in range(metadata.num_row_groups):
    end = position + metadata.row_group(group).num_rows
    if end > start and position < stop:
      if not groups:
        skipped = start - position
      groups.append(group)
    position = end
  return groups, skipped


def _rows(batch: Any, prefix: str, number: int) -> Iterator[Row | BadRow]:
  names = batch.schema.names
  values = [_values(column) for column in batch.columns]
  for row, cells in enumerate(zip(*values, strict=True), number):
    for name, cell in zip(names, cells, strict=True):
      if isinstance(cell, _Undecodable):
        reason = f"{cell.reason} in column {name!r}"
        yield BadRow(row, f"{prefix}{row}", reason, cell.data)
        break
    else:
      yield Row(row, f"{prefix}{row}", dict(zip(names, cells, strict=True)))


class _Undecodable:
  def __init__(self, data: bytes, reason: str):
    self.data = data
    self.reason = reason


def _values(column: Any) -> list[Any]:
  """The column's cells as Python's values; Arrow does not check that its strings are UTF-8."""
  import pyarrow as pa

  if pa.types.is_dictionary(column.type):
    column = column.dictionary_decode()
  if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
    return column.to_pylist()
  wide = pa.types.is_large_string(column.type)
  data = column.cast(pa.large_binary() if wide else pa.binary()).to_pylist()
  return [None if cell is None else _text(cell) for cell in data]


def _text(data: bytes) -> str | _Undecodable:
  try:
    return decode(data)
  except UndecodableError as err:
    return _Undecodable(data, str(err))
