"""`evaluation`: gates become thresholds on the whole split, and a real TFMA result reads back."""

import dataclasses
import json
import math

import pytest
import tensorflow_model_analysis as tfma

from pipeline.evaluation import (
  confusion_rows,
  eval_config,
  per_class,
  read_evaluation,
  task_gates,
)
from pipeline.task import MetricGate
from pipeline.tasks.images.task import TASK

_UP = MetricGate(metric="accuracy", bound=0.6, max_regression=0.1, reason="r")
_DOWN = MetricGate(metric="loss", direction="lower", bound=2.0, max_regression=0.5, reason="r")

# Four rows of 2 classes: right, right, right, wrong; the wrong one is alone in its slice.
_LABELS = [0, 0, 1, 1]
_SCORES = [[0.95, 0.05], [0.75, 0.25], [0.35, 0.65], [0.55, 0.45]]
_WORSE = [[0.95, 0.05], [0.25, 0.75], [0.35, 0.65], [0.55, 0.45]]
_SLICES = {"label": ["a", "a", "b", "b"], "size_bucket": ["<=32", "<=32", "<=32", ">512"]}


@pytest.fixture(scope="module")
def single(evaluate):
  return evaluate(eval_config(TASK, (_UP,)), label_id=_LABELS, scores=_SCORES, slices=_SLICES)


@pytest.fixture(scope="module")
def compared(evaluate):
  return evaluate(
    eval_config(TASK, (_UP,)),
    label_id=_LABELS,
    scores=_WORSE,
    old_scores=_SCORES,
    slices=_SLICES,
  )


def _thresholds(config, metric):
  [found] = [m for m in config.metrics_specs[0].metrics if json.loads(m.config)["name"] == metric]
  return found


def test_a_gate_is_a_threshold_on_the_overall_slice_only():
  config = eval_config(TASK, (_UP, _DOWN))
  for metric in config.metrics_specs[0].metrics:
    assert not metric.HasField("threshold")
  [held] = _thresholds(config, "accuracy").per_slice_thresholds
  [spec] = held.slicing_specs
  assert not spec.feature_keys
  assert not spec.feature_values
  assert held.threshold.value_threshold.lower_bound.value == 0.6
  assert not held.threshold.value_threshold.HasField("upper_bound")
  assert held.threshold.change_threshold.absolute.value == -0.1
  [held] = _thresholds(config, "loss").per_slice_thresholds
  assert held.threshold.value_threshold.upper_bound.value == 2.0
  assert not held.threshold.value_threshold.HasField("lower_bound")
  assert held.threshold.change_threshold.absolute.value == 0.5
  assert not _thresholds(config, "skill").per_slice_thresholds


def test_a_gate_without_a_bound_checks_only_the_change():
  gate = MetricGate(metric="accuracy", max_regression=0.02, reason="r")
  [held] = _thresholds(eval_config(TASK, (gate,)), "accuracy").per_slice_thresholds
  assert not held.threshold.HasField("value_threshold")
  assert held.threshold.change_threshold.absolute.value == -0.02


def test_the_model_is_asked_by_examples_and_every_slice_of_the_task_is_drawn():
  config = eval_config(TASK, ())
  [spec] = config.model_specs
  assert spec.signature_name == "serving_examples"
  assert spec.label_key == "label_id"
  assert list(spec.preprocessing_function_names) == ["transform_label"]
  assert [list(s.feature_keys) for s in config.slicing_specs] == [[], ["label"], ["size_bucket"]]


def test_a_gate_on_a_metric_that_is_not_computed_is_an_error_that_names_those_that_are():
  gate = MetricGate(metric="acuracy", bound=0.5, reason="r")
  with pytest.raises(ValueError, match="'acuracy'.*Known: .*'accuracy'.*'skill'"):
    eval_config(TASK, (gate,))


def test_configured_bounds_replace_the_tasks_own():
  task = dataclasses.replace(TASK, gates=(_UP, _DOWN))
  first, second = task_gates(task, {"loss": 1.5})
  assert first == _UP
  assert second == dataclasses.replace(_DOWN, bound=1.5)


def test_metrics_of_a_result(single):
  found = read_evaluation(single)
  assert found.metrics["example_count"] == 4
  assert found.metrics["accuracy"] == 0.75
  # Always guessing one label has two errors; the model has one: (3 - 2) / (4 - 2).
  assert found.metrics["skill"] == 0.5
  expected = -sum(math.log(p) for p in (0.95, 0.75, 0.65, 0.45)) / 4
  assert found.metrics["loss"] == pytest.approx(expected, abs=1e-6)
  assert found.baseline == {}


def test_slices_of_a_result(single):
  found = read_evaluation(single)
  accuracies = {(s["feature"], s["value"]): s["metrics"]["accuracy"] for s in found.slices}
  assert accuracies == {
    ("label", "a"): 1.0,
    ("label", "b"): 0.5,
    ("size_bucket", "<=32"): 1.0,
    ("size_bucket", ">512"): 0.0,
  }
  assert [s["feature"] for s in found.slices] == ["label", "label", "size_bucket", "size_bucket"]


def test_confusion_and_per_class_of_a_result(single):
  rows = confusion_rows(read_evaluation(single), ["a", "b"])
  assert rows == [[2.0, 0.0], [1.0, 1.0]]
  first, second = per_class(rows, ["a", "b"])
  assert first == {"label": "a", "precision": pytest.approx(2 / 3), "recall": 1.0, "count": 2}
  assert second == {"label": "b", "precision": 1.0, "recall": 0.5, "count": 2}


def test_calibration_of_a_result_leaves_empty_bins_out(single):
  bins = read_evaluation(single).calibration
  assert [round(b["low"], 1) for b in bins] == [0.5, 0.6, 0.7, 0.9]
  assert [b["count"] for b in bins] == [1, 1, 1, 1]
  assert [b["accuracy"] for b in bins] == [0, 1, 1, 1]
  assert [b["confidence"] for b in bins] == pytest.approx([0.55, 0.65, 0.75, 0.95])


def test_a_bad_slice_alone_does_not_refuse(single):
  assert tfma.load_validation_result(single).validation_ok


def test_a_comparison_has_both_models_metrics(compared):
  found = read_evaluation(compared)
  assert found.metrics["accuracy"] == 0.5
  assert found.baseline["accuracy"] == 0.75
  assert found.metrics["skill"] == 0.0
  assert found.baseline["skill"] == 0.5
  assert confusion_rows(found, ["a", "b"]) == [[1.0, 1.0], [1.0, 1.0]]


def test_a_comparison_refuses_the_bound_and_the_change(compared):
  outcome = tfma.load_validation_result(compared)
  assert not outcome.validation_ok
  [overall] = outcome.metric_validations_per_slice
  assert not overall.slice_key.single_slice_keys
  assert {(f.metric_key.name, f.metric_key.is_diff) for f in overall.failures} == {
    ("accuracy", False),
    ("accuracy", True),
  }


def test_per_class_of_labels_that_never_occur_is_undefined():
  first, second = per_class([[2.0, 0.0], [0.0, 0.0]], ["a", "b"])
  assert first["precision"] == first["recall"] == 1.0
  assert math.isnan(second["precision"])
  assert math.isnan(second["recall"])
  assert second["count"] == 0


def test_confusion_rows_leave_out_labels_that_train_does_not_have(single):
  found = dataclasses.replace(read_evaluation(single), confusion={(-1, 0): 3.0, (1, 0): 2.0})
  assert confusion_rows(found, ["a", "b"]) == [[0.0, 0.0], [2.0, 0.0]]
