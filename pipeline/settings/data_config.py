"""`DataConfig`: the settings of `data` that every task has. Imports neither TensorFlow nor TFX."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import pydantic

from pipeline.params import Section


class DataConfig(Section):
  """The input, its splits, and how many bad records are allowed."""

  source: str | None = pydantic.Field(
    None, description="the layout to read, by name; null takes the first that fits"
  )
  max_bad_fraction: float = pydantic.Field(
    0.05,
    ge=0,
    le=1,
    description="the largest part of all records that may be quarantined; more, and "
    "DataGate refuses (exit 3)",
  )
  val_fraction: float = pydantic.Field(
    0.1,
    gt=0,
    lt=0.5,
    description="part of the drawn records that goes to val, above 0 and below 0.5",
  )
  eval_fraction: float = pydantic.Field(0.1, gt=0, lt=0.5, description="the same for eval")
  min_severity: Literal["WARNING", "ERROR"] = pydantic.Field(
    "ERROR", description="the mildest schema anomaly that stops the run: `ERROR` or `WARNING`"
  )
  allow_lost_classes: bool = pydantic.Field(
    False,
    description=(
      "whether a class may be missing because none of its inputs can be used; else "
      "DataGate refuses (exit 3)"
    ),
  )
  relabel: str | None = pydantic.Field(
    None,
    description="a CSV with the columns `origin` and `new_label`, such as `dlpipe check --labels "
    "--suspects FILE.csv` writes: these labels replace those of the data, which stays untouched",
  )
  window: int | None = pydantic.Field(
    None,
    ge=1,
    description="with `--data 'inbox/{date}/'` or `{span}`: the run sees the last so many spans, "
    "days or numbers; null takes all",
  )
  last_span: str | None = pydantic.Field(
    None,
    description="the last span of the window, such as `2026-11-30`; null takes the newest there is",
  )
  missing_span: Literal["warn", "refuse"] = pydantic.Field(
    "warn",
    description="what DataGate does about a span that is missing, empty, too small, the same as "
    "another, or has too much that cannot be used: `warn`, or `refuse` (exit 3)",
  )
  min_span_size: float = pydantic.Field(
    0.1,
    ge=0,
    lt=1,
    description="a span with no more rows than this part of the window's median is too small",
  )
  options: dict[str, Any] = {}
  # The settings that only data with spans has.
  of_spans: ClassVar[tuple[str, ...]] = ("window", "last_span", "missing_span", "min_span_size")

  @property
  def of_faulty_spans(self) -> dict[str, Any]:
    """The parameters of DataGate about spans."""
    return {"missing_span": self.missing_span, "min_span_size": self.min_span_size}
