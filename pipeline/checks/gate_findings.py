"""`findings` computes the findings that DataGate writes beside its verdict, from counts alone.

`dlpipe check` shows the same findings, and those about single examples. DataGate calls `findings`
by its dotted path, because components do not import `pipeline`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from dlpipe.records import SPLITS
from pipeline.checks.finding import WARNING, Finding
from pipeline.checks.judging import about_judging
from pipeline.checks.label_findings import about_labels
from pipeline.sources.tables.delimited_records import CUT_OFF

_SHOWN = 5
_ADVICE = (
  "The source saw this before it read anything; the first lines of the run say what it took the "
  "input for."
)


def findings(
  summary: Mapping[str, Any], gates: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
  """Returns findings as JSON: `name`, `level`, `count`, `what`, `advice` and `details`.

  Args:
    summary: the quarantine's `summary.json`.
    gates: the model's gates, as in `about_judging`.

  Returns:
    The findings, warnings first.
  """
  return _findings(summary, gates, labels_by_split(summary))


def of_several_labels(
  summary: Mapping[str, Any], gates: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
  """Returns the same findings if a row may have several labels, so that counts exceed rows.

  Only the number of rows decides whether a gate's bound can be judged.

  Args:
    summary: as in `findings`.
    gates: as in `findings`.
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
    *_cut_off(summary.get("reasons") or {}),
    *_recognized(summary),
    *about_labels(labels_by_split(summary)),
  ]
  found.sort(key=lambda finding: finding.level != WARNING)
  return [finding_json(finding) for finding in found]


def labels_by_split(summary: Mapping[str, Any]) -> dict[str, dict[str, int]]:
  """Returns the number of examples by split and label; empty if the data has no classes."""
  labels = summary.get("labels") or {}
  return {s: labels.get(s, {}) for s in SPLITS} if any(labels.values()) else {}


def finding_json(finding: Finding) -> dict[str, Any]:
  """Returns a finding as JSON, without its examples."""
  found = dataclasses.asdict(finding)
  del found["examples"], found["suggested"]
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


def _cut_off(reasons: Mapping[str, int]) -> list[Finding]:
  """Returns a finding if a table ends within a row: it is one bad row, and how many are missing?"""
  files = sum(count for reason, count in reasons.items() if reason.startswith(CUT_OFF))
  if not files:
    return []
  return [
    Finding(
      name="cut_off",
      level=WARNING,
      count=files,
      what=f"{files:,} file{'s' if files != 1 else ''} may be cut off: the last row is not whole.",
      advice="The rejected records name the file. Compare its size with where it comes from.",
    )
  ]


def _recognized(summary: Mapping[str, Any]) -> list[Finding]:
  """Returns a finding for each warning of the source, with its text."""
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
