"""The rows of a table: usable and bad ones."""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from pipeline.sources import input_paths, origins


class Row(NamedTuple):
  """One usable row.

  Attributes:
    number: number of the row in the file, from 1; the header of a CSV is row 1.
    origin: the file and the row, such as "reviews.csv, row 7".
    values: column to value: str in CSV and TSV, any type in JSON and Parquet.
  """

  number: int
  origin: str
  values: dict[str, Any]


class BadRow(NamedTuple):
  """One row that cannot be used.

  Attributes:
    number: as in `Row`.
    origin: as in `Row`.
    reason: why it cannot be used.
    data: the row's raw bytes.
    values: the requested cells that are certain in spite of the fault; bytes that are not UTF-8
      are escaped.
  """

  number: int
  origin: str
  reason: str
  data: bytes
  values: Mapping[str, Any] = MappingProxyType({})


def origin_prefix(file: str) -> str:
  """Returns the name of a row in messages, up to its number."""
  return f"{input_paths.printable(os.path.basename(file))}{origins.ROW}"
