"""`Drift`: what a comparison came to, in a file, and as the house's verdict and finding."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

from dlpipe.artifact_files import ArtifactFile
from dlpipe.verdicts import Ruling, Verdict
from pipeline.drift.comparing import Change
from pipeline.sources import origins

# Beside the past: the last comparison that refused data.
REFUSED_FILE = "drift_refused.json"
WARN, REFUSE, NONE = "warn", "refuse", "none"
_SHOWN = 5
_SAID = 2  # changes in whole sentences


@dataclasses.dataclass(frozen=True, kw_only=True)
class Example:
  """A row of what is new.

  Attributes:
    origin: where it comes from; empty if unknown.
    split: its split; empty for a request.
    why: the features that are new in it, with its values.
    text: the text, cut; empty for a picture.
    picture: the picture in base64, made smaller if it is large; empty for a text.
  """

  origin: str
  split: str = ""
  why: tuple[str, ...] = ()
  text: str = ""
  picture: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Drift(ArtifactFile):
  """`drift.json`: the data of a run, compared with those that the served version was trained on.

  Attributes:
    severity: `warn` or `refuse`: what a change does to the run.
    span: the newest span, which alone is compared, of data in spans; empty for all of the data.
    version: the version whose data they are compared with; None if there was nothing to compare.
    data: the text that tells this run's data apart, as `Profile.data`.
    reference: that of the version's data.
    changes: every feature, the changed ones first.
    examples: rows of what is new.
    notes: sentences on what was not compared, and why.
  """

  FILE: ClassVar[str] = "drift.json"

  severity: str
  span: str = ""
  version: int | None = None
  data: str = ""
  reference: str = ""
  changes: tuple[Change, ...] = ()
  examples: tuple[Example, ...] = ()
  notes: tuple[str, ...] = ()

  @property
  def drifted(self) -> tuple[Change, ...]:
    """Returns the features that have changed."""
    return tuple(change for change in self.changes if change.drifted)

  @property
  def _data(self) -> str:
    return f"The data of span {self.span}" if self.span else "The data"

  @property
  def verdict(self) -> Verdict:
    """The gate's verdict: a ruling a feature if a change refuses the data, else warnings."""
    if self.severity != REFUSE:
      return Verdict(rulings=(), warnings=tuple(change.sentence for change in self.drifted))
    return Verdict(
      rulings=tuple(
        Ruling(
          metric=f"drift of {change.feature}",
          bound=change.words_of_bound,
          value=change.value,
          passed=not change.drifted,
          reason=change.sentence,
        )
        for change in self.changes
      )
    )

  @property
  def findings(self) -> list[dict[str, Any]]:
    """The finding that stops nothing, as those of DataGate; none if nothing has changed."""
    drifted = self.drifted
    if not drifted or self.severity == REFUSE:
      return []
    first = "; ".join(change.sentence for change in drifted[:_SAID])
    others = ", ".join(change.feature for change in drifted[_SAID:])
    found: Mapping[str, Any] = {
      "name": "drift",
      "level": "warning",
      "count": len(drifted),
      "what": (
        f"{self._data} differ from those of version {self.version}, which is served: {first}"
        f"{f'; also {others}' if others else ''}."
      ),
      "advice": (
        "Look at the examples of what is new in the report. With gates.drift=refuse such data stop "
        "the run."
      ),
      "details": [change.sentence for change in drifted],
    }
    return [dict(found)]

  @property
  def shown_findings(self) -> list[dict[str, Any]]:
    """The findings with their examples, as those of `dlpipe check`."""
    rows = [[_shown(example)] for example in self.examples[:_SHOWN]]
    return [{**finding, "examples": rows} for finding in self.findings]

  def refusal(self) -> str:
    """Returns the message of a refusal: each change, some rows of what is new, what to do."""
    rulings = [ruling for ruling in self.verdict.rulings if not ruling.passed]
    lines = [
      (
        f"{self._data} differ from those of version {self.version}, which is served: "
        f"{len(rulings)} of {len(self.changes)} features changed (gates.drift=refuse)."
      )
    ]
    lines += [f"- {r.reason} ({r.value:.3g} bits, must be {r.bound})" for r in rulings]
    shown = [example for example in self.examples if example.origin][:_SHOWN]
    if shown:
      lines.append("Rows of what is new:")
      lines += [f"  {example.origin}: {', '.join(example.why)}" for example in shown]
    lines += [
      "What to do:",
      "  Mend the data, if something went wrong where they come from.",
      "  If the world has changed, train on it knowingly: --set gates.drift=warn",
    ]
    return "\n".join(lines)


def _shown(example: Example) -> dict[str, str]:
  """Returns an example as a finding of `dlpipe check` has it: with its file, or its row."""
  place = origins.place(example.origin) if example.origin else None
  row = {"split": example.split, "label": ", ".join(example.why), "input": example.text}
  if place is not None and place.is_file:
    return {**row, "file": place.file}
  return {**row, "origin": example.origin}
