"""Reads Parquet files, one batch of rows at a time. Imports pyarrow when a file is read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pipeline.sources.encoding import UndecodableError, decode, escaped
from pipeline.sources.tables.parquet_files import open_parquet
from pipeline.sources.tables.rows import BadRow, Row, origin_prefix

_SHARD_ROWS = 10_000
_BATCH_ROWS = 1000
# Arrow's conversions raise these for years beyond 9999 and unknown time zones.
_CONVERSION_ERRORS = (ValueError, OverflowError, KeyError)


def columns(file: str) -> list[str]:
  """Returns the names of the columns.

  Raises:
    BadInputError: the file is not a Parquet file.
  """
  with open_parquet(file) as table:
    return list(table.schema_arrow.names)


def plan_file(file: str, wanted: Sequence[str] | None) -> list[dict[str, Any]]:
  """Cuts a file into ranges of rows.

  Raises:
    BadInputError: the file is not a Parquet file.
  """
  with open_parquet(file) as table:
    count = table.metadata.num_rows
  shard = {"file": file, "columns": None if wanted is None else list(wanted)}
  return [
    {**shard, "start": start, "stop": min(start + _SHARD_ROWS, count)}
    for start in range(0, count, _SHARD_ROWS)
  ]


def rows(shard: Mapping[str, Any]) -> Iterator[Row | BadRow]:
  """Yields the rows of one shard: those from `start` to `stop`, counted from 0."""
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
  """Returns the row groups with rows `start` to `stop`, and how many earlier rows they contain."""
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
    found = dict(zip(names, cells, strict=True))
    bad = [(name, cell) for name, cell in found.items() if isinstance(cell, _Unusable)]
    if bad:
      name, cell = bad[0]
      sure = found | {name: escaped(cell.data) if cell.data else None for name, cell in bad}
      reason = f"{cell.reason} in column {name!r}"
      yield BadRow(row, f"{prefix}{row}", reason, cell.data, sure)
    else:
      yield Row(row, f"{prefix}{row}", found)


class _Unusable:
  """A cell whose value cannot be used."""

  def __init__(self, data: bytes, reason: str):
    self.data = data
    self.reason = reason


def _values(column: Any) -> list[Any]:
  """Converts a column to Python values: UTF-8 bytes to text, a float32 to its shortest float."""
  import pyarrow as pa

  if pa.types.is_dictionary(column.type):
    column = column.dictionary_decode()
  kind = column.type
  if pa.types.is_string(kind) or pa.types.is_large_string(kind):
    # Arrow does not check that its strings are UTF-8.
    wide = pa.types.is_large_string(kind)
    data = column.cast(pa.large_binary() if wide else pa.binary()).to_pylist()
    return [None if cell is None else _text(cell) for cell in data]
  if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
    # Hive, Impala and TensorFlow write text as bytes; other bytes may be data.
    return [_text_or_bytes(cell) for cell in column.to_pylist()]
  if pa.types.is_float32(kind):
    return [None if cell is None else _shortest(cell) for cell in column.to_pylist()]
  try:
    return column.to_pylist()
  except _CONVERSION_ERRORS:
    return [_value(cell) for cell in column]


def _text(data: bytes) -> str | _Unusable:
  try:
    return decode(data)
  except UndecodableError as err:
    return _Unusable(data, str(err))


def _text_or_bytes(data: bytes | None) -> str | bytes | None:
  try:
    return None if data is None else decode(data)
  except UndecodableError:
    return data


def _shortest(value: float) -> float:
  """Converts a float32 to the float with the same shortest digits: 0.1, not 0.10000000149011612."""
  import numpy as np

  return float(str(np.float32(value)))


def _value(cell: Any) -> Any:
  try:
    return cell.as_py()
  except _CONVERSION_ERRORS as err:
    return _Unusable(b"", f"a value that Python has no {cell.type} for, {err},")
