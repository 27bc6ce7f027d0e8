"""What is expected of requests."""

import pytest

from serving.network.turns import Durations

PATH = "/v1/models/m:predict"


def _learned(*seconds):
  durations = Durations()
  for each in seconds:
    durations.learn(PATH, each)
  return durations


@pytest.mark.parametrize(
  ("seconds", "is_short"),
  [
    ([], False),
    ([0.0005], True),
    ([0.002], False),
    ([0.0005] * 20 + [0.01], True),
    ([0.0005] * 20 + [0.03], False),
    ([0.03] + [0.0005] * 20, False),
    ([0.03] + [0.0005] * 40, True),
  ],
)
def test_a_kind_is_short_while_its_requests_are(seconds, is_short):
  assert _learned(*seconds).is_short(PATH, 10) is is_short


def test_large_requests_and_other_kinds_are_not():
  durations = _learned(0.0005)
  assert not durations.is_short(PATH, 100_000)
  assert not durations.is_short("/other", 10)


def test_kinds_without_end_are_forgotten():
  durations = Durations()
  for number in range(5000):
    durations.learn(f"/{number}", 0.0)
  assert sum(durations.is_short(f"/{n}", 10) for n in range(5000)) <= 1000
