"""Which label is taken for which: the matrix, the labels one by one, and examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from pipeline.report import matrix as drawn_matrix
from pipeline.report.formats import is_number
from pipeline.report.sections.mistakes import safe
from pipeline.rows import SHOWN_CELLS, SHOWN_OF_CELL
from pipeline.runs.report_data import ReportData

_MOST_SIDE_BY_SIDE = 12
_MOST_CONFUSIONS = 15
_MOST_LABELS_IN_MATRIX = 120
_MOST_ROWS = 200


def matrix(data: ReportData) -> dict[str, Any] | None:
  """Returns the confusion matrix and the most frequent mistakes, with links to their examples."""
  evaluation = data.evaluation or {}
  links = {(cell["label"], cell["predicted"]): f"#cell-{n}" for n, cell in enumerate(data.cells)}
  drawn, confusions = _matrix(evaluation, links), _confusions(evaluation)
  labels = evaluation.get("labels") or ()
  if not (drawn or confusions):
    return None
  return {
    "matrix": drawn,
    "confusions": confusions,
    "links": links,
    "small_matrix": len(labels) <= _MOST_SIDE_BY_SIDE,
    "too_many": len(labels) if len(labels) > _MOST_LABELS_IN_MATRIX else 0,
    "most_labels": _MOST_LABELS_IN_MATRIX,
  }


def classes(data: ReportData) -> dict[str, Any] | None:
  """Returns precision and recall of each label, the weakest first."""
  found = sorted((data.evaluation or {}).get("per_class") or (), key=_f1)
  return {"per_class": found[:_MOST_ROWS], "labels": len(found)} if found else None


def cells(data: ReportData) -> dict[str, Any] | None:
  """Returns the examples of each confusion."""
  if not data.cells:
    return None
  return {
    "cells": [{**cell, "rows": [safe(row) for row in cell["rows"]]} for cell in data.cells],
    "confusions": sum(cell["label"] != cell["predicted"] for cell in data.cells),
    "most_cells": SHOWN_CELLS,
    "most_of_cell": SHOWN_OF_CELL,
    "some_unexplained": bool((data.reasons or {}).get("kind"))
    and any(not row.get("why") for cell in data.cells for row in cell["rows"]),
  }


def _matrix(evaluation: Mapping[str, Any], links: Mapping[tuple[str, str], str]) -> Markup | None:
  labels, counts = evaluation.get("labels"), evaluation.get("confusion")
  if not labels or not counts or len(labels) > _MOST_LABELS_IN_MATRIX:
    return None
  if len(counts) != len(labels) or any(len(row) != len(labels) for row in counts):
    raise ValueError(
      f"`confusion` must be a square of the {len(labels)} labels. Received: {len(counts)} rows of "
      f"{sorted({len(row) for row in counts})} columns"
    )
  return drawn_matrix.confusion_matrix([str(label) for label in labels], counts, links)


def _confusions(evaluation: Mapping[str, Any]) -> list[dict[str, Any]]:
  """Returns the most frequent mistakes: true label, prediction, count, share of the true label."""
  labels: Sequence[str] = evaluation.get("labels") or []
  counts: Sequence[Sequence[float]] = evaluation.get("confusion") or []
  found: list[dict[str, Any]] = [
    {"label": labels[i], "predicted": labels[j], "count": value, "share": value / sum(row)}
    for i, row in enumerate(counts)
    for j, value in enumerate(row)
    if i != j and value > 0
  ]
  return sorted(found, key=lambda each: -each["count"])[:_MOST_CONFUSIONS]


def _f1(row: Mapping[str, Any]) -> float:
  precision, recall = (
    float(row[name]) if is_number(row.get(name)) else 0.0 for name in ("precision", "recall")
  )
  return 2 * precision * recall / (precision + recall) if precision + recall else 0.0
