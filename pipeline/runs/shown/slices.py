"""Orders the slices of an evaluation by need: where the model is surely worse than over all."""

from __future__ import annotations

from typing import Any

from pipeline.evaluation import Evaluation
from pipeline.problems import intervals

ACCURACY, COUNT = "accuracy", "example_count"


def by_need(found: Evaluation) -> list[dict[str, Any]]:
  """Returns the slices, each with the 95 % `interval` of its accuracy; the most in need first.

  A slice needs as many rows as it has wrong beyond the overall accuracy, by the end of its interval
  that speaks for it: a slice of three rows proves nothing. Slices without an accuracy keep their
  order, and have None for an interval.
  """
  overall = found.metrics.get(ACCURACY)
  shown = []
  for each in found.slices:
    accuracy, count = (each["metrics"].get(name) for name in (ACCURACY, COUNT))
    if overall is None or accuracy is None or not count:
      shown.append((0.0, {**each, "interval": None}))
      continue
    low, high = intervals.share(accuracy * count, count)
    shown.append((min(high - overall, 0.0) * count, {**each, "interval": (low, high)}))
  shown.sort(key=lambda pair: pair[0])
  return [each for _, each in shown]
