"""Curves over the scores of `predictions.parquet`: threshold, ROC, precision and recall, risk.

Every point of a curve is computed from all rows. A curve holds few enough of its points to be
drawn, spread evenly along it, the first and the last among them; areas are those of all points.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.problems.rows import MEASURE, SAMPLES, SHOWN_AS

_MOST_POINTS = 120
_MOST_NAMES = 4  # classes with a curve: those that are told apart worst
_THRESHOLDS = (*(round(0.05 * step, 2) for step in range(20)), 0.99)
_MOST_PERCENT = 100.0  # of chrF


def of_answers(table: pa.Table) -> dict[str, Any] | None:
  """Returns how right the answers are whose score is high.

  Args:
    table: rows with `score`, and `right` or, of texts, `chrf`.

  Returns:
    `rows`, their number; `risk`, what is wrong in words; `coverage` [[share of rows answered, risk
    among them, least score]]; `area`, the mean risk over all coverages; `thresholds` [{threshold,
    count, share, risk}], of the rows whose score is at least the threshold. None without scores.
  """
  metadata = table.schema.metadata or {}
  if "score" not in table.column_names or metadata.get(MEASURE) not in (b"score", b"chrf"):
    return None
  scores = table["score"].to_numpy().astype(np.float64)
  is_text = metadata.get(SHOWN_AS) == SAMPLES
  if is_text:
    risks = 1 - table["chrf"].to_numpy() / _MOST_PERCENT
  else:
    risks = 1 - table["right"].to_numpy().astype(np.float64)
  known = np.isfinite(scores)
  scores, risks = scores[known], risks[known]
  if not len(scores):
    return None
  ordered, kept = _falling(scores)
  risk = np.cumsum(risks[ordered])[kept - 1] / kept
  least = scores[ordered][kept - 1]
  return {
    "rows": len(scores),
    "risk": "1 - chrF / 100" if is_text else "share of wrong answers",
    "coverage": _points(kept / len(scores), risk, least),
    "area": float(np.mean(np.cumsum(risks[ordered]) / np.arange(1, len(scores) + 1))),
    # Scores of texts are logarithms of probabilities.
    "thresholds": [] if is_text else _at_thresholds(scores, risks),
  }


def of_labels(
  names: Sequence[str], scores: np.ndarray, is_true: np.ndarray
) -> list[dict[str, Any]]:
  """Returns how well the labels are told apart that are told apart worst; one of two is enough.

  Args:
    names: the labels.
    scores: `[rows, labels]` float.
    is_true: `[rows, labels]` bool.

  Returns:
    [{`label`; `positives` and `negatives`, rows; `roc` [[false positive rate, true positive rate,
    least score]]; `auc`, its area; `pr` [[recall, precision, least score]]; `average_precision`}],
    the worst AUC first. Labels that all rows have, or none, are left out.
  """
  positives = is_true.sum(0)
  judged = [n for n in range(len(names)) if 0 < positives[n] < len(is_true)]
  if len(names) == 2 and len(judged) == 2 and (is_true.sum(1) == 1).all():
    # Of two classes, one curve is the other's mirror: the rarer one, or the second.
    judged = [0] if positives[0] < positives[1] else [1]
  found = [
    {"label": names[n], **_of_label(scores[:, n].astype(np.float64), is_true[:, n])} for n in judged
  ]
  return sorted(found, key=lambda each: (each["auc"], each["label"]))[:_MOST_NAMES]


def _of_label(scores: np.ndarray, is_true: np.ndarray) -> dict[str, Any]:
  ordered, kept = _falling(scores)
  least = scores[ordered][kept - 1]
  right = np.cumsum(is_true[ordered])[kept - 1]
  positives, negatives = int(is_true.sum()), int((~is_true).sum())
  recall, precision = right / positives, right / kept
  false = (kept - right) / negatives
  x, y = np.concatenate([[0.0], false]), np.concatenate([[0.0], recall])
  return {
    "positives": positives,
    "negatives": negatives,
    "roc": _points(x, y, np.concatenate([[least[0]], least])),
    "auc": float(np.sum((x[1:] - x[:-1]) * (y[1:] + y[:-1]) / 2)),
    "pr": _points(recall, precision, least),
    "average_precision": float(np.sum(np.diff(recall, prepend=0.0) * precision)),
  }


def _falling(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """Returns the order of falling scores, and how many rows reach each distinct score."""
  ordered = np.argsort(-scores, kind="stable")
  last = np.flatnonzero(np.diff(scores[ordered]))
  return ordered, np.append(last, len(scores) - 1) + 1


def _points(x: np.ndarray, y: np.ndarray, least: np.ndarray) -> list[list[float]]:
  """Returns some `[x, y, least score]` of a curve, evenly along it."""
  chosen = np.arange(len(x))
  if len(x) > _MOST_POINTS:
    steps = np.hypot(np.diff(x), np.diff(y))
    along = np.concatenate([[0.0], np.cumsum(steps)])
    wanted = np.linspace(0, along[-1], _MOST_POINTS)
    chosen = np.unique(np.searchsorted(along, wanted).clip(0, len(x) - 1))
    chosen = np.unique(np.append(chosen, len(x) - 1))
  return np.stack([x, y, least], axis=1)[chosen].tolist()


def _at_thresholds(scores: np.ndarray, risks: np.ndarray) -> list[dict[str, Any]]:
  rows: list[dict[str, Any]] = []
  for threshold in _THRESHOLDS:
    kept = scores >= threshold
    count = int(kept.sum())
    risk = float(risks[kept].mean()) if count else None
    row = {"threshold": threshold, "count": count, "share": count / len(scores), "risk": risk}
    if rows and rows[-1]["count"] == count:  # the higher one says the same of more
      rows.pop()
    rows.append(row)
  return rows


def truth(names: Sequence[str], rows: Iterable[Sequence[str]]) -> np.ndarray:
  """Returns `[rows, labels]` bool: which of the named labels each row has."""
  place = {name: number for number, name in enumerate(names)}
  places = [[place[label] for label in labels if label in place] for labels in rows]
  found = np.zeros((len(places), len(names)), bool)
  for row, numbers in enumerate(places):
    found[row, numbers] = True
  return found
