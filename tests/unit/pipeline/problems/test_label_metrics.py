"""Metrics of several labels, worked out by hand, and what their gate lets pass."""

import json
import math

import numpy as np
import pytest

from pipeline.evaluation import Evaluation
from pipeline.gates import verdict
from pipeline.problems import label_metrics
from pipeline.problems.labels import GATES, NONE, UNKNOWN

# Of two labels: right; one missed; one too many; none, and none answered.
_ROWS = [
  ([0, 1, NONE], [0.9, 0.8]),
  ([0, 1, NONE], [0.7, 0.2]),
  ([0, NONE, NONE], [0.6, 0.6]),
  ([NONE, NONE, NONE], [0.1, 0.3]),
]


def test_names_of_what_is_computed():
  found = [json.loads(m.config)["name"] for m in label_metrics.label_metrics()]
  names = ["loss", "skill", "micro_f1", "macro_f1", "average_precision", "exact_match"]
  assert found == ["example_count", *names, "coverage", "accepted_accuracy"]


def test_f1_over_all_labels_and_over_each(combined):
  micro = combined(label_metrics._MicroCombiner, _ROWS)
  # Label 0: 3 right. Label 1: one right, one missed, one too many.
  assert micro["value"] == pytest.approx(8 / 10)
  macro = combined(label_metrics._MacroCombiner, _ROWS, "label_counts")
  assert macro["value"] == pytest.approx((1 + 0.5) / 2)
  np.testing.assert_array_equal(macro["label_counts"], [[3, 0, 0], [1, 1, 1]])


def test_rows_that_are_right_as_a_whole(combined):
  found = combined(label_metrics._ExactCombiner, _ROWS)
  assert found["value"] == 0.5


def test_average_precision_wherever_one_draws_the_line(combined):
  found = combined(label_metrics._PrecisionCombiner, _ROWS)
  # Label 0 is ranked without a fault. Label 1: 0.8 right, 0.6 wrong, 0.3 wrong, 0.2 right.
  assert found["value"] == pytest.approx((1 + (1 / 1 + 2 / 4) / 2) / 2)


def test_skill_is_what_the_base_rates_leave_to_avoid(combined):
  found = combined(label_metrics._SkillCombiner, _ROWS)
  errors = sum(
    (score - (index in label)) ** 2 for label, scores in _ROWS for index, score in enumerate(scores)
  )
  # Shares of 3/4 and 2/4 over four rows.
  assert found["value"] == pytest.approx(1 - errors / (4 * 3 / 16 + 4 / 4))


def test_no_interval_reaches_below_no_loss_or_above_full_skill(combined):
  sure = [([n % 2, NONE, NONE], [0.99 - 0.98 * (n % 2), 0.01 + 0.98 * (n % 2)]) for n in range(30)]
  rows = [*sure, ([0, NONE, NONE], [0.001, 0.999])]  # one is surely wrong
  loss = combined(label_metrics._LossCombiner, rows, "guessing_loss")
  assert 0 < loss["interval"][0] < loss["value"] < loss["interval"][1]
  skill = combined(label_metrics._SkillCombiner, rows)
  assert skill["interval"][0] < skill["value"] < skill["interval"][1] < 1


def test_loss_and_that_of_the_base_rates(combined):
  found = combined(label_metrics._LossCombiner, _ROWS, "guessing_loss")
  right = [0.9, 0.8, 0.7, 0.2, 0.6, 0.4, 0.9, 0.7]
  assert found["value"] == pytest.approx(-np.log(right).mean(), rel=1e-6)
  entropy = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25) + math.log(0.5))
  assert found["guessing_loss"] == pytest.approx(entropy / 2)


def test_a_label_that_the_model_does_not_know_counts_as_missed(combined):
  rows = [([0, UNKNOWN, NONE], [0.9, 0.1]), ([NONE] * 3, [0.1, 0.1])]
  assert combined(label_metrics._MicroCombiner, rows)["value"] == pytest.approx(2 / 3)
  assert combined(label_metrics._ExactCombiner, rows)["value"] == 0.5
  known = [([0, NONE, NONE], [0.9, 0.1]), rows[1]]
  skills = [combined(label_metrics._SkillCombiner, each)["value"] for each in (rows, known)]
  assert skills[0] < skills[1]


@pytest.mark.parametrize("rows", [[], [([0, NONE], [0.9, 0.1])] * 3])
def test_rows_of_the_same_labels_have_no_skill_to_measure(combined, rows):
  assert math.isnan(combined(label_metrics._SkillCombiner, rows)["value"])


def _evaluation(found):
  metrics = {"skill": found["value"], "example_count": 100.0}
  return Evaluation(metrics=metrics, baseline={}, slices=[], confusion={}, calibration=[])


def test_the_gate_refuses_every_constant_and_lets_pass_who_knows_something(combined):
  random = np.random.default_rng(1)
  truths = random.random((200, 3)) < (0.1, 0.4, 0.8)
  ids = [[i if has else NONE for i, has in enumerate(row)] for row in truths]
  for constant in (truths.mean(axis=0), (0.0, 0.0, 1.0), (0.5, 0.5, 0.5), (0.1, 0.4, 0.8)):
    found = combined(label_metrics._SkillCombiner, [(label, constant) for label in ids])
    assert found["value"] <= 1e-6
    assert not verdict(_evaluation(found), GATES).passed
  near = [(label, np.where(row, 0.7, 0.2)) for label, row in zip(ids, truths, strict=True)]
  assert verdict(_evaluation(combined(label_metrics._SkillCombiner, near)), GATES).passed
