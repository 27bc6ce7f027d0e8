"""Decides whether the first row of a CSV or TSV names columns or is a row of data."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence

from pipeline.sources.class_counts import names as shown
from pipeline.sources.tables import delimited
from pipeline.sources.tables.rows import Row

_LOOKED_AT = 1000  # rows
_SHOWN = 20  # columns


def data_in(file: str, first: Sequence[str], separator: str, names: Collection[str]) -> str:
  """Returns why the first row looks like data: a later row repeats one of its fields; else empty.

  Args:
    file: the path.
    first: the first row's fields.
    separator: the character between fields.
    names: the fields to check.
  """
  named = [name for name in first if name]
  if any(named == [str(start + n) for n in range(len(named))] for start in (0, 1)):
    return ""  # as pandas numbers columns
  places = {name: place for place, name in enumerate(first) if name}
  looked_at = [name for name in places if name in names]
  shard = {
    "file": file,
    "names": delimited.names_of(first, has_header=False),
    "columns": None,
    "separator": separator,
    "has_header": False,
    "start": 0,
    "stop": None,
    "number": 1,
  }
  for row in itertools.islice(delimited.rows(shard), 1, _LOOKED_AT):
    if not isinstance(row, Row):
      continue
    values = list(row.values.values())
    if [value.strip() for value in values] == list(first):
      continue  # a repeated header, as in joined files
    for name in looked_at:
      if values[places[name]].strip() == name:
        return f"{shown([name])} stands in row {row.number}, too"
  return ""


def numbered(first: Sequence[str]) -> str:
  """Lists the columns of a table without a header, for messages."""
  listed = [f"{number} ({shown([field])})" for number, field in enumerate(first[:_SHOWN], 1)]
  more = len(first) - len(listed)
  return ", ".join(listed) + (f" and {more} more" if more else "")


def commands(set_with: str, flags: Collection[str]) -> str:
  """Returns the settings that read a table without a header.

  Args:
    set_with: prefix of a setting on the command line.
    flags: the options that name a column, such as `--set data.text_column=...`.
  """
  chosen = [flag.replace("=...", "=NUMBER") for flag in dict.fromkeys(flags)]
  return " ".join([f"{set_with}header=false", *chosen])
