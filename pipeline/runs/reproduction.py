"""Compares a run with its repetition: metrics, and the code, data and packages that differ."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from tfx.orchestration import metadata

from pipeline.runs import changes
from pipeline.runs.lineage import PastRun

# The model before, which a repeated run does not have.
_COMPARED_SUFFIX = "_diff"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Reproduction:
  """A run beside its repetition.

  Attributes:
    metrics: by name its value in both; of those that either has.
    packages: by name the versions of both, if they differ.
    nodes: by node the fingerprints of code and data that differ.
    tolerance: the largest difference of two values that counts as none.
  """

  metrics: Mapping[str, tuple[float | None, float | None]]
  packages: Mapping[str, tuple[str | None, str | None]]
  nodes: Mapping[str, Sequence[str]]
  tolerance: float

  @property
  def is_equal(self) -> bool:
    """Whether there are metrics, and all are the same."""
    return bool(self.metrics) and all(self.has_same(name) for name in self.metrics)

  def has_same(self, name: str) -> bool:
    """Returns whether a metric is the same in both, within the tolerance."""
    before, after = self.metrics[name]
    if before is None or after is None:
      return False
    if math.isnan(before) or math.isnan(after):
      return math.isnan(before) and math.isnan(after)
    return abs(before - after) <= self.tolerance

  def to_json(self) -> dict[str, Any]:
    """Returns the object `--json` prints."""
    return {"is_equal": self.is_equal, **dataclasses.asdict(self)}


def compare(
  original: tuple[metadata.Metadata, PastRun],
  repeated: tuple[metadata.Metadata, PastRun],
  *,
  packages: tuple[Mapping[str, str], Mapping[str, str]],
  tolerance: float,
) -> Reproduction:
  """Compares a repeated run with the first.

  Args:
    original: the first run and the open store that has it.
    repeated: the repetition, and its own open store.
    packages: package to version, of each.
    tolerance: the largest difference of a metric's values that counts as none.
  """
  before, after = original[1].metrics, repeated[1].metrics
  names = sorted(name for name in {*before, *after} if not name.endswith(_COMPARED_SUFFIX))
  return Reproduction(
    metrics={name: (before.get(name), after.get(name)) for name in names},
    packages={
      name: (packages[0].get(name), packages[1].get(name))
      for name in sorted({*packages[0], *packages[1]})
      if packages[0].get(name) != packages[1].get(name)
    },
    nodes=_fingerprints(original, repeated),
    tolerance=tolerance,
  )


def _fingerprints(
  original: tuple[metadata.Metadata, PastRun], repeated: tuple[metadata.Metadata, PastRun]
) -> dict[str, list[str]]:
  earlier = {each["id"]: each["execution_id"] for each in original[1].nodes}
  found = {}
  for each in repeated[1].nodes:
    if each["id"] in earlier:
      between = changes.between(
        changes.read(original[0], earlier[each["id"]]),
        changes.read(repeated[0], each["execution_id"]),
      )
      kinds = [c.kind for c in between if c.kind in (changes.CODE, changes.DATA)]
      if kinds:
        found[each["id"]] = kinds
  return found
