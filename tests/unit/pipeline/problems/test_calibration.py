"""The temperature finds how much too sure a model is, and says where val cannot tell."""

import math

import numpy as np
import pytest

from pipeline.problems import calibration
from pipeline.problems.calibration import LEAST_ROWS, of_classes, of_labels


def _drawn(rows=4000, classes=5, seed=0):
  """Logits that are right as they are: each row's label is drawn by its softmax."""
  random = np.random.default_rng(seed)
  logits = 2 * random.normal(size=(rows, classes))
  powers = np.exp(logits)
  scores = powers / powers.sum(axis=1, keepdims=True)
  labels = (scores.cumsum(axis=1) > random.random((rows, 1))).argmax(axis=1)
  return logits, labels


@pytest.mark.parametrize("off", [0.1, 0.5, 1.0, 3.0, 40.0])
def test_it_finds_by_how_much_all_logits_are_too_large(off):
  logits, labels = _drawn()
  found = of_classes(off * logits + 7, labels)
  assert found.temperature == pytest.approx(off, rel=0.06)
  assert found.error_after < 0.03
  assert found.reason is None
  assert found.rows == 4000
  if off != 1.0:
    assert found.loss_after < found.loss_before
    assert found.error_after < found.error_before


def test_it_is_the_least_loss():
  logits, labels = _drawn(rows=500)

  def loss(temperature):
    scores = logits * 3 / temperature
    return np.mean(np.logaddexp.reduce(scores, axis=1) - scores[np.arange(500), labels])

  found = of_classes(3 * logits, labels)
  near = [loss(found.temperature * factor) for factor in (0.9, 1.0, 1.1)]
  assert near[1] < min(near[0], near[2])
  assert found.loss_after == pytest.approx(near[1], rel=1e-6)
  assert found.loss_before == pytest.approx(loss(1.0), rel=1e-6)


def test_probabilities_are_seen_as_what_they_are():
  logits, labels = _drawn()
  powers = np.exp(3 * logits)
  scores = (powers / powers.sum(axis=1, keepdims=True)).astype("float32")
  found = of_classes(scores, labels)
  assert (found.form, of_classes(logits, labels).form) == ("softmax", "logits")
  assert found.temperature == pytest.approx(3, rel=0.06)


@pytest.mark.parametrize("rows", [LEAST_ROWS, 30, 300])
def test_rows_that_are_all_right_ask_for_no_certainty(rows):
  labels = np.arange(rows) % 3
  for gap in (0.5, 4, 12):
    found = of_classes(np.eye(3)[labels] * gap, labels)
    before, score = (1 / (1 + 2 * math.exp(-gap / t)) for t in (1, found.temperature))
    # Sharpened until one row more may be wrong; val gives no reason to be less sure.
    assert score == pytest.approx(max(before, 1 - 1 / (rows + 2)), abs=0.5 / rows)
    assert found.temperature <= 1
    assert found.loss_after <= found.loss_before


@pytest.mark.parametrize("rows", [0, 1, LEAST_ROWS - 1])
def test_too_few_rows_leave_the_scores_and_say_so(rows):
  logits, labels = _drawn(rows)
  for found in (of_classes(9 * logits, labels), of_labels(9 * logits, labels[:, np.newaxis])):
    assert found.temperature == 1
    assert found.reason == f"val has {rows} usable rows, and fewer than 20 say too little"
    assert found.sentence.startswith("not calibrated: val has")


def test_a_label_that_train_lacks_does_not_count():
  logits, labels = _drawn(rows=100)
  more = of_classes(np.concatenate([logits, 50 * logits]), np.append(labels, [-1] * 100))
  assert more == of_classes(logits, labels)


@pytest.mark.parametrize(
  ("outputs", "said"),
  [
    (np.full((40, 3), np.nan), "no finite numbers"),
    (np.zeros((40, 3)), "no temperature makes them agree"),
    # Sure, and each time of the wrong one.
    (-9 * np.eye(3)[np.arange(40) % 3], "no temperature makes them agree"),
  ],
)
def test_outputs_that_say_nothing_are_left(outputs, said):
  for found in (
    of_classes(outputs, np.arange(40) % 3),
    of_labels(outputs, (np.arange(40) % 3)[:, np.newaxis]),
  ):
    assert found.temperature == 1
    assert said in found.reason


def test_one_class_has_nothing_to_calibrate():
  found = of_classes(np.ones((40, 1)), np.zeros(40, int))
  assert (found.form, found.temperature) == ("logits", 1)
  assert found.reason == "there is only one class"


def test_it_can_be_left_out():
  logits, labels = _drawn(100)
  found = of_classes(logits, labels, wanted=False)
  assert (found.temperature, found.reason) == (1, "train.calibrate is false")


@pytest.mark.parametrize("form", ["logits", "sigmoid"])
@pytest.mark.parametrize("off", [0.2, 1.0, 4.0])
def test_several_labels_have_one_temperature(off, form):
  random = np.random.default_rng(1)
  logits = 2 * random.normal(size=(2000, 4))
  truth = random.random(logits.shape) < 1 / (1 + np.exp(-logits))
  ids = np.where(truth, np.arange(4), -1)
  outputs = off * logits if form == "logits" else 1 / (1 + np.exp(-off * logits))
  found = of_labels(outputs, ids)
  assert found.form == form
  assert found.temperature == pytest.approx(off, rel=0.06)
  assert found.error_after < 0.02


def test_the_error_is_that_of_ten_bins():
  bins = np.zeros((2, 10, 3))
  bins[0, 9] = (8, 7.6, 6)
  bins[0, 4] = (2, 0.9, 1)
  errors = calibration.binned_errors(bins)
  assert errors[0] == pytest.approx((1.6 + 0.1) / 10)
  assert np.isnan(errors[1])
