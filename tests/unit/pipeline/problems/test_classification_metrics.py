"""`Skill`, `CalibrationError` and `Auc`, computed by TFMA itself on values worked out by hand."""

import json
import math

import numpy as np
import pytest
from tensorflow_model_analysis.proto import config_pb2

from dlpipe.fingerprint import code_fingerprint
from pipeline.evaluation import read_evaluation
from pipeline.problems import classification_metrics, intervals
from pipeline.problems.calibration import BINS, binned_errors
from pipeline.problems.paired_metrics import Scored


@pytest.fixture(scope="module")
def computed(evaluate):
  config = config_pb2.EvalConfig(
    model_specs=[
      config_pb2.ModelSpec(
        signature_name="serving_examples",
        prediction_key="scores",
        label_key="label_id",
        preprocessing_function_names=["transform_label"],
      )
    ],
    slicing_specs=[config_pb2.SlicingSpec(), config_pb2.SlicingSpec(feature_keys=["kind"])],
    metrics_specs=[
      config_pb2.MetricsSpec(metrics=classification_metrics.classification_metrics(auc=True))
    ],
  )

  def run(label_id, scores, **more):
    return read_evaluation(evaluate(config, label_id=label_id, scores=scores, **more))

  return run


@pytest.fixture(scope="module")
def three_classes(computed):
  """Labels 0, 0, 0, 1, 2: the majority guess has 3 of 5 right."""
  return computed(
    [0, 0, 0, 1, 2],
    [
      [1.0, 0.0, 0.0],  # right, and surest: the last bin, not one beyond it
      [0.82, 0.1, 0.08],  # right
      [0.3, 0.36, 0.34],  # wrong, and no score reaches one half
      [0.1, 0.82, 0.08],  # right
      [0.06, 0.88, 0.06],  # wrong
    ],
    old_scores=[[1.0, 0.0, 0.0]] * 5,  # always guesses the commonest label
    slices={"kind": ["x", "x", "x", "y", "y"]},
  )


def test_skill_is_the_part_of_the_majority_guesss_errors_that_is_avoided(three_classes):
  assert three_classes.metrics["accuracy"] == pytest.approx(3 / 5)
  assert three_classes.metrics["skill"] == (3 - 3) / (5 - 3)


def test_the_majority_guess_itself_has_no_skill(three_classes):
  assert three_classes.baseline["accuracy"] == pytest.approx(3 / 5)
  assert three_classes.baseline["skill"] == 0.0


def test_skill_of_a_slice_of_one_label_is_undefined(three_classes):
  one_label, two_labels = three_classes.slices
  assert one_label["value"] == "x"
  assert math.isnan(one_label["metrics"]["skill"])
  # Labels 1 and 2: either guess has one right, and so has the model.
  assert two_labels["metrics"]["skill"] == 0.0


def test_calibration_error_is_the_mean_gap_between_score_and_success(three_classes):
  # Bin 3: 0.36 said, 0 right. Bin 8: 0.82 + 0.82 + 0.88 said, 2 right. Bin 9: 1 said, 1 right.
  gaps = [0.36, abs(0.82 + 0.82 + 0.88 - 2), 0.0]
  assert three_classes.metrics["calibration_error"] == pytest.approx(sum(gaps) / 5, abs=1e-6)
  assert [
    (round(b["low"] * BINS), b["count"], b["accuracy"]) for b in three_classes.calibration
  ] == [
    (3, 1, 0.0),
    (8, 3, pytest.approx(2 / 3)),
    (9, 1, 1.0),
  ]


def test_each_model_has_its_own_calibration(three_classes):
  # Sure of five, right in three.
  assert three_classes.baseline["calibration_error"] == pytest.approx(2 / 5)


def test_auc_is_the_mean_over_the_classes_of_the_pairs_that_are_ranked_right(three_classes):
  # Class 0: all of 3 x 2 pairs. Class 1: 3 of 1 x 4. Class 2: 1 of 1 x 4.
  assert three_classes.metrics["auc"] == pytest.approx((1 + 3 / 4 + 1 / 4) / 3)
  # Equal scores count half.
  assert three_classes.baseline["auc"] == 0.5


def test_auc_of_a_slice_is_over_the_classes_that_it_can_rank(three_classes):
  one_label, two_labels = three_classes.slices
  assert math.isnan(one_label["metrics"]["auc"])
  # Class 0 is absent; 1 and 2 each score the other's example higher.
  assert two_labels["metrics"]["auc"] == 0.0


def test_auc_is_computed_where_it_is_asked_for():
  names = [
    json.loads(m.config)["name"] for m in classification_metrics.classification_metrics(auc=True)
  ]
  assert names[-1] == "auc"
  assert names[:-1] == [
    json.loads(m.config)["name"] for m in classification_metrics.classification_metrics()
  ]


def test_skill_at_its_ends(computed):
  right = [[0.9, 0.1], [0.9, 0.1], [0.1, 0.9], [0.1, 0.9]]
  found = computed([0, 0, 1, 1], right, old_scores=right[::-1], slices={"kind": ["x"] * 4})
  assert found.metrics["skill"] == 1.0
  assert found.baseline["skill"] == -1.0
  assert (found.metrics["auc"], found.baseline["auc"]) == (1.0, 0.0)
  # Four rows were gained, none lost.
  assert found.changes["accuracy"] == pytest.approx((0.1677, 1.0), abs=1e-3)


def test_a_class_that_cannot_be_ranked_lowers_no_auc(computed):
  found = computed([1, 2], [[0.1, 0.8, 0.1], [0.1, 0.1, 0.8]], slices={"kind": ["x"] * 2})
  assert found.metrics["auc"] == 1.0


def test_a_loss_has_no_interval_below_zero(combined):
  rows = [*[([0], [0.99, 0.01])] * 30, ([0], [0.001, 0.999])]  # one is surely wrong
  found = combined(classification_metrics._LossCombiner, rows, "guessing_loss")
  low, high = found["interval"]
  assert 0 < low < found["value"] < high


def test_a_loss_of_no_number_is_none():
  row = Scored(0, np.array([math.nan, 1.0]), b"")
  assert math.isnan(classification_metrics._loss(row))


def test_too_sure_in_one_bin_and_not_sure_enough_in_another_is_no_calibration():
  bins = np.zeros((BINS, 3))
  bins[1], bins[9] = (1, 0.1, 1), (1, 0.9, 0)
  assert binned_errors(bins) == pytest.approx(0.9)


def _answered(*counts):
  """Rows of `(label, answered, how many)` of four classes."""
  scores = np.eye(4)
  return [(label, scores[said]) for label, said, count in counts for _ in range(count)]


@pytest.mark.parametrize(
  ("rows", "recall", "worst"),
  [
    # The second class has the fewest right, and too few rows to say so.
    ([(0, 0, 20), (0, 1, 20), (1, 0, 19), (2, 2, 18), (2, 0, 2)], 0.5, (0, 20, 40)),
    ([(0, 0, 20), (1, 0, 19), (1, 1, 1), (2, 2, 30)], 0.05, (1, 1, 20)),
    # What no model knows is no class of it.
    ([(0, 0, 30), (-1, 1, 30)], 1.0, (0, 30, 30)),
    ([(0, 0, 19), (1, 1, 19)], math.nan, (math.nan,) * 3),
  ],
)
def test_the_worst_class_is_one_with_enough_rows(combined, rows, recall, worst):
  combiner = classification_metrics._WorstCombiner
  found = combined(combiner, _answered(*rows), "worst")
  assert found["value"] == pytest.approx(recall, nan_ok=True)
  assert found["worst"] == pytest.approx(worst, nan_ok=True)
  if recall == recall:
    assert found["interval"][0] < recall or recall == 0
    assert found["interval"] == pytest.approx(intervals.share(worst[1], worst[2]))


def test_labels_of_several_workers_add_up():
  assert classification_metrics._merged([{0: 1, 2: 1}, {0: 2, 1: 1}]) == {0: 3, 1: 1, 2: 1}


def test_an_unsure_prediction_counts_in_the_confusion_matrix(three_classes):
  assert three_classes.confusion == {(0, 0): 2.0, (0, 1): 1.0, (1, 1): 1.0, (2, 1): 1.0}


def test_the_configuration_changes_with_the_code_of_the_metrics():
  [skill] = [m for m in classification_metrics.classification_metrics() if m.class_name == "Skill"]
  assert json.loads(skill.config)["code"] == code_fingerprint(
    "pipeline.problems.classification_metrics"
  )
