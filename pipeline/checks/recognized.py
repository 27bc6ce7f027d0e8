"""Findings from what the source recognized: classes without examples, data that is not read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.checks.finding import WARNING, Finding

_ADVICE = (
  "The source saw this before it read anything; the first lines of the run say what it took the "
  "input for."
)


def recognized(summary: Mapping[str, Any]) -> list[Finding]:
  """The source's warnings, in its words.

  Args:
    summary: the quarantine's `summary.json`.
  """
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
