"""What is measured of a model's latency, and when it is too much."""

import gc

import numpy as np
import pytest

from components.serving_gate.latency import Latency, measure, percentile


class _Clock:
  """Seconds that pass only while something is asked."""

  def __init__(self, waits):
    self.now, self.asked, self._waits = 0.0, [], waits

  def __call__(self):
    return self.now

  def ask(self, row):
    assert row.shape == (1,)
    self.now += self._waits(len(self.asked))
    self.asked.append(int(row[0]))


def test_one_slow_request_of_a_hundred_is_not_in_the_p99():
  # Ten warm up; of the hundred measured, number 50 is slow.
  clock = _Clock(lambda number: 0.5 if number == 60 else 0.002)
  found = measure(clock.ask, np.arange(8), protocol="REST", clock=clock)
  assert found == Latency(protocol="REST", requests=100, p50_ms=2.0, p99_ms=2.0)
  assert clock.asked == [number % 8 for number in [*range(10), *range(100)]]


def test_slow_warm_up_counts_for_nothing_and_two_slow_ones_do():
  clock = _Clock(lambda number: 0.25 if number < 10 or number in (20, 21) else 0.001)
  found = measure(clock.ask, np.arange(8), protocol="gRPC", clock=clock)
  assert (found.p50_ms, found.p99_ms) == (1.0, 250.0)


def test_a_slow_model_is_asked_less_often():
  clock = _Clock(lambda number: 0.1)
  assert measure(clock.ask, np.arange(8), protocol="gRPC", clock=clock).requests == 30
  clock = _Clock(lambda number: 1.0)
  assert measure(clock.ask, np.arange(8), protocol="gRPC", clock=clock).requests == 20


def test_what_fails_leaves_the_collector_on():
  def fail(row):
    if not gc.isenabled():
      raise ConnectionError("gone")

  with pytest.raises(ConnectionError):
    measure(fail, np.arange(8), protocol="REST")
  assert gc.isenabled()


@pytest.mark.parametrize(
  ("values", "part", "expected"),
  [([3.0], 0.99, 3.0), ([4, 1, 3, 2], 0.5, 2), (range(1, 101), 0.99, 99), (range(1, 21), 0.99, 20)],
)
def test_percentiles_are_values_that_were_measured(values, part, expected):
  assert percentile(values, part) == expected


def test_the_reason_says_protocol_value_and_limit():
  latency = Latency(protocol="gRPC", requests=40, p50_ms=3.0, p99_ms=12.345)
  assert latency.reason(None) == latency.reason(12.345) == ""
  assert latency.reason(10.0) == (
    "Over gRPC, 99 of 100 requests of one row are answered within 12.3 ms (40 measured); "
    "gates.max_latency_ms is 10."
  )
