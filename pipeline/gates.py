"""The one judge of a task's gates: what the Evaluator found in, the verdict out.

The pusher, the exit code, `--json`, the report and the history all read this verdict; none of them
compares a number with a bound.
"""

from __future__ import annotations

import dataclasses
import math
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dlpipe.verdicts import Ruling, Verdict
from pipeline.evaluation import Evaluation, read_evaluation
from pipeline.problems.classification_metrics import GUESSING_LOSS
from pipeline.problems.intervals import Interval
from pipeline.task import MetricGate, Task

# Metrics are sums and quotients in floating point: 0.97 - 0.96 is not 0.01. Two models of any
# number of rows that anybody has differ by far more than this part of a bound.
_SLACK = 1e-9
# A loss of so many times that of guessing is no bad model, but a training that came apart.
_DIVERGED = 5
_COUNT = "example_count"
_MORE = "Until eval has more of them, take a pass or a refusal for a hint."


def task_gates(task: Task, bounds: Mapping[str, float | None]) -> tuple[MetricGate, ...]:
  """The task's gates, with what the configuration's `gates` section replaces."""
  return tuple(_configured(gate, bounds) for gate in task.gates)


def _configured(gate: MetricGate, bounds: Mapping[str, float | None]) -> MetricGate:
  """The gate with a configuration's bounds; the task's reason is not one for another bound."""
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
  )


def gate_facts(task: Task, bounds: Mapping[str, float | None]) -> list[dict[str, Any]]:
  """The gates without their reasons, as JSON: `metric`, `direction`, `bound`, `max_regression`."""
  names = ("metric", "direction", "bound", "max_regression")
  return [{name: getattr(gate, name) for name in names} for gate in task_gates(task, bounds)]


def parameters(
  task: Task, gates: Sequence[MetricGate], *, min_examples: int | None
) -> dict[str, Any]:
  """What `judge` is told, as JSON holds it."""
  return {
    "gates": [_told(gate) for gate in gates],
    "min_examples": min_examples,
    "vocabulary": task.problem.vocabulary,
  }


def _told(gate: MetricGate) -> dict[str, Any]:
  """A gate without what only settings are held to."""
  told = dataclasses.asdict(gate)
  del told["best"]
  return told


def judge(
  evaluation_dir: str, told: Mapping[str, Any], model_dir: str, baseline_dir: str | None
) -> Verdict:
  """Judges a model; called by the Evaluator.

  Args:
    evaluation_dir: TFMA's results.
    told: of `parameters`.
    model_dir: the candidate's SavedModel.
    baseline_dir: that of the model before, or None.
  """
  return verdict(
    read_evaluation(evaluation_dir),
    [MetricGate(**gate) for gate in told["gates"]],
    min_examples=told["min_examples"],
    labels=_labels(model_dir, told["vocabulary"]),
    old_labels=_labels(baseline_dir, told["vocabulary"]),
  )


def verdict(
  found: Evaluation,
  gates: Sequence[MetricGate],
  *,
  min_examples: int | None = None,
  labels: Sequence[str] = (),
  old_labels: Sequence[str] = (),
) -> Verdict:
  """Judges metrics by gates.

  Args:
    found: the candidate's metrics, and those of the model before where there is one.
    gates: what must hold.
    min_examples: the fewest eval rows that may judge a model; None for any number.
    labels: the candidate's classes, in the order of its ids; none for tasks without classes.
    old_labels: those of the model before.
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
    rulings += _rulings(gate, found, _unmeasured(found, labels))
  warnings = [
    *_unsure(gates, found),
    *_worse_than_guessing(found),
    *_other_classes(found, labels, old_labels),
  ]
  return Verdict(rulings=tuple(rulings), warnings=tuple(warnings))


def _rulings(gate: MetricGate, found: Evaluation, unmeasured: str) -> Iterator[Ruling]:
  """The row of a gate's bound, and that of its change."""
  value = found.metrics.get(gate.metric, math.nan)
  compared = ">=" if gate.direction == "higher" else "<="
  reason = gate.reason if math.isfinite(value) else f"{gate.reason}. {unmeasured}"
  interval = found.intervals.get(gate.metric)
  if gate.bound is not None:
    yield _ruled(gate.metric, compared, gate.bound, value, reason, interval=interval)
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
  """Whether a metric keeps a bound; at the bound it does, and nan keeps none.

  Args:
    value: the metric.
    compared: `>=` or `<=`.
    bound: the worst value that passes.
  """
  slack = _SLACK * max(1.0, abs(bound))
  return value >= bound - slack if compared == ">=" else value <= bound + slack


def _unmeasured(found: Evaluation, labels: Sequence[str]) -> str:
  """Why a metric may be no number."""
  seen = {actual for actual, _ in found.confusion}
  if len(seen) == 1:
    [only] = seen
    name = repr(labels[only]) if 0 <= only < len(labels) else "one that train does not have"
    return f"It could not be measured: the class of every eval row is {name}"
  if not math.isfinite(found.metrics.get("loss", 0.0)):
    return "It could not be measured: the model's answers are no numbers; the training diverged"
  return "It could not be measured on these eval rows"


def _unsure(gates: Sequence[MetricGate], found: Evaluation) -> Iterator[str]:
  """Bounds that the eval rows cannot tell from the other side of them."""
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
  """What a comparison means where one of the models knows classes that the other does not."""
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
  """The classes of an exported model, in the order of its ids; none where it has no such file."""
  if model_dir is None or vocabulary is None:
    return []
  file = pathlib.Path(model_dir) / "assets" / vocabulary
  if not file.is_file():
    return []
  return file.read_text(encoding="utf-8").splitlines()
