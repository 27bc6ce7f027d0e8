"""How far apart two distributions are, and how far chance alone would put them.

The distance is the Jensen-Shannon divergence in bits, from 0 for equal to 1 for nothing in common;
TensorFlow Data Validation's comparator of numbers is the same measure. Where two samples of one
distribution are compared, it is about chi-squared divided by `8 ln 2`, times `1/n + 1/m`.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

import numpy as np

# One in ten thousand: a comparison has some fifteen features, and there is one every day.
_CHANCE = 1e-4
_FEWEST = 5  # rows that the smaller sample would have in a bin, for the formula to hold
_NORMAL = statistics.NormalDist()


def divergence(before: Sequence[float], now: Sequence[float]) -> float:
  """Returns the Jensen-Shannon divergence of two lists of counts, in bits.

  >>> divergence([5, 5], [50, 50]), divergence([5, 0], [0, 5])
  (0.0, 1.0)
  """
  p, q = (np.asarray(each, np.float64) / sum(each) for each in (before, now))
  middle = (p + q) / 2

  def relative(a: np.ndarray) -> float:
    filled = a > 0
    return float((a[filled] * np.log2(a[filled] / middle[filled])).sum())

  return max(0.0, (relative(p) + relative(q)) / 2)


def largest(before: Sequence[float], now: Sequence[float]) -> float:
  """Returns the largest difference of a share, the L-infinity norm of a schema's comparator.

  >>> largest([5, 5], [9, 1])
  0.4
  """
  p, q = (np.asarray(each, np.float64) / sum(each) for each in (before, now))
  return round(float(np.abs(p - q).max()), 12)


def expected(before_rows: float, now_rows: float, *, bins: int) -> float:
  """Returns the mean divergence of two samples of one distribution, in bits."""
  return (1 / before_rows + 1 / now_rows) * max(1, bins - 1) / (8 * math.log(2))


def by_chance(before_rows: float, now_rows: float, *, bins: int) -> float:
  """Returns the divergence that two samples of one distribution exceed once in ten thousand times.

  Chi-squared is approximated as Wilson and Hilferty do.
  """
  free = max(1, bins - 1)
  z = _NORMAL.inv_cdf(1 - _CHANCE)
  part = 2 / (9 * free)
  chi_squared = free * (1 - part + z * math.sqrt(part)) ** 3
  return (1 / before_rows + 1 / now_rows) * chi_squared / (8 * math.log(2))


def filled(before: Sequence[float], now: Sequence[float]) -> int:
  """Returns the number of bins that hold anything."""
  return sum(1 for a, b in zip(before, now, strict=True) if a or b)


def merged(
  before: Sequence[float], now: Sequence[float], *, ordered: bool
) -> tuple[list[float], list[float]]:
  """Returns the counts with bins put together until the formulas hold for each.

  Args:
    before: counts by bin.
    now: likewise.
    ordered: whether neighbours are put together, rather than the smallest bins. Then the order of
      bins with equal sums must say nothing of their counts.
  """
  smaller = min(sum(before), sum(now))
  fewest = _FEWEST * (sum(before) + sum(now)) / max(1, smaller)
  pairs = list(zip(before, now, strict=True))
  if not ordered:
    pairs.sort(key=sum, reverse=True)
  found: list[tuple[float, float]] = []
  a = b = 0.0
  for x, y in pairs:
    a, b = a + x, b + y
    if a + b >= fewest:
      found.append((a, b))
      a = b = 0.0
  if a or b:
    last = found.pop() if found else (0.0, 0.0)
    found.append((last[0] + a, last[1] + b))
  return [x for x, _ in found], [y for _, y in found]
