"""Intervals against values worked out elsewhere, and against draws of rows."""

import math

import numpy as np
import pytest

from pipeline.problems import intervals


@pytest.mark.parametrize(
  ("right", "count", "low", "high"),
  # As R's binom.confint(right, count, method="wilson") and Brown, Cai and DasGupta 2001 have it.
  [(17, 35, 0.3299, 0.6443), (2, 2, 0.3424, 1.0), (0, 10, 0.0, 0.2775), (81, 263, 0.2553, 0.3662)],
)
def test_wilsons_interval(right, count, low, high):
  assert intervals.share(right, count) == pytest.approx((low, high), abs=2e-4)


def test_no_share_is_less_than_none_or_more_than_all():
  ends = [intervals.share(right, n) for n in range(1, 300) for right in (0, n)]
  assert all(0 <= low < high <= 1 for low, high in ends)


def test_the_paired_interval_of_the_approval_ratings():
  # Agresti's two surveys of 1,600 voters: 150 turned away, 86 turned to; -0.0589 to -0.0201.
  low, high = intervals.paired_shares(86, 150, 1600)
  assert (low, high) == pytest.approx((-0.0589, -0.0211), abs=2e-3)


def test_rows_on_which_two_models_agree_do_not_make_them_equal():
  # Half a row in each cell: 1.96 / 12 either way of 10 rows.
  assert intervals.paired_shares(0, 0, 10) == pytest.approx((-0.16333, 0.16333), abs=1e-5)
  low, high = intervals.paired_shares(3, 1, 4)
  # No share is larger than another by more than all.
  assert (low, high) == (pytest.approx(-0.34667, abs=1e-5), 1.0)


def test_of_replicates_the_middle_95_percent_count():
  assert intervals.percentiles(np.arange(201.0)[::-1]) == (5.0, 195.0)


def test_without_rows_there_is_no_interval():
  for found in (
    intervals.share(0, 0),
    intervals.area(1, 0, 3),
    intervals.paired_shares(0, 0, 0),
    intervals.mean(0, 0, 0),
    intervals.mean(1, 1, 1),
    intervals.mean_from_zero(0, 0, 0),
    intervals.mean_from_zero(1, 1, 1),
    intervals.mean_from_zero(math.nan, math.nan, 9),
    intervals.mean_share(0, 0, 0),
    intervals.percentiles(np.array([1.0, math.nan])),
    intervals.percentiles(np.array([0.0] * 199 + [math.inf])),
  ):
    assert all(math.isnan(end) for end in found)


def test_a_mean_is_as_unsure_as_its_draws():
  values = np.random.default_rng(1).exponential(size=400)
  low, high = intervals.mean(values.sum(), (values**2).sum(), len(values))
  error = values.std(ddof=1) / math.sqrt(len(values))
  assert (high - low) / 2 == pytest.approx(1.96 * error, rel=1e-3)


def test_most_intervals_of_a_share_hold_the_share_that_is_drawn_from():
  draws = np.random.default_rng(2).binomial(60, 0.9, 4000)
  held = [low <= 0.9 <= high for low, high in (intervals.share(d, 60) for d in draws.tolist())]
  assert 0.93 < np.mean(held) < 0.98


def test_bootstrapped_sums_spread_as_sums_of_drawn_rows_do():
  weights = np.array([intervals.bootstrap_weights(b"row %d" % i) for i in range(900)])
  assert weights.shape == (900, intervals.REPLICATES)
  assert weights.mean() == pytest.approx(1, abs=0.02)
  # The sum of n rows of weight Poisson(1) has the standard deviation of n draws: 30.
  assert weights.sum(axis=0).std() == pytest.approx(30, rel=0.15)
  assert (weights[0] == intervals.bootstrap_weights(b"row 0")).all()


@pytest.mark.parametrize(("area", "positives", "negatives"), [(0.8, 40, 40), (0.95, 15, 60)])
def test_the_interval_of_an_area_holds_it_as_often_as_it_says(area, positives, negatives):
  random = np.random.default_rng(5)
  shift = {0.8: 1.1902, 0.95: 2.3262}[area]  # of two normal distributions with this area
  held = 0
  for _ in range(1000):
    own, others = random.normal(shift, size=positives), random.normal(size=negatives)
    value = (own[:, np.newaxis] > others).mean()
    low, high = intervals.area(value, positives, negatives)
    held += low <= area <= high
  assert 0.93 <= held / 1000 <= 0.99


def _sums(values):
  return float(values.sum()), float((values**2).sum()), len(values)


def test_a_mean_of_losses_is_never_below_zero():
  # One row of 60 is surely wrong: the normal approximation would begin at -0.11.
  losses = np.array([7.0, *[0.01] * 59])
  assert intervals.mean(*_sums(losses))[0] < 0
  low, high = intervals.mean_from_zero(*_sums(losses))
  assert 0 < low < losses.mean() < high
  assert low * high == pytest.approx(losses.mean() ** 2)
  assert intervals.mean_from_zero(0.0, 0.0, 20) == (0.0, 0.0)


@pytest.mark.parametrize("count", [60, 200])
def test_the_interval_of_a_skewed_loss_holds_it_at_least_as_often_as_the_normal_one(count):
  draws = np.random.default_rng(4).lognormal(0, 1.2, (2000, count))
  truth = math.exp(1.2**2 / 2)
  ends = [(intervals.mean_from_zero(*_sums(row)), intervals.mean(*_sums(row))) for row in draws]
  held, held_by_normal = (
    np.mean([low <= truth <= high for low, high in each]) for each in zip(*ends, strict=True)
  )
  assert held_by_normal <= held
  assert 0.88 < held < 0.97


def test_a_mean_of_shares_is_a_share():
  # Half of the labels of two rows of 40 are missed.
  parts = np.array([0.5, 0.5, *[1.0] * 38])
  assert intervals.mean(*_sums(parts))[1] > 1
  low, high = intervals.mean_share(*_sums(parts))
  assert 0.88 < low < parts.mean() < high < 1
  # Of rows that are held or not, it is Wilson's; of rows that are all alike, too.
  assert intervals.mean_share(17, 17, 35) == pytest.approx(intervals.share(17, 35))
  assert intervals.mean_share(10, 10, 10) == pytest.approx(intervals.share(10, 10))
  assert intervals.mean_share(0, 0, 10) == pytest.approx(intervals.share(0, 10))
  low, high = intervals.mean_share(5, 2.5, 10)
  assert low <= 0.5 <= high
