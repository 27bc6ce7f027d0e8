"""Defines the options that a user sets with `--set data.<name>=...`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.params import DataOptions
from pipeline.sources.table_options import Header, Separator, SplitColumn
from pipeline.tasks.sentiment.sources.records import MAX_CHARS


class TextOptions(DataOptions):
  """The data options of the sentiment task."""

  max_chars: int = Field(MAX_CHARS, ge=1, description="a text of more characters is quarantined")
  text_column: str = Field("text", description="tables: the column that holds the text")
  label_column: str = Field("label", description="tables: the column that holds the label")
  separator: Separator = None
  header: Header = None
  split_column: SplitColumn = None
  text_feature: str | None = Field(
    None, description="TFRecord: the feature that holds the text; null looks for it"
  )
  label_feature: str | None = Field(
    None, description="TFRecord: the feature that holds the label; null looks for it"
  )
  label_from: Literal["name", "prefix", "first", "last"] | None = Field(
    None,
    description="files of lines: where the label stands: `name` (of the file), `prefix` "
    "(`__label__pos`), `first` (before the first tab), `last` (after the last tab); null looks at "
    "the lines",
  )
