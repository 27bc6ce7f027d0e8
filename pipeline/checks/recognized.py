"""Findings from what the source recognized: classes without examples, data that is not read."""

from __future__ import annotations

import json
import pathlib

from pipeline.checks.findings import WARNING, Finding

_ADVICE = (
  "The source saw this before it read anything; the first lines of the run say what it took the "
  "input for."
)


def recognized(quarantine: pathlib.Path) -> list[Finding]:
  """The source's warnings, in its words.

  Args:
    quarantine: directory of the `Quarantine` artifact.
  """
  summary = json.loads((quarantine / "summary.json").read_text(encoding="utf-8"))
  return [
    Finding(
      name="recognized",
      level=WARNING,
      count=1,
      what=f"{warning[0].upper()}{warning[1:]}.",
      advice=_ADVICE,
    )
    for warning in summary.get("recognized", {}).get("warnings", ())
  ]
