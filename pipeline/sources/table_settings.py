"""What the settings of every task that reads tables mean, and what their values may be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

TABLE_SETTINGS: Mapping[str, Any] = {
  "data.separator": Annotated[
    str | None,
    Field(
      description=(
        "CSV and TSV: the character between fields, as itself or as `comma`, "
        "`semicolon`, `tab`, `pipe` or `space`; null takes a comma for `.csv`, a tab "
        "for `.tsv`"
      )
    ),
  ],
  "data.header": Annotated[
    bool | None,
    Field(
      description=(
        "CSV and TSV: false where the first row is data, then columns are called `1`, "
        "`2` and so on; true where it names columns; null takes it for a header and "
        "refuses one that looks like data"
      )
    ),
  ],
}
