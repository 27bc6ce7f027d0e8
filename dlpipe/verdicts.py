"""`Verdict`: what a gate ruled on a model, bound by bound.

The gate judges once and writes its verdict down. Exit code, `--json`, terminal, report and history
read it; none of them compares a number with a bound. Imports only the ground.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

from dlpipe.artifact_files import ArtifactFile


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ruling(ArtifactFile):
  """One bound, what was measured, and whether the bound held.

  >>> ruling = dlpipe.Ruling(
  ...   metric="accuracy", bound=">= 0.9", value=0.93, passed=True, reason="below, no use"
  ... )
  >>> ruling.passed
  True

  Attributes:
    metric: what was measured.
    bound: what had to hold, in words such as ">= 0.9", or a bare number.
    value: what was measured; None if nothing was.
    passed: whether the bound held.
    reason: why the bound is there; and why nothing was measured, if nothing was.
    interval: what 95 % of eval splits of this size would find, `(low, high)`; None if unknown.
  """

  metric: str
  bound: str | float
  value: float | None
  passed: bool
  reason: str = ""
  interval: tuple[float, float] | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Verdict(ArtifactFile):
  """What one gate ruled; the model passed if every bound held.

  Attributes:
    rulings: each bound, in the gate's order; `gates` in the file.
    warnings: sentences on what a person must know before believing it.
  """

  FILE: ClassVar[str] = "verdict.json"

  rulings: tuple[Ruling, ...]
  warnings: tuple[str, ...] = ()

  @property
  def passed(self) -> bool:
    """Returns whether the model may be pushed, as far as this gate knows."""
    return all(ruling.passed for ruling in self.rulings)

  @property
  def failed(self) -> list[str]:
    """The metrics whose bounds did not hold."""
    return [ruling.metric for ruling in self.rulings if not ruling.passed]

  def to_json(self) -> dict[str, Any]:
    """Returns the content of the file."""
    gates = [ruling.to_json() for ruling in self.rulings]
    return {"passed": self.passed, "gates": gates, "warnings": list(self.warnings)}

  @classmethod
  def from_json(cls, document: Mapping[str, Any]) -> Verdict:
    """Returns the verdict in any gate's file that has `gates`, with or without `warnings`."""
    return cls(
      rulings=tuple(Ruling.from_json(row) for row in document.get("gates", ())),
      warnings=tuple(document.get("warnings", ())),
    )
