"""`KeepConfig`: the section `keep` of the configuration."""

from __future__ import annotations

import pydantic

from pipeline.params import Section


class KeepConfig(Section):
  """What stays of earlier runs; without a bound, everything does.

  A run leaves the disk as soon as one bound says so, unless it is protected; docs/operations.md has
  the rules.
  """

  runs: int | None = pydantic.Field(
    None,
    ge=1,
    description="of so many of the latest runs everything stays; after a run the files of older "
    "ones are deleted; null keeps all",
  )
  days: float | None = pydantic.Field(
    None,
    gt=0,
    description="files of runs that began more than so many days ago are deleted after a run; null "
    "keeps all",
  )
  max_mb: float | None = pydantic.Field(
    None,
    gt=0,
    description="the most MB of 10^6 bytes that the task's folder may take after a run; files of "
    "the oldest runs are deleted until it does; null sets no bound",
  )

  @property
  def is_set(self) -> bool:
    """Whether there is a bound."""
    return any(bound is not None for bound in (self.runs, self.days, self.max_mb))
