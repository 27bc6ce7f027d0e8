"""Finite-sample bounds against a count over every row that could have been the new one."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.problems.certainty import conformal
from pipeline.problems.certainty.record import least_rows

_coverages = st.sampled_from([0.5, 0.6, 0.75, 0.8, 0.9, 0.95, 0.99])
_numbers = st.lists(st.integers(0, 6), min_size=1, max_size=40)


@settings(deadline=None, max_examples=300)
@given(numbers=_numbers, coverage=_coverages)
def test_of_all_rows_that_may_be_the_new_one_enough_are_within_the_bound_of_the_others(
  numbers, coverage
):
  """Every row is the new one in turn: what exchangeable means, counted, ties included."""
  numbers = np.array(numbers, float)
  held = 0
  for new in range(len(numbers)):
    bound = conformal.bound(np.delete(numbers, new), coverage)
    held += bound is None or numbers[new] <= bound
  assert held >= coverage * len(numbers) - 1e-9


@settings(deadline=None, max_examples=100)
@given(rows=st.integers(1, 200), coverage=_coverages)
def test_the_bound_is_no_larger_than_it_must_be(rows, coverage):
  """Without ties, fewer than one row more than asked is within the bound."""
  numbers = np.random.default_rng(rows).permutation(rows + 1).astype(float)
  bounds = [conformal.bound(np.delete(numbers, new), coverage) for new in range(rows + 1)]
  if rows < least_rows(coverage):
    assert bounds == [None] * (rows + 1)
    return
  held = sum(number <= bound for number, bound in zip(numbers, bounds, strict=True))
  assert coverage - 1e-9 <= held / (rows + 1) < coverage + 1 / (rows + 1)


@pytest.mark.parametrize(("coverage", "rows"), [(0.5, 1), (0.9, 9), (0.95, 19), (0.99, 99)])
def test_so_few_rows_can_keep_a_coverage_and_fewer_cannot(coverage, rows):
  assert least_rows(coverage) == rows
  assert conformal.bound(np.arange(rows), coverage) is not None
  assert conformal.bound(np.arange(rows - 1), coverage) is None


def test_what_no_bound_holds_has_none():
  """A label that the model does not know is infinitely far."""
  assert conformal.bound(np.array([1.0] * 18 + [math.inf]), 0.95) is None
  assert conformal.bound(np.array([1.0] * 19 + [math.inf] * 1), 0.9) == 1.0


@settings(deadline=None, max_examples=200)
@given(
  rows=st.lists(st.lists(st.integers(0, 5), max_size=3), min_size=1, max_size=25),
  coverage=_coverages,
)
def test_of_several_labels_the_asked_part_is_held_whichever_row_is_new(rows, coverage):
  held = 0.0
  for new in range(len(rows)):
    others = rows[:new] + rows[new + 1 :]
    scores = np.array([score for row in others for score in row], float)
    shares = np.array([1 / len(row) for row in others for _ in row])
    least = conformal.least_score(scores, shares, len(others), coverage)
    kept = [score for score in rows[new] if least is None or score >= least]
    held += len(kept) / len(rows[new]) if rows[new] else 1
  assert held >= coverage * len(rows) - 1e-9


@settings(deadline=None, max_examples=100)
@given(rows=st.integers(1, 120), coverage=_coverages)
def test_rows_of_one_label_each_have_the_bound_of_one_class(rows, coverage):
  scores = np.random.default_rng(rows).random(rows)
  bound = conformal.bound(-scores, coverage)
  least = conformal.least_score(scores, np.ones(rows), rows, coverage)
  assert (least is None, least and -least) == (bound is None, bound)


def test_a_wish_is_kept_and_without_one_the_errors_are_halved():
  assert conformal.chosen_coverage(30, 100) == 0.95
  assert conformal.chosen_coverage(6, 300) == 0.99
  assert conformal.chosen_coverage(0, 299) == 0.99  # three rows that are missed, of 300
  assert conformal.chosen_coverage(0, 5) == 0.95  # five rows cannot keep it
  assert conformal.chosen_coverage(0, 0) == 0.95


@settings(deadline=None, max_examples=200)
@given(
  rows=st.lists(st.tuples(st.integers(0, 9), st.booleans()), max_size=60),
  accuracy=st.sampled_from([0.5, 0.8, 0.9]),
)
def test_answers_are_accepted_from_the_lowest_score_that_is_right_often_enough(rows, accuracy):
  scores = np.array([score for score, _ in rows], float)
  is_right = np.array([right for _, right in rows], bool)

  def is_enough(score):
    taken = scores >= score
    return ((taken & ~is_right).sum() + 1) / (taken.sum() + 1) <= 1 - accuracy + 1e-9

  good = [score for score in sorted({*scores.tolist()}) if is_enough(score)]
  assert conformal.accepted_from(scores, is_right, accuracy) == (good[0] if good else None)
