"""Judges a model by its task's gates: turns the Evaluator's results into a verdict.

The pusher, the exit code, `--json`, the report and the history all read this verdict; none of them
compares a metric with a bound.
"""

from __future__ import annotations

import dataclasses
import math
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dlpipe.verdicts import Ruling, Verdict
from pipeline.evaluation import Evaluation, read_evaluation
from pipeline.problems.certainty import kept
from pipeline.problems.certainty.kept import MAX_GAP
from pipeline.problems.certainty.record import Certainty
from pipeline.problems.classes import WORST_NAME, WORST_RECALL, WORST_ROWS
from pipeline.problems.classification_metrics import GUESSING_LOSS
from pipeline.problems.intervals import Interval
from pipeline.suspects.baseline import Baseline
from pipeline.task import MetricGate, Task

# Tolerance for rounding, relative to the bound: in floating point, 0.97 - 0.96 is not 0.01. A real
# difference between two models is far larger, even on the largest data sets.
_SLACK = 1e-9
# If the loss is above this multiple of the loss of guessing, the training diverged.
_DIVERGED = 5
_COUNT = "example_count"
BEATS_BASELINE = "beats_baseline"
_WORTH = "a network that is hardly better than a cheap model is not worth its cost"
_MORE = "Until eval has more of them, take a pass or a refusal for a hint."


def task_gates(task: Task, bounds: Mapping[str, float | None]) -> tuple[MetricGate, ...]:
  """Returns the task's gates, with the bounds of the configuration's `gates` section."""
  return tuple(_configured(gate, bounds) for gate in task.gates)


def _configured(gate: MetricGate, bounds: Mapping[str, float | None]) -> MetricGate:
  """Returns the gate with the configuration's bounds; its reason names both if they differ."""
  bound = bounds.get(gate.metric, gate.bound)
  reason = gate.reason
  if bound is not None and bound != gate.bound:
    own = "has no bound" if gate.bound is None else f"has {gate.bound:g}"
    reason = f"the configuration says {bound:g}, the task {own}: {reason}"
  return dataclasses.replace(
    gate,
    bound=bound,
    max_regression=bounds.get(f"{gate.metric}.max_regression", gate.max_regression),
    reason=reason,
    optional=gate.optional and gate.metric not in bounds,
  )


def gate_facts(task: Task, bounds: Mapping[str, float | None]) -> list[dict[str, Any]]:
  """Returns the gates as JSON: `metric`, `direction`, `bound` and `max_regression` of each."""
  names = ("metric", "direction", "bound", "max_regression")
  return [{name: getattr(gate, name) for name in names} for gate in task_gates(task, bounds)]


def parameters(
  task: Task,
  gates: Sequence[MetricGate],
  *,
  min_examples: int | None,
  max_gap: float = MAX_GAP,
  beats_baseline: float | None = None,
) -> dict[str, Any]:
  """Returns the argument `told` of `judge`, as JSON."""
  return {
    "gates": [_told(gate) for gate in gates],
    "min_examples": min_examples,
    "max_gap": max_gap,
    "beats_baseline": beats_baseline,
    "vocabulary": task.problem.vocabulary,
  }


def _told(gate: MetricGate) -> dict[str, Any]:
  """Returns a gate's fields, without the one that only the check of settings needs."""
  told = dataclasses.asdict(gate)
  del told["best"]
  return told


def judge(
  evaluation_dir: str,
  told: Mapping[str, Any],
  model_dir: str,
  baseline_dir: str | None,
  predictions_dir: str,
) -> Verdict:
  """Judges a model; called by the Evaluator.

  Args:
    evaluation_dir: directory of TFMA's results.
    told: the result of `parameters`.
    model_dir: directory of the candidate's SavedModel.
    baseline_dir: directory of the previous model's SavedModel, or None.
    predictions_dir: directory of the candidate's predictions, with what a cheap model is worth.
  """
  found = read_evaluation(evaluation_dir)
  judged = verdict(
    found,
    [MetricGate(**gate) for gate in told["gates"]],
    min_examples=told["min_examples"],
    labels=_labels(model_dir, told["vocabulary"]),
    old_labels=_labels(baseline_dir, told["vocabulary"]),
    beats_baseline=told["beats_baseline"],
    cheap=Baseline.read(pathlib.Path(predictions_dir)),
  )
  promised = Certainty.beside(pathlib.Path(model_dir))
  kept_rulings = kept.rulings(
    promised, found.metrics, found.intervals, max_gap=told.get("max_gap", MAX_GAP)
  )
  return Verdict(
    rulings=(*judged.rulings, *kept_rulings),
    warnings=(*judged.warnings, *kept.warnings(promised)),
  )


def verdict(
  found: Evaluation,
  gates: Sequence[MetricGate],
  *,
  min_examples: int | None = None,
  labels: Sequence[str] = (),
  old_labels: Sequence[str] = (),
  beats_baseline: float | None = None,
  cheap: Baseline | None = None,
) -> Verdict:
  """Judges metrics by gates.

  Args:
    found: the candidate's metrics, and those of the previous model if there is one.
    gates: the gates.
    min_examples: the fewest eval rows that may judge a model; None for any number.
    labels: the candidate's classes, in the order of its ids; empty for tasks without classes.
    old_labels: the previous model's classes.
    beats_baseline: by how much the model must be better than a cheap one; None only warns.
    cheap: what the cheap model is worth; None if it was not measured.
  """
  rulings = []
  if min_examples is not None:
    rulings.append(
      _ruled(
        _COUNT,
        ">=",
        min_examples,
        found.metrics.get(_COUNT, math.nan),
        "fewer rows cannot judge a model (gates.min_examples)",
      )
    )
  for gate in gates:
    rulings += _rulings(gate, found, labels)
  if beats_baseline is not None:
    rulings.append(_beats(beats_baseline, cheap))
  warnings = [
    *_unsure(gates, found),
    *_worse_than_guessing(found),
    *_worse_than_cheap(beats_baseline, cheap),
    *_other_classes(found, labels, old_labels),
  ]
  return Verdict(rulings=tuple(rulings), warnings=tuple(warnings))


def _rulings(gate: MetricGate, found: Evaluation, labels: Sequence[str]) -> Iterator[Ruling]:
  """Yields the ruling on a gate's bound, and the ruling on its regression."""
  value = found.metrics.get(gate.metric, math.nan)
  compared = ">=" if gate.direction == "higher" else "<="
  more = _of_which(gate.metric, found, labels)
  if not math.isfinite(value):
    more = _unmeasured(gate.metric, found, labels)
  reason = f"{gate.reason}. {more}" if more else gate.reason
  interval = found.intervals.get(gate.metric)
  if gate.bound is not None:
    ruling = _ruled(gate.metric, compared, gate.bound, value, reason, interval=interval)
    is_left_out = gate.optional and gate.metric in found.metrics and math.isnan(value)
    yield dataclasses.replace(ruling, passed=True) if is_left_out else ruling
  if gate.max_regression is not None and gate.metric in found.baseline:
    bound = _regression_bound(gate, found)
    words = f"{compared} {bound:.4g} (the model before, within {gate.max_regression:g})"
    yield _ruled(gate.metric, compared, bound, value, reason, words=words, interval=interval)


def _regression_bound(gate: MetricGate, found: Evaluation) -> float:
  allowed = gate.max_regression or 0.0
  before = found.baseline[gate.metric]
  return before - allowed if gate.direction == "higher" else before + allowed


def _ruled(
  metric: str,
  compared: str,
  bound: float,
  value: float,
  reason: str,
  *,
  words: str | None = None,
  interval: Interval | None = None,
) -> Ruling:
  return Ruling(
    metric=metric,
    bound=words or f"{compared} {bound:g}",
    value=value if math.isfinite(value) else None,
    passed=math.isfinite(value) and holds(value, compared, bound),
    reason=reason,
    interval=interval,
  )


def holds(value: float, compared: str, bound: float) -> bool:
  """Returns whether a metric reaches a bound, with a tolerance for rounding; nan never does.

  >>> holds(0.9, ">=", 0.9), holds(float("nan"), ">=", 0.0)
  (True, False)

  Args:
    value: the metric.
    compared: `>=` or `<=`.
    bound: the worst value that passes.
  """
  slack = _SLACK * max(1.0, abs(bound))
  return value >= bound - slack if compared == ">=" else value <= bound + slack


def _of_which(metric: str, found: Evaluation, labels: Sequence[str]) -> str:
  """Returns which class a metric is about; empty if it is about all."""
  if metric != WORST_RECALL or WORST_NAME not in found.arrays:
    return ""
  place, right, rows = found.arrays[WORST_NAME]
  if math.isnan(place):
    return ""
  index = int(place)
  name = repr(labels[index]) if index < len(labels) else f"number {index}"
  return f"The worst class is {name}: {int(right):,} of its {int(rows):,} eval rows are right"


def _unmeasured(metric: str, found: Evaluation, labels: Sequence[str]) -> str:
  """Returns the likely reason if a metric is not a number."""
  if metric == WORST_RECALL:
    return f"Not measured: no class has {WORST_ROWS} eval rows"
  seen = {actual for actual, _ in found.confusion}
  if len(seen) == 1:
    [only] = seen
    name = repr(labels[only]) if 0 <= only < len(labels) else "one that train does not have"
    return f"It could not be measured: the class of every eval row is {name}"
  if not math.isfinite(found.metrics.get("loss", 0.0)):
    return "It could not be measured: the model's answers are no numbers; the training diverged"
  return "It could not be measured on these eval rows"


def _unsure(gates: Sequence[MetricGate], found: Evaluation) -> Iterator[str]:
  """Yields a warning for each bound that lies inside the metric's 95 % interval."""
  rows = f"{int(found.metrics.get(_COUNT, 0)):,} eval rows"
  for gate in gates:
    better = 1 if gate.direction == "higher" else -1
    interval = found.intervals.get(gate.metric)
    if gate.bound is not None and interval and interval[0] < gate.bound < interval[1]:
      yield (
        f"{rows} cannot tell whether {gate.metric} keeps its bound of {gate.bound:g}: it is "
        f"between {interval[0]:.3g} and {interval[1]:.3g}. {_MORE}"
      )
    change = found.changes.get(gate.metric)
    allowed = gate.max_regression
    if allowed is not None and change and change[0] < -better * allowed < change[1]:
      yield (
        f"{rows} cannot tell whether {gate.metric} is at most {allowed:g} worse than the model "
        f"before's: the same rows make the change {change[0]:+.3g} to {change[1]:+.3g}. "
        f"{_MORE}"
      )


def _beats(bound: float, cheap: Baseline | None) -> Ruling:
  """Returns the ruling on the gain over a cheap model."""
  said = cheap.sentence if cheap else "It could not be measured on these rows."
  return _ruled(
    BEATS_BASELINE,
    ">=",
    bound,
    cheap.gain if cheap and cheap.gain is not None else math.nan,
    f"{_WORTH}. {said}",
    interval=cheap.interval if cheap else None,
  )


def _worse_than_cheap(bound: float | None, cheap: Baseline | None) -> Iterator[str]:
  """Yields a warning if the cheap model is better beyond doubt, or a bound lies in the interval."""
  interval = cheap.interval if cheap else None
  if cheap is None or interval is None:
    return
  if bound is None and interval[1] < 0:
    yield f"A cheap model is better. {cheap.sentence} gates.beats_baseline=0 refuses such a model."
  if bound is not None and interval[0] < bound < interval[1]:
    yield (
      f"{cheap.eval_rows:,} eval rows cannot tell whether the model beats the cheap one by "
      f"{bound:g}: the gain is between {interval[0]:+.3g} and {interval[1]:+.3g}. {_MORE}"
    )


def _worse_than_guessing(found: Evaluation) -> Iterator[str]:
  loss, guessing = found.metrics.get("loss"), found.metrics.get(GUESSING_LOSS)
  if loss is None or guessing is None or loss <= guessing:
    return
  what = "the training diverged" if loss > _DIVERGED * guessing or loss != loss else "too sure"
  yield (
    f"The loss {loss:.4g} is worse than {guessing:.4g}, that of always answering with each class's "
    f"share: {what}. Do not believe the scores."
  )


def _other_classes(
  found: Evaluation, labels: Sequence[str], old_labels: Sequence[str]
) -> Iterator[str]:
  """Yields a warning on how to read the comparison if the two models have different classes."""
  if not labels or not old_labels or set(labels) == set(old_labels):
    return
  new, gone = (
    [n for n in some if n not in set(others)]
    for some, others in ((labels, old_labels), (old_labels, labels))
  )
  told = [f"has the new classes {_named(new)}"] if new else []
  told += [f"no longer has {_named(gone)}"] if gone else []
  known, now, before = found.common or (math.nan,) * 3
  shared = ""
  if known == known:
    shared = (
      f" On the {int(known):,} rows whose class both know, accuracy is {now:.4g}, and was "
      f"{before:.4g}."
    )
  yield (
    f"The model {' and '.join(told)}. The model before is wrong on what it does not know.{shared}"
  )


def _named(names: Sequence[str], most: int = 5) -> str:
  shown = ", ".join(repr(name) for name in names[:most])
  return shown if len(names) <= most else f"{shown} and {len(names) - most:,} more"


def _labels(model_dir: str | None, vocabulary: str | None) -> list[str]:
  """Returns the classes of an exported model, in the order of its ids; empty without a file."""
  if model_dir is None or vocabulary is None:
    return []
  file = pathlib.Path(model_dir) / "assets" / vocabulary
  if not file.is_file():
    return []
  return file.read_text(encoding="utf-8").splitlines()
