"""Writes rows as Parquet, and joins parts in which a column may have different types.

Columns of Parquet input and the model's outputs keep their types. The type of other columns follows
their values: integers, floats, booleans or text; text if they are mixed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from pipeline.batch.columns import Layout
from pipeline.sources.tables.parquet_files import open_parquet

_GROUP_ROWS = 100_000
_GROUP_BYTES = 64 << 20


def write(path: str, layout: Layout, columns: Sequence[Sequence[Any]]) -> None:
  """Writes one part; `columns` hold the values of `layout.names`."""
  arrays = [
    _array(values, layout.types.get(name))
    for name, values in zip(layout.names, columns, strict=True)
  ]
  parquet.write_table(pa.Table.from_arrays(arrays, names=layout.names), path)


def join(
  parts: Sequence[tuple[str, int]], targets: Sequence[tuple[str, int]], layout: Layout
) -> None:
  """Joins parts (path, rows) into files (path, rows); holds one row group in memory."""
  schema = _common_schema((_schema(part) for part, _ in parts), layout)
  tables = _tables([part for part, _ in parts], schema)
  rest = schema.empty_table()
  for path, rows in targets:
    with parquet.ParquetWriter(path, schema) as writer:
      while rows:
        while not len(rest):
          rest = next(tables)
        taken = rest.slice(0, rows)
        writer.write_table(taken)
        rest, rows = rest.slice(len(taken)), rows - len(taken)


def _array(values: Sequence[Any], type_: Any) -> Any:
  if type_ is not None:
    return pa.array(values, type_)
  kinds = {type(value) for value in values if value is not None}
  if not (kinds <= {int, float} or kinds <= {bool} or kinds <= {str}):
    return _texts(values)
  try:
    return pa.array(values)
  except (pa.ArrowException, OverflowError):  # a number of more than 64 bits
    return _texts(values)


def _texts(values: Sequence[Any]) -> Any:
  return pa.array(
    [value if value is None or isinstance(value, str) else _json(value) for value in values],
    pa.string(),
  )


def _json(value: Any) -> str:
  return json.dumps(value, ensure_ascii=False, default=str)


def _schema(part: str) -> Any:
  with open_parquet(part) as file:
    return file.schema_arrow


def _common_schema(schemas: Iterable[Any], layout: Layout) -> Any:
  found: dict[str, list[Any]] = {name: [] for name in layout.names}
  for schema in schemas:
    for field in schema:
      if field.type not in found[field.name]:
        found[field.name].append(field.type)
  return pa.schema(
    [(name, layout.types.get(name) or _common_type(types)) for name, types in found.items()]
  )


def _common_type(types: Sequence[Any]) -> Any:
  known = [type_ for type_ in types if not pa.types.is_null(type_)]
  if len(known) == 1:
    return known[0]
  if known and set(known) <= {pa.int64(), pa.float64()}:
    return pa.float64()
  return pa.string()


def _tables(parts: Iterable[str], schema: pa.Schema) -> Iterator[pa.Table]:
  """Yields tables of the size of a row group."""
  waiting: list[pa.Table] = []
  for part in parts:
    with open_parquet(part) as file:
      columns = file.read(use_threads=False).columns
    cast = [column.cast(type_) for column, type_ in zip(columns, schema.types, strict=True)]
    waiting.append(pa.Table.from_arrays(cast, schema=schema))
    rows, size = sum(map(len, waiting)), sum(table.nbytes for table in waiting)
    if rows >= _GROUP_ROWS or size >= _GROUP_BYTES:
      yield pa.concat_tables(waiting).combine_chunks()
      waiting = []
  if waiting:
    yield pa.concat_tables(waiting).combine_chunks()
