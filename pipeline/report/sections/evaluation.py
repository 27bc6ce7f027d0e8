"""What the Evaluator measured: gates, metrics, slices, and whether scores can be believed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.report import charts
from pipeline.report.formats import is_number
from pipeline.runs.report_data import ReportData

_MOST_ROWS = 200
_COUNT = "example_count"
_FEW = 30  # rows; a metric of fewer says little


def gates(data: ReportData) -> dict[str, Any] | None:
  """Returns the gates' bounds and verdicts, for the table."""
  found = data.result.gates
  return {"gates": found} if found else None


def metrics(data: ReportData) -> dict[str, Any] | None:
  """Returns the metrics of eval."""
  found = (data.evaluation or {}).get("metrics") or data.result.metrics
  intervals = (data.evaluation or {}).get("intervals") or {}
  return {"metrics": found, "intervals": intervals} if found else None


def answers(data: ReportData) -> dict[str, Any] | None:
  """Draws predicted over true numbers; returns None if there are no finite ones."""
  points: Sequence[Sequence[float]] = (data.evaluation or {}).get("answers") or ()
  finite = [point for point in points if all(map(is_number, point))]
  return {"answers": charts.scatter(finite)} if finite else None


def calibration(data: ReportData) -> dict[str, Any] | None:
  """Returns the diagram, its non-empty bins and the expected calibration error."""
  filled = [
    each
    for each in (data.evaluation or {}).get("calibration") or ()
    if each["count"] and is_number(each["accuracy"]) and is_number(each["confidence"])
  ]
  if not filled:
    return None
  total = sum(each["count"] for each in filled)
  gaps = sum(each["count"] * abs(each["confidence"] - each["accuracy"]) for each in filled)
  shown = {"svg": charts.reliability_diagram(filled), "bins": filled, "error": gaps / total}
  return {"reliability": shown}


def slices(data: ReportData) -> dict[str, Any] | None:
  """Returns the slices and the names of their metrics."""
  found: Sequence[Mapping[str, Any]] = (data.evaluation or {}).get("slices") or ()
  if not found:
    return None
  names = list(dict.fromkeys(name for each in found for name in each["metrics"]))
  return {
    "slices": found[:_MOST_ROWS],
    "slice_count": len(found),
    "slice_metrics": [name for name in names if name != _COUNT],
    "counted": _COUNT in names,
    "few": _FEW,
  }
