"""Metrics of numbers, worked out by hand, and what their gate lets pass."""

import json
import math

import numpy as np
import pytest

from pipeline.evaluation import Evaluation
from pipeline.gates import verdict
from pipeline.problems import number_metrics
from pipeline.problems.number import GATES

_ROWS = [(0.0, 1.0), (2.0, 2.0), (4.0, 2.0), (6.0, 7.0)]


def test_names_of_what_is_computed():
  found = [json.loads(m.config)["name"] for m in number_metrics.number_metrics()]
  assert found == ["example_count", "mae", "rmse", "skill", "coverage"]


def test_errors_in_the_labels_unit(combined):
  found = combined(number_metrics._DistanceCombiner, _ROWS, "answers")
  assert found["value"] == 1.0
  assert found["interval"][0] < 1 < found["interval"][1]
  # By what is right; the same rows in whatever order.
  np.testing.assert_array_equal(found["answers"], sorted(_ROWS))
  found = combined(number_metrics._RootCombiner, _ROWS)
  assert found["value"] == pytest.approx(math.sqrt(6 / 4))


def test_no_interval_holds_an_error_below_zero(combined):
  rows = [(0.0, 9.0), *[(float(n), n + 0.01) for n in range(19)]]
  found = combined(number_metrics._DistanceCombiner, rows, "answers")
  low, high = found["interval"]
  assert 0 < low < found["value"] < high


def test_skill_is_the_part_of_the_variance_that_is_explained(combined):
  found = combined(number_metrics._SkillCombiner, _ROWS)
  # Errors 1 + 0 + 4 + 1; around the mean 3: 9 + 1 + 1 + 9.
  assert found["value"] == pytest.approx(1 - 6 / 20)


@pytest.mark.parametrize("offset", [0.0, 1e4, -1e6])
def test_no_constant_has_skill_whatever_the_unit(combined, offset):
  labels = [offset + n for n in (0.0, 2.0, 4.0, 6.0)]
  mean = combined(number_metrics._SkillCombiner, [(n, offset + 3.0) for n in labels])
  assert mean["value"] == pytest.approx(0, abs=1e-2)
  other = combined(number_metrics._SkillCombiner, [(n, offset + 6.0) for n in labels])
  assert other["value"] < -0.4


@pytest.mark.parametrize("rows", [[], [(2.5, 2.5)] * 3, [(0.7, 9.0)] * 3])
def test_rows_of_one_number_have_no_skill_to_measure(combined, rows):
  assert math.isnan(combined(number_metrics._SkillCombiner, rows)["value"])


def test_an_answer_that_is_no_number_is_never_let_pass(combined):
  found = combined(number_metrics._SkillCombiner, [*_ROWS, (1.0, math.nan)])
  assert math.isnan(found["value"])
  assert not verdict(_evaluation(found), GATES).passed


def _evaluation(found):
  metrics = {"skill": found["value"], "example_count": 100.0}
  return Evaluation(metrics=metrics, baseline={}, slices=[], confusion={}, calibration=[])


def test_the_gate_refuses_a_constant_and_lets_pass_who_knows_something(combined):
  random = np.random.default_rng(1)
  labels = random.normal(50, 10, 100)
  constant = combined(number_metrics._SkillCombiner, [(n, 50.0) for n in labels])
  ruled = verdict(_evaluation(constant), GATES)
  assert not ruled.passed
  assert ruled.rulings[0].metric == "skill"
  knows = combined(number_metrics._SkillCombiner, [(n, n + 5) for n in labels])
  assert verdict(_evaluation(knows), GATES).passed


def test_no_more_than_500_rows_are_shown_and_always_the_same(combined):
  rows = [(float(n), float(n)) for n in range(2_500)]
  found = combined(number_metrics._DistanceCombiner, rows, "answers")["answers"]
  again = combined(number_metrics._DistanceCombiner, rows[::-1], "answers")["answers"]
  assert found.shape == (500, 2)
  np.testing.assert_array_equal(found, again)
