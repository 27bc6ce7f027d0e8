"""What the model says that it does not know: what was asked of its sets, and what came on eval."""

from __future__ import annotations

from typing import Any

from pipeline.report.formats import is_number
from pipeline.runs.report_data import ReportData


def doubts(data: ReportData) -> dict[str, Any] | None:
  """Returns the sentences of the training, and rows of what was asked and what eval measured."""
  record = data.certainty
  if record is None:
    return None
  metrics = (data.evaluation or {}).get("metrics") or data.result.metrics
  intervals = (data.evaluation or {}).get("intervals") or {}
  asked = {"coverage": record.coverage, "accepted_accuracy": record.accepted_accuracy}
  names = {
    "coverage": "sets hold the label" if record.size is not None else "the interval holds it",
    "set_size": "labels in a set",
    "accepted": "answers that are accepted",
    "accepted_accuracy": "accepted answers that are right",
  }
  rows = [
    {
      "what": words,
      "asked": asked.get(name),
      "got": metrics[name],
      "interval": intervals.get(name),
      "is_share": name != "set_size",
    }
    for name, words in names.items()
    if is_number(metrics.get(name))
  ]
  return {
    "sentences": [f"{each[:1].upper()}{each[1:]}." for each in record.sentences],
    "rows": rows,
  }
