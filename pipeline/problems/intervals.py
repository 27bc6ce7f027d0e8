"""Computes 95 % confidence intervals of metrics.

Shares have closed forms that also hold for few rows, or if every row is right; scores of sums use
the bootstrap. No interval reaches where its metric cannot be: a loss is not below 0, a share not
above 1. Differences between two models are paired: both models judge the same rows, and only the
rows on which they disagree count.
"""

from __future__ import annotations

import hashlib
import math

import numpy as np

Interval = tuple[float, float]

NONE: Interval = (math.nan, math.nan)
REPLICATES = 200
Z = 1.959964  # the normal distribution's 97.5 %


def share(right: float, count: float) -> Interval:
  """Returns the interval of a share of rows, by Wilson.

  Source: Wilson 1927, "Probable Inference, the Law of Succession, and Statistical Inference".
  """
  if count <= 0:
    return NONE
  p, z2 = right / count, Z * Z
  middle = (p + z2 / (2 * count)) / (1 + z2 / count)
  half = Z / (1 + z2 / count) * math.sqrt(p * (1 - p) / count + z2 / (4 * count * count))
  return max(0.0, middle - half), min(1.0, middle + half)


def area(value: float, positives: float, negatives: float) -> Interval:
  """Returns the interval of an area under a ROC curve, by Wilson.

  The number of trials is the one that gives the variance of Hanley and McNeil, who assume
  exponentially distributed scores. If every pair is ranked right, the variance is 0, and the number
  of trials is not.

  Source: Hanley and McNeil 1982, "The Meaning and Use of the Area under a Receiver Operating
  Characteristic (ROC) Curve", https://doi.org/10.1148/radiology.143.1.7063747
  """
  if min(positives, negatives) <= 0:
    return NONE
  more_positives = (positives - 1) * (1 - value) / (2 - value)
  more_negatives = (negatives - 1) * value / (1 + value)
  trials = positives * negatives / (1 + more_positives + more_negatives)
  return share(value * trials, trials)


def paired_shares(gained: float, lost: float, count: float) -> Interval:
  """Returns the interval of the difference between two shares of the same rows.

  Args:
    gained: number of rows that only the first model has right.
    lost: number of rows that only the second model has right.
    count: number of all rows.

  Source: Agresti and Min 2005, "Simple Improved Confidence Intervals for Comparing Matched
  Proportions": Wald's interval, with half a row more in each of the four cells.
  """
  if count <= 0:
    return NONE
  gained, lost, count = gained + 0.5, lost + 0.5, count + 2
  difference = (gained - lost) / count
  half = Z * math.sqrt(max(gained + lost - (gained - lost) ** 2 / count, 0)) / count
  return max(-1.0, difference - half), min(1.0, difference + half)


def mean(total: float, squares: float, count: float) -> Interval:
  """Returns the interval of a mean of numbers of both signs, by the normal approximation.

  Args:
    total: sum of the numbers.
    squares: sum of their squares.
    count: how many numbers there are.
  """
  if count < 2:
    return NONE
  middle = total / count
  half = Z * math.sqrt(max(squares / count - middle * middle, 0) / (count - 1))
  return middle - half, middle + half


def mean_from_zero(total: float, squares: float, count: float) -> Interval:
  """Returns the interval of a mean of numbers from 0, such as losses: of the logarithm of the mean.

  Losses are skewed to the right, so the upper side is the longer one. If every number is 0, so are
  both ends. Takes the arguments of `mean`.

  Source: the delta method; the standard error of log(m) is that of m, divided by m.
  """
  low, high = mean(total, squares, count)
  if total == 0:
    return low, high
  middle = total / count
  factor = math.exp((high - middle) / middle)
  return middle / factor, middle * factor


def mean_share(total: float, squares: float, count: float) -> Interval:
  """Returns the interval of a mean of parts, each from 0 to 1, by Wilson.

  The number of trials is the one that gives the variance of the parts, as for `area`; for parts
  that are all 0 or 1, it is the number of rows. Takes the arguments of `mean`.
  """
  if count <= 0:
    return NONE
  middle = total / count
  spread, most = squares / count - middle * middle, middle * (1 - middle)
  trials = count * (most / spread if spread > 1e-9 * most else 1.0)
  return share(middle * trials, trials)


def bootstrap_weights(row: bytes) -> np.ndarray:
  """Returns how often each bootstrap replicate draws a row, by its content: `[REPLICATES]` int64.

  The weights are Poisson with mean 1, so that each worker can weight its rows alone. Two models are
  paired by equal weights. Identical rows have equal weights, too, which makes the interval of often
  repeated rows wider, never narrower.

  Source: Hanley and MacGibbon 2006, "Creating non-parametric bootstrap samples using Poisson
  frequencies".
  """
  seed = int.from_bytes(hashlib.blake2b(row, digest_size=16).digest(), "big")
  return np.random.Generator(np.random.PCG64(seed)).poisson(1.0, REPLICATES)


def percentiles(replicates: np.ndarray) -> Interval:
  """Returns the middle 95 % of `[REPLICATES]` scores; no interval if a score is nan."""
  if not np.isfinite(replicates).all():
    return NONE
  return float(np.percentile(replicates, 2.5)), float(np.percentile(replicates, 97.5))
