"""How long a client waits for the answer to one row."""

from __future__ import annotations

import dataclasses
import gc
import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

_WARM_UP, _REQUESTS = 10, 100
# A slow model is asked less often, but often enough to show one outlier.
_FEWEST, _ENOUGH_S = 20, 3.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Latency:
  """The time that a client waited for requests of one row, sent one after another.

  Attributes:
    protocol: `REST` or `gRPC`.
    requests: how many were measured.
    p50_ms: half of them took no longer.
    p99_ms: 99 of 100 took no longer; of fewer than 100 requests, the longest.
  """

  protocol: str
  requests: int
  p50_ms: float
  p99_ms: float

  def reason(self, max_latency_ms: float | None) -> str:
    """Returns why the model is too slow; empty if it is not, or if there is no limit."""
    if max_latency_ms is None or self.p99_ms <= max_latency_ms:
      return ""
    return (
      f"Over {self.protocol}, 99 of 100 requests of one row are answered within "
      f"{self.p99_ms:.3g} ms ({self.requests} measured); gates.max_latency_ms is "
      f"{max_latency_ms:g}."
    )


def measure(
  ask: Callable[[np.ndarray], Any],
  values: np.ndarray,
  *,
  protocol: str,
  clock: Callable[[], float] = time.perf_counter,
) -> Latency:
  """Sends rows one after another, from the first again after the last.

  Args:
    ask: sends a batch and waits for its answer.
    values: the rows.
    protocol: how `ask` asks.
    clock: tells the time in seconds.
  """
  seconds: list[float] = []
  for number in range(_WARM_UP):
    ask(_row(values, number))
  was_enabled = gc.isenabled()
  # A full garbage collection of this process, which has loaded TensorFlow and TFX, would be counted
  # as the server's time.
  gc.disable()
  try:
    started = clock()
    while len(seconds) < _REQUESTS:
      before = clock()
      ask(_row(values, len(seconds)))
      now = clock()
      seconds.append(now - before)
      if len(seconds) >= _FEWEST and now - started >= _ENOUGH_S:
        break
  finally:
    if was_enabled:
      gc.enable()
  return Latency(
    protocol=protocol,
    requests=len(seconds),
    p50_ms=round(percentile(seconds, 0.5) * 1000, 3),
    p99_ms=round(percentile(seconds, 0.99) * 1000, 3),
  )


def percentile(values: Sequence[float], part: float) -> float:
  """Returns the smallest of the values that at least this part of them does not exceed."""
  return sorted(values)[max(math.ceil(part * len(values)), 1) - 1]


def _row(values: np.ndarray, number: int) -> np.ndarray:
  start = number % len(values)
  return values[start : start + 1]
