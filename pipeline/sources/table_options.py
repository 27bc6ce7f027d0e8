"""The types of the data options that every task with tables has in its `DataOptions`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

Separator = Annotated[
  str | None,
  Field(
    description="CSV and TSV: the character between fields, as itself or as `comma`, `semicolon`, "
    "`tab`, `pipe` or `space`; null takes a comma for `.csv`, a tab for `.tsv`"
  ),
]
Header = Annotated[
  bool | None,
  Field(
    description="CSV and TSV: false where the first row is data, then columns are called `1`, `2` "
    "and so on; true where it names columns; null takes it for a header and refuses one that looks "
    "like data"
  ),
]
SplitColumn = Annotated[
  str | None,
  Field(
    description="tables: the column that names the split (`train`, `val`, `eval`, `test` or "
    "empty); null draws the splits"
  ),
]
