"""What is expected of requests."""

import pytest

from serving.rest.durations import Durations
from serving.rest.messages import Request

PATH = "/v1/models/m:predict"


def _learned(*seconds):
  durations = Durations()
  for each in seconds:
    durations.learn(Request("POST", PATH, {}), each)
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
  assert _learned(*seconds).is_short(Request("POST", PATH, {})) is is_short


def test_large_bodies_and_other_paths_are_not():
  durations = _learned(0.0005)
  assert not durations.is_short(Request("POST", PATH, {}, b"x" * 100_000))
  assert not durations.is_short(Request("POST", "/other", {}))


def test_paths_without_end_are_forgotten():
  durations = Durations()
  for number in range(5000):
    durations.learn(Request("GET", f"/{number}", {}), 0.0)
  assert sum(durations.is_short(Request("GET", f"/{n}", {})) for n in range(5000)) <= 1000
