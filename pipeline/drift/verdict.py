"""`Drift`: what a comparison came to, in a file, and as the house's verdict and finding."""

from __future__ import annotations

import dataclasses
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
class LateSpan:
  """A span that came late, or was corrected after it was compared.

  Attributes:
    span: its name.
    changes: every feature, the changed ones first.
    examples: rows of what is new.
  """

  span: str
  changes: tuple[Change, ...] = ()
  examples: tuple[Example, ...] = ()

  @property
  def drifted(self) -> tuple[Change, ...]:
    """The features that have changed."""
    return tuple(change for change in self.changes if change.drifted)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Drift(ArtifactFile):
  """`drift.json`: the data of a run, compared with those that the served version was trained on.

  Attributes:
    severity: `warn` or `refuse`: what a change does to the run.
    span: the newest span, which is compared, of data in spans; empty for all of the data.
    version: the version whose data they are compared with; None if there was nothing to compare.
    data: the text that tells this run's data apart, as `Profile.data`.
    reference: that of the version's data.
    changes: every feature, the changed ones first.
    examples: rows of what is new.
    notes: sentences on what was not compared, and why.
    late: the older spans that were not compared before as they are now.
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
  late: tuple[LateSpan, ...] = ()

  @property
  def drifted(self) -> tuple[Change, ...]:
    """The features that have changed."""
    return tuple(change for change in self.changes if change.drifted)

  @property
  def parts(self) -> tuple[LateSpan, ...]:
    """What was compared: the newest span, or all of the data, and the late ones."""
    return (LateSpan(span=self.span, changes=self.changes, examples=self.examples), *self.late)

  @property
  def verdict(self) -> Verdict:
    """The gate's verdict: a ruling a feature if a change refuses the data, else warnings."""
    if self.severity != REFUSE:
      warnings = [change.sentence for part in self.parts for change in part.drifted]
      return Verdict(rulings=(), warnings=tuple(warnings))
    return Verdict(
      rulings=tuple(
        Ruling(
          metric=f"drift of {change.feature}{f' in span {part.span}' if number else ''}",
          bound=change.words_of_bound,
          value=change.value,
          passed=not change.drifted,
          reason=change.sentence,
        )
        for number, part in enumerate(self.parts)
        for change in part.changes
      )
    )

  @property
  def findings(self) -> list[dict[str, Any]]:
    """The findings that stop nothing, as those of DataGate; none if nothing has changed."""
    if self.severity == REFUSE:
      return []
    return [self._finding(part) for part in self.parts if part.drifted]

  @property
  def shown_findings(self) -> list[dict[str, Any]]:
    """The findings with their examples, as those of `dlpipe check`."""
    drifted = [part for part in self.parts if part.drifted]
    return [
      {**finding, "examples": [[_shown(example)] for example in part.examples[:_SHOWN]]}
      for finding, part in zip(self.findings, drifted, strict=False)
    ]

  def refusal(self) -> str:
    """Returns the message of a refusal: each change, some rows of what is new, what to do."""
    lines = []
    for part in self.parts:
      if not part.drifted:
        continue
      lines.append(
        f"{self._differ(part)}: {len(part.drifted)} of {len(part.changes)} features changed "
        "(gates.drift=refuse)."
      )
      lines += [
        f"- {change.sentence} ({change.value:.3g} bits, must be {change.words_of_bound})"
        for change in part.drifted
      ]
      shown = [example for example in part.examples if example.origin][:_SHOWN]
      if shown:
        lines.append("Rows of what is new:")
        lines += [f"  {example.origin}: {', '.join(example.why)}" for example in shown]
    lines += [
      "What to do:",
      "  Mend the data, if something went wrong where they come from.",
      "  If the world has changed, train on it knowingly: --set gates.drift=warn",
    ]
    return "\n".join(lines)

  def _finding(self, part: LateSpan) -> dict[str, Any]:
    first = "; ".join(change.sentence for change in part.drifted[:_SAID])
    others = ", ".join(change.feature for change in part.drifted[_SAID:])
    return {
      "name": "drift",
      "level": "warning",
      "count": len(part.drifted),
      "what": f"{self._differ(part)}: {first}{f'; also {others}' if others else ''}.",
      "advice": (
        "Look at the examples of what is new in the report. With gates.drift=refuse such data stop "
        "the run."
      ),
      "details": [change.sentence for change in part.drifted],
    }

  def _differ(self, part: LateSpan) -> str:
    data = f"The data of span {part.span}" if part.span else "The data"
    late = "" if part.span == self.span else ", which is new or corrected since it was compared,"
    return f"{data}{late} differ from those of version {self.version}, which is served"


def _shown(example: Example) -> dict[str, str]:
  """Returns an example as a finding of `dlpipe check` has it: with its file, or its row."""
  place = origins.place(example.origin) if example.origin else None
  row = {"split": example.split, "label": ", ".join(example.why), "input": example.text}
  if place is not None and place.is_file:
    return {**row, "file": place.file}
  return {**row, "origin": example.origin}
