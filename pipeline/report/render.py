"""Renders `ReportData` as one self-contained HTML file. Runners call it when a run ends."""

from __future__ import annotations

import dataclasses
import math
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import jinja2
from markupsafe import Markup

from components.trials import Trials
from dlpipe import words
from dlpipe.verdicts import Ruling
from pipeline.report import charts
from pipeline.rows import SHOWN_CELLS, SHOWN_OF_CELL
from pipeline.runs import result as results
from pipeline.runs import summary
from pipeline.runs.report_data import ReportData

if TYPE_CHECKING:  # it imports TFX
  from components.data_gate import Check

_TEMPLATE = "template.html.j2"
_NOT_METRICS = ("phase", "epoch", "epochs", "learning_rate", "seconds", "ended_by")
_MOST_CURVES = 4
_MOST_SIDE_BY_SIDE = 12
_MOST_CONFUSIONS = 15
_MOST_LABELS_IN_MATRIX = 120
_MOST_ROWS = 200
_MOST_REASONS = 20


def write_report(data: ReportData, path: str | os.PathLike[str]) -> None:
  """Writes the report atomically.

  Args:
    data: the facts to show.
    path: the `.html` file; its folder is created.
  """
  target = pathlib.Path(path)
  html = render(data)
  target.parent.mkdir(parents=True, exist_ok=True)
  partial = target.with_name(f".{target.name}.{os.getpid()}.part")
  try:
    partial.write_text(html, encoding="utf-8", errors="replace")
    partial.replace(target)
  finally:
    partial.unlink(missing_ok=True)


def render(data: ReportData) -> str:
  """Returns the report as one HTML document that loads no other file and runs no script."""
  environment = jinja2.Environment(
    loader=jinja2.FileSystemLoader(pathlib.Path(__file__).parent),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
  )
  environment.filters.update(
    number=_number, cell=_cell, duration=words.duration, memory=words.memory, percent=_percent
  )
  evaluation = data.evaluation or {}
  links = _links(data.cells)
  return environment.get_template(_TEMPLATE).render(
    data=data,
    result=data.result,
    shown_error=None if summary.gates_say_it(data.result) else data.result.error,
    good=summary.is_good(data.result),
    warned=data.result.exit_code == 0 and not summary.is_good(data.result),
    data_findings=data.result.findings,
    check=data.result.check,
    lengths=_lengths(data.result.check),
    met=(data.result.check or {}).get("met") or {},
    reasons=_reasons(data.statistics.reasons),
    headline=headline(data),
    gates=data.result.gates,
    metrics=evaluation.get("metrics") or data.result.metrics,
    next_step=summary.next_step(data.result),
    bar=charts.bar,
    curves=_curves(data.history),
    history_columns=_columns(data.history),
    trial_columns=_trial_columns(data.tuning),
    splits=_splits(data),
    label_rows=_label_rows(data.statistics.labels),
    matrix=_matrix(evaluation, links),
    links=links,
    small_matrix=len(evaluation.get("labels") or ()) <= _MOST_SIDE_BY_SIDE,
    confusions=_confusions(evaluation),
    per_class=_worst_first(evaluation.get("per_class") or ())[:_MOST_ROWS],
    answers=_answers(evaluation.get("answers") or ()),
    reliability=_reliability(evaluation.get("calibration") or ()),
    slices=(evaluation.get("slices") or [])[:_MOST_ROWS],
    slice_metrics=_slice_metrics(evaluation.get("slices") or ()),
    pictures=[_safe(row) for row in data.pictures],
    cells=[{**cell, "rows": [_safe(row) for row in cell["rows"]]} for cell in data.cells],
    most_cells=SHOWN_CELLS,
    most_of_cell=SHOWN_OF_CELL,
    longest=max((c.seconds for c in data.result.components), default=0.0),
    total_seconds=sum(c.seconds for c in data.result.components),
  )


def headline(data: ReportData) -> str:
  """Returns the result in one line: the pushed version, the bound that was missed, or a failure."""
  result = data.result
  if result.state == results.REFUSED_MODEL:
    broken = [gate for gate in result.gates if not gate.passed]
    return f"Refused: {_broken_bounds(broken)}" if broken else "Refused the model"
  if result.state == results.REFUSED_DATA:
    checks = [_check_as_ruling(check) for check in data.data_checks if not check.passed]
    gates = checks or [ruling for ruling in result.gates if not ruling.passed]
    return f"Refused the data: {_broken_bounds(gates)}" if gates else "Refused the data"
  return summary.verdict(result)


def _check_as_ruling(check: Check) -> Ruling:
  return Ruling(metric=check.name, bound=check.bound, value=check.value, passed=check.passed)


def _broken_bounds(gates: Sequence[Ruling]) -> str:
  first = summary.gate_sentence(dataclasses.replace(gates[0], reason="", interval=None))
  more = len(gates) - 1
  return first + (f", and {more} more" if more else "")


def _curves(history: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
  """Returns a chart per metric, loss first, together with its validation metric if it has one."""
  names = {key for row in history for key in row if key not in _NOT_METRICS}
  bases = sorted({name.removeprefix("val_") for name in names}, key=lambda n: (n != "loss", n))
  curves = []
  for base in bases:
    series = [
      charts.Series(label, label, [row.get(key) for row in history])
      for label, key in (("train", base), ("val", f"val_{base}"))
      if any(_is_number(row.get(key)) for row in history)
    ]
    if series:
      svg = charts.line_chart(base, series, breaks=_phase_breaks(history))
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


def _trial_columns(tuning: Trials | None) -> list[str]:
  """Returns the hyperparameters of all trials; a conditional one is missing from some trials."""
  trials = tuning.trials if tuning else ()
  return list(dict.fromkeys(name for trial in trials for name in trial.hyperparameters))


def _splits(data: ReportData) -> dict[str, int]:
  """Returns the number of examples by split, and the number of quarantined records."""
  splits = dict(data.statistics.examples)
  return {**splits, **{k: v for k, v in data.result.examples.items() if k not in splits}}


def _label_rows(labels: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
  """Returns labels, most frequent first, with their count and share in every split."""
  names = dict.fromkeys(name for counts in labels.values() for name in counts)
  ordered = sorted(names, key=lambda n: -sum(counts.get(n, 0) for counts in labels.values()))
  totals = {split: sum(counts.values()) or 1 for split, counts in labels.items()}
  rows = [
    {
      "label": name,
      "cells": [
        {"count": counts.get(name, 0), "share": counts.get(name, 0) / totals[split]}
        for split, counts in labels.items()
      ],
    }
    for name in ordered
  ]
  shares = (count / totals[s] for s, counts in labels.items() for count in counts.values())
  most = max(shares, default=0.0)
  return {"splits": list(labels), "rows": rows[:_MOST_ROWS], "most": most}


def _lengths(check: Mapping[str, Any] | None) -> list[dict[str, Any]]:
  """Returns a row with percentiles for each measure of the inputs, such as their words."""
  return [{"name": name, **values} for name, values in ((check or {}).get("lengths") or {}).items()]


def _reasons(counts: Mapping[str, int]) -> list[tuple[str, int]]:
  """Returns the reasons for quarantine with their counts, the most common first."""
  return sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:_MOST_REASONS]


def _links(cells: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str], str]:
  """Returns the address of the examples of each cell, by label and prediction."""
  return {(cell["label"], cell["predicted"]): f"#cell-{n}" for n, cell in enumerate(cells)}


def _safe(row: Mapping[str, Any]) -> dict[str, Any]:
  """Returns a row whose picture is one that a page may show, or None."""
  uri = row.get("data_uri")
  return {**row, "data_uri": uri if str(uri).startswith("data:image/") else None}


def _matrix(evaluation: Mapping[str, Any], links: Mapping[tuple[str, str], str]) -> Markup | None:
  labels, matrix = evaluation.get("labels"), evaluation.get("confusion")
  if not labels or not matrix or len(labels) > _MOST_LABELS_IN_MATRIX:
    return None
  if len(matrix) != len(labels) or any(len(row) != len(labels) for row in matrix):
    raise ValueError(
      f"`confusion` must be a square of the {len(labels)} labels. Received: {len(matrix)} rows of "
      f"{sorted({len(row) for row in matrix})} columns"
    )
  return charts.confusion_matrix([str(label) for label in labels], matrix, links)


def _confusions(evaluation: Mapping[str, Any]) -> list[dict[str, Any]]:
  """Returns the most frequent mistakes: true label, prediction, count, share of the true label."""
  labels = evaluation.get("labels") or []
  matrix = evaluation.get("confusion") or []
  found = [
    {"label": labels[i], "predicted": labels[j], "count": value, "share": value / sum(row)}
    for i, row in enumerate(matrix)
    for j, value in enumerate(row)
    if i != j and value > 0
  ]
  return sorted(found, key=lambda each: -each["count"])[:_MOST_CONFUSIONS]


def _worst_first(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
  def f1(row: Mapping[str, Any]) -> float:
    precision, recall = (_or_zero(row.get(name)) for name in ("precision", "recall"))
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0

  return sorted(rows, key=f1)


def _answers(points: Sequence[Sequence[float]]) -> Markup | None:
  """Draws predicted over true numbers; returns None if there are no finite ones."""
  finite = [point for point in points if all(map(_is_number, point))]
  return charts.scatter(finite) if finite else None


def _reliability(bins: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
  """Returns the diagram, its non-empty bins and the expected calibration error."""
  filled = [
    each
    for each in bins
    if each["count"] and _is_number(each["accuracy"]) and _is_number(each["confidence"])
  ]
  if not filled:
    return None
  total = sum(each["count"] for each in filled)
  gaps = sum(each["count"] * abs(each["confidence"] - each["accuracy"]) for each in filled)
  return {"svg": charts.reliability_diagram(filled), "bins": filled, "error": gaps / total}


def _slice_metrics(slices: Sequence[Mapping[str, Any]]) -> list[str]:
  return list(dict.fromkeys(name for each in slices for name in each["metrics"]))


def _number(value: Any) -> str:
  """Formats a number for a person; None and NaN become a dash, other values their text."""
  if value is None:
    return "-"
  if isinstance(value, bool) or not isinstance(value, (int, float)):
    return str(value)
  return words.number(value)


def _cell(value: Any) -> str:
  """Formats like `_number`, but gives shares four decimals so that a column lines up."""
  if _is_number(value) and isinstance(value, float) and 0.001 <= abs(value) <= 1:
    return f"{value:.4f}"
  return _number(value)


def _percent(value: Any) -> str:
  return f"{100 * value:.1f}%" if _is_number(value) else "-"


def _is_number(value: Any) -> bool:
  return isinstance(value, (int, float)) and math.isfinite(value)


def _or_zero(value: Any) -> float:
  return float(value) if _is_number(value) else 0.0
