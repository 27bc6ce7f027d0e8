"""`evaluation`: what TFMA is asked for, and a real TFMA result read back."""

import dataclasses
import math

import pytest

from pipeline.evaluation import eval_config, read_evaluation
from pipeline.problems.classes import confusion_rows, per_class
from pipeline.task import MetricGate
from pipeline.tasks.images.task import TASK

# Four rows of 2 classes: right, right, right, wrong; the wrong one is alone in its slice.
_LABELS = [0, 0, 1, 1]
_SCORES = [[0.95, 0.05], [0.75, 0.25], [0.35, 0.65], [0.55, 0.45]]
_WORSE = [[0.95, 0.05], [0.25, 0.75], [0.35, 0.65], [0.55, 0.45]]
_SLICES = {"label": ["a", "a", "b", "b"], "size_bucket": ["<=32", "<=32", "<=32", ">512"]}


@pytest.fixture(scope="module")
def single(evaluate):
  return evaluate(eval_config(TASK), label_id=_LABELS, scores=_SCORES, slices=_SLICES)


@pytest.fixture(scope="module")
def compared(evaluate):
  return evaluate(
    eval_config(TASK),
    label_id=_LABELS,
    scores=_WORSE,
    old_scores=_SCORES,
    slices=_SLICES,
  )


def test_tfma_is_given_no_thresholds():
  # It would judge a second time, in another arithmetic.
  for metric in eval_config(TASK).metrics_specs[0].metrics:
    assert not metric.HasField("threshold")
    assert not metric.per_slice_thresholds


def test_the_model_is_asked_by_examples_and_every_slice_of_the_task_is_drawn():
  config = eval_config(TASK)
  [spec] = config.model_specs
  assert spec.signature_name == "serving_examples"
  assert spec.label_key == "label_id"
  assert list(spec.preprocessing_function_names) == ["transform_label"]
  assert [list(s.feature_keys) for s in config.slicing_specs] == [[], ["label"], ["size_bucket"]]


def test_a_gate_on_a_metric_that_is_not_computed_is_an_error_that_names_those_that_are():
  gate = MetricGate(metric="acuracy", bound=0.5, reason="r")
  with pytest.raises(ValueError, match="'acuracy'.*Known: .*'accuracy'.*'skill'"):
    eval_config(dataclasses.replace(TASK, gates=(gate,)))


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
  # Wilson's interval of 2 of 2, and of 1 of 2.
  intervals = [pytest.approx(first.pop("interval"), abs=1e-3), second.pop("interval")]
  assert intervals == [(0.342, 1.0), pytest.approx((0.095, 0.905), abs=1e-3)]
  assert first == {"label": "a", "precision": pytest.approx(2 / 3), "recall": 1.0, "count": 2}
  assert second == {"label": "b", "precision": 1.0, "recall": 0.5, "count": 2}


def test_calibration_of_a_result_leaves_empty_bins_out(single):
  bins = read_evaluation(single).calibration
  assert [round(b["low"], 1) for b in bins] == [0.5, 0.6, 0.7, 0.9]
  assert [round(b["high"], 1) for b in bins] == [0.6, 0.7, 0.8, 1.0]
  assert [b["count"] for b in bins] == [1, 1, 1, 1]
  assert [b["accuracy"] for b in bins] == [0, 1, 1, 1]
  assert [b["confidence"] for b in bins] == pytest.approx([0.55, 0.65, 0.75, 0.95])


def test_a_comparison_has_both_models_metrics(compared):
  found = read_evaluation(compared)
  assert found.metrics["accuracy"] == 0.5
  assert found.baseline["accuracy"] == 0.75
  assert found.metrics["skill"] == 0.0
  assert found.baseline["skill"] == 0.5
  assert confusion_rows(found, ["a", "b"]) == [[1.0, 1.0], [1.0, 1.0]]
  assert set(found.metrics) == set(found.baseline)


def test_a_comparison_says_how_sure_it_is(compared):
  found = read_evaluation(compared)
  low, high = found.intervals["accuracy"]
  assert 0 < low < 0.5 < high < 1
  # One of four rows was lost, none gained: worse, and by how much is hardly known.
  low, high = found.changes["accuracy"]
  assert low < -0.25 < 0 < high
  assert found.common == (4, 0.5, 0.75)


def test_a_model_before_that_does_not_know_a_class_is_wrong_on_it(evaluate):
  found = read_evaluation(
    evaluate(
      eval_config(TASK),
      label_id=[0, 1, 2, 2],
      scores=[[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8], [0.8, 0.1, 0.1]],
      # The older one numbers the labels otherwise, and has never seen the last.
      old_label_id=[1, 0, -1, -1],
      old_scores=[[0.1, 0.9], [0.2, 0.8], [0.5, 0.5], [0.9, 0.1]],
      slices={"label": ["a", "b", "c", "c"], "size_bucket": ["s"] * 4},
    )
  )
  assert (found.metrics["accuracy"], found.baseline["accuracy"]) == (0.75, 0.25)
  assert found.common == (2, 1.0, 0.5)
  unseen = -math.log(1e-7)
  expected = (-math.log(0.9) - math.log(0.2) + 2 * unseen) / 4
  assert found.baseline["loss"] == pytest.approx(expected, abs=1e-6)
  assert found.metrics["guessing_loss"] == pytest.approx(0.25 * math.log(4) * 2 + 0.5 * math.log(2))


def test_per_class_of_labels_that_never_occur_is_undefined():
  first, second = per_class([[2.0, 0.0], [0.0, 0.0]], ["a", "b"])
  assert first["precision"] == first["recall"] == 1.0
  assert math.isnan(second["precision"])
  assert math.isnan(second["recall"])
  assert second["count"] == 0


def test_confusion_rows_leave_out_labels_that_train_does_not_have(single):
  found = dataclasses.replace(read_evaluation(single), confusion={(-1, 0): 3.0, (1, 0): 2.0})
  assert confusion_rows(found, ["a", "b"]) == [[0.0, 0.0], [2.0, 0.0]]
