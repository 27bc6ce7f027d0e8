"""The model before, row by row: which answers flipped, both ways."""

from __future__ import annotations

from typing import Any

from pipeline.report.sections.mistakes import safe
from pipeline.runs.report_data import ReportData


def flips(data: ReportData) -> dict[str, Any] | None:
  """Returns the counts, and rows of each way under their headings."""
  found = data.flips
  if found is None:
    return None
  words = ("Nearer now", "Further off now") if found["by_loss"] else ("Right now", "Wrong now")
  return {
    "flips": found,
    "words": words,
    "ways": [
      {"title": title, "count": found[way], "rows": [safe(row) for row in found[f"{way}_rows"]]}
      for title, way in zip(reversed(words), ("worse", "better"), strict=True)
      if found[way]
    ],
  }
