"""The one judge: bounds, changes, intervals, too few rows, other classes."""

import dataclasses
import json
import math

import pytest

from pipeline import gates
from pipeline.evaluation import Evaluation, eval_config
from pipeline.problems.classes import GATES
from pipeline.suspects.baseline import Baseline
from pipeline.task import MetricGate
from pipeline.tasks.images.task import TASK

_UP = MetricGate(metric="accuracy", bound=0.6, max_regression=0.01, reason="r")
_DOWN = MetricGate(metric="loss", direction="lower", bound=2.0, max_regression=0.5, reason="r")


def _found(baseline=None, confusion=None, intervals=None, changes=None, common=None, **metrics):
  return Evaluation(
    metrics={"example_count": 100.0, **metrics},
    baseline=baseline or {},
    slices=[],
    confusion=confusion or {(0, 0): 50.0, (1, 1): 50.0},
    calibration=[],
    intervals=intervals or {},
    changes=changes or {},
    common=common,
  )


def _rows(verdict):
  assert verdict.passed == all(ruling.passed for ruling in verdict.rulings)
  assert verdict.to_json()["passed"] == verdict.passed
  return [(r.metric, r.bound, r.value, r.passed) for r in verdict.rulings]


@pytest.mark.parametrize("direction", ["higher", "lower"])
@pytest.mark.parametrize("points", [0, 1, 2, 5, 10])
def test_exactly_as_much_worse_as_is_allowed_passes_and_one_row_more_does_not(direction, points):
  gate = MetricGate(
    metric="m", direction=direction, max_regression=points / 100, reason="at most so much worse"
  )
  worse = -1 if direction == "higher" else 1
  checked = 0
  for count in range(100, 601, 100):
    allowed = count * points // 100
    for before in range(count + 1):
      for lost, passes in ((allowed, True), (allowed + 1, False)):
        right = before + worse * lost
        if not 0 <= right <= count:
          continue
        verdict = gates.verdict(_found({"m": before / count}, m=right / count), [gate])
        assert verdict.passed is passes, (count, before, right)
        checked += 1
  assert checked > 3000


def test_every_share_keeps_a_bound_that_is_the_same_share():
  for count in range(1, 601):
    for right in range(0, count + 1, max(1, count // 40)):
      value = right / count
      for compared, worse in ((">=", right - 1), ("<=", right + 1)):
        assert gates.holds(value, compared, value)
        # The same share, summed up in another order.
        assert gates.holds(value, compared, 1 - (count - right) / count)
        assert not gates.holds(worse / count, compared, value)


def test_a_bound_of_zero_is_a_bound():
  gate = MetricGate(metric="skill", bound=0.0, reason="r")
  assert not gates.verdict(_found(skill=-0.1), [gate]).passed
  assert gates.verdict(_found(skill=0.0), [gate]).passed


def test_rows_in_both_directions():
  found = _found({"accuracy": 0.9, "loss": 1.0}, accuracy=0.7, loss=1.6)
  assert _rows(gates.verdict(found, [_UP, _DOWN])) == [
    ("accuracy", ">= 0.6", 0.7, True),
    ("accuracy", ">= 0.89 (the model before, within 0.01)", 0.7, False),
    ("loss", "<= 2", 1.6, True),
    ("loss", "<= 1.5 (the model before, within 0.5)", 1.6, False),
  ]


def test_without_a_model_before_there_is_no_change():
  assert _rows(gates.verdict(_found(accuracy=0.7), [_UP])) == [("accuracy", ">= 0.6", 0.7, True)]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, None])
@pytest.mark.parametrize("gate", [_UP, _DOWN])
def test_what_is_no_number_passes_no_gate_and_says_why(gate, value):
  metrics = {} if value is None else {gate.metric: value}
  verdict = gates.verdict(_found({gate.metric: 0.5}, **metrics), [gate])
  assert not verdict.passed
  assert all(ruling.value is None for ruling in verdict.rulings)
  json.dumps(verdict.to_json(), allow_nan=False)


def test_a_metric_of_one_class_says_that_there_is_one_class():
  found = _found(confusion={(1, 1): 40.0, (1, 0): 2.0}, skill=math.nan, loss=0.1)
  [row] = gates.verdict(
    found, [MetricGate(metric="skill", bound=0.3, reason="r")], labels=["neg", "pos"]
  ).rulings
  assert row.reason == "r. It could not be measured: the class of every eval row is 'pos'"


def test_a_metric_of_a_model_that_came_apart_says_so():
  found = _found(accuracy=math.nan, loss=math.nan, guessing_loss=0.7)
  verdict = gates.verdict(found, [_UP])
  assert "the training diverged" in verdict.rulings[0].reason
  assert "the training diverged" in verdict.warnings[0]


@pytest.mark.parametrize(("least", "passed"), [(100, True), (101, False)])
def test_too_few_rows_refuse_where_that_is_asked_for(least, passed):
  verdict = gates.verdict(_found(accuracy=0.9), [_UP], min_examples=least)
  assert _rows(verdict)[0] == ("example_count", f">= {least}", 100, passed)
  assert verdict.passed is passed


def test_a_bound_within_the_interval_is_in_doubt():
  [warning] = gates.verdict(
    _found(accuracy=0.65, intervals={"accuracy": (0.55, 0.74)}), [_UP]
  ).warnings
  assert warning == (
    "100 eval rows cannot tell whether accuracy keeps its bound of 0.6: it is between 0.55 and "
    "0.74. Until eval has more of them, take a pass or a refusal for a hint."
  )
  sure = _found(accuracy=0.9, intervals={"accuracy": (0.83, 0.94)})
  assert gates.verdict(sure, [_UP]).warnings == ()
  assert gates.verdict(sure, [_UP]).rulings[0].interval == (0.83, 0.94)
  bad = _found(accuracy=0.4, intervals={"accuracy": (0.31, 0.5)})
  assert gates.verdict(bad, [_UP]).warnings == ()


@pytest.mark.parametrize(
  ("gate", "change", "is_in_doubt"),
  [
    (_UP, (-0.05, 0.03), True),
    (_UP, (-0.005, 0.03), False),
    (_DOWN, (0.4, 0.6), True),
    (_DOWN, (-0.6, -0.4), False),
  ],
)
def test_a_change_that_the_rows_cannot_tell_is_in_doubt(gate, change, is_in_doubt):
  found = _found({gate.metric: 0.9}, changes={gate.metric: change}, **{gate.metric: 0.9})
  warnings = gates.verdict(found, [dataclasses.replace(gate, bound=None)]).warnings
  assert len(warnings) == is_in_doubt
  assert all("than the model before's" in warning for warning in warnings)


@pytest.mark.parametrize(
  ("loss", "word"),
  [(1.5, None), (1.609, None), (2.115, "too sure"), (30.0, "diverged"), (8e17, "diverged")],
)
def test_a_loss_that_guessing_beats_is_named(loss, word):
  warnings = gates.verdict(_found(accuracy=0.5, loss=loss, guessing_loss=1.609), []).warnings
  assert [word in warning for warning in warnings] == ([True] if word else [])


def test_other_classes_are_named_and_compared_on_what_both_know():
  found = _found({"accuracy": 0.8}, accuracy=0.9, common=(80, 0.95, 0.97))
  [warning] = gates.verdict(
    found, [], labels=["b", "a", "aqua"], old_labels=["a", "b", "sand"]
  ).warnings
  assert warning == (
    "The model has the new classes 'aqua' and no longer has 'sand'. The model before is wrong on "
    "what it does not know. On the 80 rows whose class both know, accuracy is 0.95, and was 0.97."
  )
  assert gates.verdict(found, [], labels=["a", "b"], old_labels=["b", "a"]).warnings == ()


def test_configured_bounds_replace_the_tasks_own():
  task = dataclasses.replace(TASK, gates=(_UP, _DOWN))
  first, second = gates.task_gates(task, {"loss": 1.5, "loss.max_regression": 0.0})
  assert first == _UP
  assert (second.bound, second.max_regression) == (1.5, 0.0)


def test_the_tasks_reason_is_not_that_of_another_bound():
  task = dataclasses.replace(TASK, gates=(_UP, dataclasses.replace(_DOWN, bound=None)))
  first, second = gates.task_gates(task, {"accuracy": 0.9, "loss": 1.5})
  assert first.reason == "the configuration says 0.9, the task has 0.6: r"
  assert second.reason == "the configuration says 1.5, the task has no bound: r"
  same, _ = gates.task_gates(task, {"accuracy": 0.6, "accuracy.max_regression": 0.5})
  assert same.reason == "r"


@pytest.mark.parametrize("old", [None, [[0.1, 0.9]] * 2 + [[0.9, 0.1]] * 2])
def test_what_the_evaluator_is_told_comes_back_as_a_verdict(evaluate, tmp_path, old):
  for name, labels in (("new", "cat\ndog\n"), ("old", "cat\n")):
    (tmp_path / name / "assets").mkdir(parents=True)
    (tmp_path / name / "assets" / TASK.problem.vocabulary).write_text(labels)
  found = evaluate(
    eval_config(TASK),
    label_id=[0, 0, 1, 1],
    scores=[[0.9, 0.1], [0.9, 0.1], [0.1, 0.9], [0.9, 0.1]],
    old_scores=old,
    slices={"label": ["cat", "cat", "dog", "dog"], "size_bucket": ["s"] * 4},
  )
  told = json.loads(json.dumps(gates.parameters(TASK, TASK.gates, min_examples=None)))
  verdict = gates.judge(
    found,
    told,
    str(tmp_path / "new"),
    None if old is None else str(tmp_path / "old"),
    str(tmp_path),
  )
  assert verdict.passed is True
  assert [ruling.metric for ruling in verdict.rulings] == (
    ["skill", "worst_recall"] if old is None else ["skill", "accuracy", "worst_recall"]
  )
  assert any("'dog'" in warning for warning in verdict.warnings) is (old is not None)


_WORST = next(gate for gate in GATES if gate.metric == "worst_recall")


@pytest.mark.parametrize(("right", "passed"), [(0, False), (2, False), (3, True), (25, True)])
def test_the_worst_class_is_named_and_held_to_its_bound(right, passed):
  found = dataclasses.replace(
    _found(worst_recall=right / 25), arrays={"worst_class": [1.0, float(right), 25.0]}
  )
  [ruling] = gates.verdict(found, [_WORST], labels=["cat", "dog"]).rulings
  assert ruling.passed is passed
  assert ruling.reason.endswith(f"The worst class is 'dog': {right} of its 25 eval rows are right")


def test_a_gate_that_nobody_set_and_eval_cannot_measure_says_so_and_passes():
  found = dataclasses.replace(_found(worst_recall=math.nan), arrays={"worst_class": [math.nan] * 3})
  [usual] = gates.verdict(found, [_WORST]).rulings
  assert (usual.value, usual.passed) == (None, True)
  assert usual.reason.endswith("Not measured: no class has 20 eval rows")
  [said] = gates.task_gates(dataclasses.replace(TASK, gates=(_WORST,)), {"worst_recall": 0.5})
  [ruling] = gates.verdict(found, [said]).rulings
  assert (ruling.value, ruling.passed) == (None, False)
  # A metric that was not computed at all passes nothing.
  assert not gates.verdict(_found(), [_WORST]).passed


def _cheap(gain, interval):
  return Baseline(
    model="words", train_rows=3_000, eval_rows=500, cheap=0.8, network=0.8 + gain, gain=gain,
    interval=interval,
  )  # fmt: skip


@pytest.mark.parametrize(("bound", "passed"), [(0.0, True), (0.02, True), (0.05, False)])
def test_a_network_must_beat_a_cheap_model_by_what_is_set(bound, passed):
  found = gates.verdict(_found(), [], beats_baseline=bound, cheap=_cheap(0.02, (0.01, 0.03)))
  [ruling] = found.rulings
  assert (ruling.metric, ruling.bound, ruling.value) == ("beats_baseline", f">= {bound:g}", 0.02)
  assert (ruling.passed, ruling.interval) == (passed, (0.01, 0.03))
  assert "a cheap model of words, trained on 3,000 rows, about 80.0%" in ruling.reason
  assert any("cannot tell whether the model beats" in each for each in found.warnings) is (
    bound == 0.02
  )


def test_a_gain_that_was_not_measured_passes_no_bound():
  [ruling] = gates.verdict(_found(), [], beats_baseline=-1.0).rulings
  assert (ruling.value, ruling.passed) == (None, False)


@pytest.mark.parametrize(
  ("interval", "is_warned"), [((-0.05, -0.01), True), ((-0.05, 0.01), False), (None, False)]
)
def test_without_a_bound_only_a_network_that_is_surely_worse_is_told(interval, is_warned):
  found = gates.verdict(_found(), [], cheap=_cheap(-0.03, interval))
  assert found.rulings == ()
  assert [each.startswith("A cheap model is better. On 500 rows") for each in found.warnings] == (
    [True] if is_warned else []
  )


def test_the_judge_reads_what_a_cheap_model_is_worth(evaluate, tmp_path):
  found = evaluate(
    eval_config(TASK), label_id=[0, 1], scores=[[0.9, 0.1], [0.1, 0.9]],
    slices={"label": ["cat", "dog"], "size_bucket": ["s"] * 2},
  )  # fmt: skip
  (tmp_path / Baseline.FILE).write_text(_cheap(-0.1, (-0.2, -0.05)).to_text())
  told = gates.parameters(TASK, (), min_examples=None, beats_baseline=0.0)
  verdict = gates.judge(found, told, str(tmp_path), None, str(tmp_path))
  assert verdict.failed == ["beats_baseline"]
