"""Defines the options that a user sets with `--set data.<name>=...`."""

from __future__ import annotations

from pydantic import Field

from pipeline.params import DataOptions
from pipeline.sources.table_options import Header, Separator, SplitColumn
from pipeline.tasks.translation.sources.records import MAX_CHARS


class PairOptions(DataOptions):
  """The data options of the translation task."""

  max_chars: int = Field(
    MAX_CHARS, ge=1, description="a pair with more characters on either side is quarantined"
  )
  source_column: str | None = Field(
    None,
    description="the column that holds the sentence, by its name in a table or by its number from "
    "1; null looks for it",
  )
  target_column: str | None = Field(
    None, description="the column that holds its translation, likewise"
  )
  separator: Separator = None
  header: Header = None
  split_column: SplitColumn = None
  reverse: bool = Field(False, description="translate from the second side to the first")
  source_language: str | None = Field(
    None,
    description="aligned files: the ending of the source's files, such as `en`; null takes the "
    "first",
  )
  target_language: str | None = Field(
    None, description="aligned files: the ending of the target's files"
  )
