"""How the model was trained: curves over epochs, and the trials of the Tuner."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.report import charts
from pipeline.report.formats import is_number
from pipeline.runs.report_data import ReportData

_NOT_METRICS = ("phase", "epoch", "epochs", "learning_rate", "seconds", "ended_by")
_MOST_CURVES = 4


def training(data: ReportData) -> dict[str, Any] | None:
  """Returns the curves, and the columns of the table of epochs."""
  curves = _curves(data.history, data.chosen)
  if not curves:
    return None
  return {
    "curves": curves,
    "history_columns": _columns(data.history),
    "chosen": _chosen(data),
  }


def tuning(data: ReportData) -> dict[str, Any] | None:
  """Returns the hyperparameters of all trials; a conditional one is missing from some trials."""
  if not data.tuning:
    return None
  names = dict.fromkeys(name for trial in data.tuning.trials for name in trial.hyperparameters)
  return {"trial_columns": list(names)}


def _chosen(data: ReportData) -> str | None:
  """Names the epoch whose weights the model has."""
  if data.chosen is None:
    return None
  row = data.history[data.chosen]
  phases = {each.get("phase") for each in data.history}
  of_phase = f" of {row['phase']}" if len(phases) > 1 else ""
  return f"epoch {row['epoch']}{of_phase}, the best in validation"


def _curves(history: Sequence[Mapping[str, Any]], chosen: int | None) -> list[dict[str, Any]]:
  """Returns a chart per metric, loss first, together with its validation metric if it has one."""
  names = {key for row in history for key in row if key not in _NOT_METRICS}
  bases = sorted({name.removeprefix("val_") for name in names}, key=lambda n: (n != "loss", n))
  curves = []
  for base in bases:
    series = [
      charts.Series(label, label, [row.get(key) for row in history])
      for label, key in (("train", base), ("val", f"val_{base}"))
      if any(is_number(row.get(key)) for row in history)
    ]
    if series:
      svg = charts.line_chart(base, series, breaks=_phase_breaks(history), chosen=chosen)
      curves.append({"name": base, "svg": svg, "series": [each.css_class for each in series]})
  return curves[:_MOST_CURVES]


def _phase_breaks(history: Sequence[Mapping[str, Any]]) -> list[tuple[int, str]]:
  phases = [str(row.get("phase") or "") for row in history]
  starts = [i for i, phase in enumerate(phases) if i == 0 or phase != phases[i - 1]]
  return [(i, phases[i]) for i in starts] if len(starts) > 1 else []


def _columns(history: Sequence[Mapping[str, Any]]) -> list[str]:
  """Returns the non-empty columns of the history: phase and epoch, metrics, rate and time."""
  keys = dict.fromkeys(key for row in history for key in row if key not in ("epochs", "ended_by"))
  filled = [key for key in keys if any(row.get(key) not in (None, "") for row in history)]
  place = {"phase": 0, "epoch": 1, "learning_rate": 3, "seconds": 4}
  return sorted(filled, key=lambda key: place.get(key, 2))
