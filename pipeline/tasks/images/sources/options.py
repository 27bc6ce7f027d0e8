"""Defines the options that a user sets with `--set data.<name>=...`."""

from __future__ import annotations

from pydantic import Field

from pipeline.params import DataOptions
from pipeline.sources.table_options import Header, Separator, SplitColumn


class ImageOptions(DataOptions):
  """The data options of the images task."""

  max_pixels: int = Field(
    50_000_000,
    ge=1,
    description="a picture with more pixels, width times height, is quarantined and not decoded",
  )
  path_column: str = Field("path", description="tables: the column that names the picture")
  label_column: str = Field("label", description="tables: the column that holds the label")
  separator: Separator = None
  header: Header = None
  split_column: SplitColumn = None
  image_feature: str | None = Field(
    None, description="TFRecord: the feature that holds the picture; null looks for it"
  )
  label_feature: str | None = Field(
    None, description="TFRecord: the feature that holds the label; null looks for it"
  )
