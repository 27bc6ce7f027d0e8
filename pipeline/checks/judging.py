"""Checks the splits that models are judged by: one class only, or too few examples for a bound.

A split is too small for a bound if the 95 % interval of a model that just reaches it covers more
than half of the distance between the bound and the score of guessing. The intervals are those of
the metrics (`pipeline/problems/intervals.py`); for skill, that of accuracy divided by the error
rate of the majority guess.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dlpipe.records import EVAL, TRAIN, VAL
from pipeline.checks.finding import WARNING, Finding
from pipeline.problems import intervals

_NEED_TWO_CLASSES = ("skill", "auc")
_FEW = 100  # examples, for a metric without a formula for its interval, such as BLEU

_MORE = "Add examples, or give eval a larger part (data.eval_fraction) where it is drawn."


def about_judging(
  examples: Mapping[str, int],
  labels: Mapping[str, Mapping[str, int]],
  gates: Sequence[Mapping[str, Any]],
) -> list[Finding]:
  """Returns findings about val and eval from their counts, before training.

  Args:
    examples: count by split.
    labels: count by split and label; empty for tasks without classes.
    gates: each gate's `metric`, `direction`, `bound` and `max_regression`, as in `MetricGate`.
  """
  found = [_one_class(split, labels, gates) for split in (VAL, EVAL)]
  found.append(_few(examples.get(EVAL, 0), _present(labels.get(EVAL)), gates))
  return [finding for finding in found if finding]


def half_width(metric: str, bound: float, counts: Sequence[int]) -> float | None:
  """Returns half the width of the 95 % interval of a model that just reaches the bound.

  Args:
    metric: `accuracy`, `skill` or `auc`.
    bound: the gate's bound.
    counts: number of examples of each class.

  Returns:
    The half width; None if the interval of this metric is unknown.

  >>> round(half_width("accuracy", 0.5, [50, 50]), 3), round(half_width("skill", 0.3, [7] * 5), 2)
  (0.096, 0.2)
  """
  total = sum(counts)
  if total < 1 or not 0 <= bound <= 1:
    return None
  commonest = max(counts, default=0) / total
  if metric == "accuracy":
    return _half(intervals.share(bound * total, total))
  if metric == "skill" and commonest < 1:
    right = (commonest + bound * (1 - commonest)) * total
    return _half(intervals.share(right, total)) / (1 - commonest)
  if metric == "auc" and len(counts) == 2:
    return _half(intervals.area(bound, *counts))
  return None


def _one_class(
  split: str, labels: Mapping[str, Mapping[str, int]], gates: Sequence[Mapping[str, Any]]
) -> Finding | None:
  present = _present(labels.get(split))
  if len(present) != 1 or len(_present(labels.get(TRAIN))) < 2:
    return None
  [(label, count)] = present.items()
  unmeasured = [gate["metric"] for gate in gates if gate["metric"] in _NEED_TWO_CLASSES]
  details = []
  if split == EVAL and unmeasured:
    details.append(
      f"{' and '.join(unmeasured)} cannot be measured on one class, so the gate refuses the model"
    )
  return Finding(
    name="one_class",
    level=WARNING,
    count=count,
    what=f"All {count:,} examples of {split} are of one class, {label!r}.",
    advice=f"Add examples of other classes to {split}, or give the data without splits.",
    details=tuple(details),
  )


def _few(
  total: int, counts: Mapping[str, int], gates: Sequence[Mapping[str, Any]]
) -> Finding | None:
  details = [sentence for gate in gates for sentence in _of_gate(gate, total, counts)]
  if not total or not details:
    return None
  return Finding(
    name="few_examples",
    level=WARNING,
    count=total,
    what=f"eval holds {total:,} example{'s' if total != 1 else ''}: too few to judge a model by.",
    advice=f"{_MORE} Until then, take a pass or a refusal for a hint.",
    details=tuple(details),
  )


def _of_gate(gate: Mapping[str, Any], total: int, counts: Mapping[str, int]) -> list[str]:
  metric, bound = gate["metric"], gate["bound"]
  said = []
  if bound is not None:
    width = half_width(metric, bound, list(counts.values()))
    room = abs(bound - _by_chance(metric, counts))
    if width is not None and width >= room > 0:
      said.append(
        f"the bound {bound:g} of {metric} cannot be told from chance ({_known_to(width)})"
      )
    elif width is not None and width > room / 2:
      said.append(f"the bound {bound:g} of {metric} is uncertain ({_known_to(width)})")
    elif width is None and total < _FEW and not counts:
      said.append(f"the bound {bound:g} of {metric} rests on fewer than {_FEW} examples")
  regression = gate["max_regression"]
  if metric == "accuracy" and regression and total * regression < 1:
    said.append(
      f"accuracy may fall by {regression:g}; one example more or less is {1 / max(total, 1):.2g}"
    )
  return said


def _known_to(width: float) -> str:
  return f"95 % interval: ±{width:.2g}"


def _by_chance(metric: str, counts: Mapping[str, int]) -> float:
  """Returns the metric of a model that ignores its input."""
  if metric == "accuracy":
    return max(counts.values(), default=0) / max(sum(counts.values()), 1)
  return 0.5 if metric == "auc" else 0.0


def _present(counts: Mapping[str, int] | None) -> dict[str, int]:
  return {label: count for label, count in (counts or {}).items() if count}


def _half(interval: intervals.Interval) -> float:
  low, high = interval
  return (high - low) / 2
