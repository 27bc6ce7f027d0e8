"""A row of a table, or what stands where one should be."""

from __future__ import annotations

import os
from typing import Any, NamedTuple


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
  """

  number: int
  origin: str
  reason: str
  data: bytes


def origin(file: str, number: int) -> str:
  """How messages name a row."""
  name = os.path.basename(file).encode("utf-8", "backslashreplace").decode("utf-8")
  return f"{name}, row {number}"
