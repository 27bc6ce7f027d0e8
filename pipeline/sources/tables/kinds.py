"""Recognizes the kind of a table by the names of its files."""

from __future__ import annotations

import os

CSV, TSV, JSONL, PARQUET = "CSV", "TSV", "JSONL", "Parquet"
SEPARATORS = {CSV: ",", TSV: "\t"}

_SUFFIXES = {
  ".csv": CSV,
  ".tsv": TSV,
  ".jsonl": JSONL,
  ".ndjson": JSONL,
  ".parquet": PARQUET,
}


def kind_of(file: str) -> str | None:
  """Returns the kind of a file by its name; None for other files."""
  name = file.lower()
  kind = _SUFFIXES.get(os.path.splitext(name.removesuffix(".gz"))[1])
  return None if kind == PARQUET and name.endswith(".gz") else kind
