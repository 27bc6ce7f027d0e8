"""`findings`: what DataGate writes beside its verdict, from the counts of a run's data alone.

`dlpipe check` shows the same, and what it finds in the examples. DataGate calls it by its dotted
path, because components know no pipeline.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from dlpipe.records import SPLITS
from pipeline.checks.finding import WARNING, Finding
from pipeline.checks.judging import about_judging
from pipeline.checks.label_findings import about_labels

_SHOWN = 5
_ADVICE = (
  "The source saw this before it read anything; the first lines of the run say what it took the "
  "input for."
)


def findings(
  summary: Mapping[str, Any], gates: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
  """Findings as JSON, without examples: `name`, `level`, `count`, `what`, `advice`, `details`.

  Args:
    summary: the quarantine's `summary.json`.
    gates: the model's gates, as `about_judging` takes them.

  Returns:
    Warnings first.
  """
  return _findings(summary, gates, labels_by_split(summary))


def of_several_labels(
  summary: Mapping[str, Any], gates: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
  """The same where a row has any number of labels: their counts do not add up to rows.

  Bounds are held against the number of rows alone.
  """
  return _findings(summary, gates, {})


def _findings(
  summary: Mapping[str, Any],
  gates: Sequence[Mapping[str, Any]],
  classes: Mapping[str, Mapping[str, int]],
) -> list[dict[str, Any]]:
  found = [
    *about_judging(summary.get("examples") or {}, classes, gates),
    *_lost_labels(summary.get("lost") or {}),
    *_recognized(summary),
    *about_labels(labels_by_split(summary)),
  ]
  found.sort(key=lambda finding: finding.level != WARNING)
  return [finding_json(finding) for finding in found]


def labels_by_split(summary: Mapping[str, Any]) -> dict[str, dict[str, int]]:
  """Examples by split and label, the splits in their usual order; empty without classes."""
  labels = summary.get("labels") or {}
  return {s: labels.get(s, {}) for s in SPLITS} if any(labels.values()) else {}


def finding_json(finding: Finding) -> dict[str, Any]:
  """A finding without its examples."""
  found = dataclasses.asdict(finding)
  del found["examples"]
  return {**found, "details": list(finding.details)}


def _lost_labels(lost: Mapping[str, Mapping[str, Any]]) -> list[Finding]:
  if not lost:
    return []
  details = []
  for label, facts in lost.items():
    reasons = "; ".join(f"{why} ({count:,})" for why, count in facts["reasons"].items())
    details.append(f"{label!r}: {facts['inputs']:,} quarantined: {reasons}")
  return [
    Finding(
      name="lost_labels",
      level=WARNING,
      count=len(lost),
      what=f"{len(lost):,} label{'s' if len(lost) != 1 else ''} without one usable example.",
      advice="No model of this data will ever answer so. Mend their inputs, or remove them.",
      details=tuple(details[:_SHOWN]),
    )
  ]


def _recognized(summary: Mapping[str, Any]) -> list[Finding]:
  """The source's warnings, in its words."""
  return [
    Finding(
      name="recognized",
      level=WARNING,
      count=1,
      what=f"{warning[0].upper()}{warning[1:]}.",
      advice=_ADVICE,
    )
    for warning in (summary.get("recognized") or {}).get("warnings", ())
  ]
