"""A row of a table, or what stands where one should be."""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from pipeline.sources import input_paths


class Row(NamedTuple):
  """One usable row.

  Attributes:
    number: the row as a person counts it in the file, from 1; the header of a CSV is row 1.
    origin: the file and the row, such as "reviews.csv, row 7".
    values: column to value: str in CSV and TSV, whatever JSON or Parquet hold elsewhere.
  """

  number: int
  origin: str
  values: dict[str, Any]


class BadRow(NamedTuple):
  """One row that cannot be used.

  Attributes:
    number: as in `Row`.
    origin: as in `Row`.
    reason: what is wrong with it, in words.
    data: the row's raw bytes.
    values: the cells that are sure all the same, of the columns asked for; what is no UTF-8 in
      them has its bytes escaped.
  """

  number: int
  origin: str
  reason: str
  data: bytes
  values: Mapping[str, Any] = MappingProxyType({})


def origin_prefix(file: str) -> str:
  """Returns how messages name a row of the file, up to its number."""
  return f"{input_paths.printable(os.path.basename(file))}, row "
