"""`Verdict`: the decision of a gate on a model, with one `Ruling` for each bound.

The gate judges once and writes its verdict to a file. Exit code, `--json`, terminal, report and
history read the file; none of them compares a number with a bound. Imports only this package.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

from dlpipe.artifact_files import ArtifactFile


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ruling(ArtifactFile):
  """One bound, the measured value, and whether the bound held.

  >>> ruling = dlpipe.Ruling(
  ...   metric="accuracy", bound=">= 0.9", value=0.93, passed=True, reason="below, no use"
  ... )
  >>> ruling.passed
  True

  Attributes:
    metric: name of the metric.
    bound: the bound in words, such as ">= 0.9", or a number.
    value: the measured value; None if it was not measured.
    passed: whether the bound held.
    reason: why the bound exists, and why the value was not measured, if it was not.
    interval: `(low, high)`, the 95 % confidence interval of the value; None if unknown.
  """

  metric: str
  bound: str | float
  value: float | None
  passed: bool
  reason: str = ""
  interval: tuple[float, float] | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Verdict(ArtifactFile):
  """The decision of one gate; the model passed if every bound held.

  Attributes:
    rulings: one for each bound, in the gate's order; the key is `gates` in the file.
    warnings: sentences that limit how far the verdict can be trusted.
  """

  FILE: ClassVar[str] = "verdict.json"

  rulings: tuple[Ruling, ...]
  warnings: tuple[str, ...] = ()

  @property
  def passed(self) -> bool:
    """Whether this gate allows the model to be pushed."""
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
    """Reads the file of any gate with the key `gates`; `warnings` may be absent."""
    return cls(
      rulings=tuple(Ruling.from_json(row) for row in document.get("gates", ())),
      warnings=tuple(document.get("warnings", ())),
    )
