"""Which trials are hopeless, and when."""

import pytest

from pipeline.training.tuning.halving import Halving


def _after(*trials, mode="max"):
  """Trials of eight epochs that have ended, with the value that each has after every epoch."""
  found = Halving(mode)
  for value in trials:
    found.add([value] * 8, is_whole=True)
  return found


@pytest.mark.parametrize(
  ("values", "hopeless"),
  [
    ([0.1], False),  # too early
    ([0.1, 0.2], True),  # after a quarter
    ([0.1, 0.4], False),  # better than one of three
    ([0.9, 0.1], False),  # the best epoch counts, as for the result
    ([0.1] * 3, False),
    ([0.4] * 4, True),  # after half
    ([0.5] * 4, False),  # as good as half of them
    ([0.1] * 8, False),  # it has ended anyway
    ([float("nan")] * 2, True),
  ],
)
def test_a_trial_is_compared_at_a_quarter_and_at_half(values, hopeless):
  assert _after(0.3, 0.5, 0.7).is_hopeless(values) is hopeless


def test_the_mode_counts():
  assert _after(0.3, 0.5, 0.7, mode="min").is_hopeless([0.8, 0.8])
  assert not _after(0.3, 0.5, 0.7, mode="min").is_hopeless([0.6, 0.6])


def test_fewer_than_three_trials_before_end_none():
  assert not _after(0.5, 0.7).is_hopeless([0.0, 0.0])


def test_trials_that_were_stopped_count_as_far_as_they_came():
  found = _after(0.5, 0.7)
  found.add([0.1, 0.1], is_whole=False)
  assert found.is_hopeless([0.05, 0.05])
  assert not found.is_hopeless([0.4, 0.4])
  # Only two trials came to the fourth epoch.
  assert not found.is_hopeless([0.4] * 4)
  # A trial that diverged counts as the worst.
  found.add([None] * 8, is_whole=True)
  assert found.is_hopeless([0.4] * 4)
  assert not found.is_hopeless([0.05, 0.05])


def test_without_a_whole_trial_the_length_of_one_is_unknown():
  found = Halving("max")
  for _ in range(5):
    found.add([0.9] * 8, is_whole=False)
  assert not found.is_hopeless([0.1, 0.1])
