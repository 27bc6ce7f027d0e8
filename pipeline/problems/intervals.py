"""How far a metric of some hundred rows may be from that of all rows there could be.

Every interval here holds 95 %. Shares have closed forms that hold for few rows, too, and where
every row is right; for scores of sums there is the bootstrap. Differences between two models are
paired: both judged the same rows, and only the rows they disagree on tell them apart.
"""

from __future__ import annotations

import hashlib
import math

import numpy as np

Interval = tuple[float, float]

NONE: Interval = (math.nan, math.nan)
REPLICATES = 200
_Z = 1.959964  # the normal distribution's 97.5 %


def share(right: float, count: float) -> Interval:
  """Of a share of rows: Wilson's interval.

  Source: Wilson 1927, "Probable Inference, the Law of Succession, and Statistical Inference".
  """
  if count <= 0:
    return NONE
  p, z2 = right / count, _Z * _Z
  middle = (p + z2 / (2 * count)) / (1 + z2 / count)
  half = _Z / (1 + z2 / count) * math.sqrt(p * (1 - p) / count + z2 / (4 * count * count))
  return max(0.0, middle - half), min(1.0, middle + half)


def area(value: float, positives: float, negatives: float) -> Interval:
  """Of the area under a ROC curve: Wilson's, of as many trials as give the variance of the area.

  That variance is Hanley and McNeil's, who take scores for exponentially distributed. Where every
  pair is ranked right it is zero, and the number of trials is not.

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
  """Of how much larger one share is than another of the same rows.

  Args:
    gained: rows that only the first has right.
    lost: rows that only the second has right.
    count: all rows.

  Source: Agresti and Min 2005, "Simple Improved Confidence Intervals for Comparing Matched
  Proportions": Wald's interval, with half a row more in each of the four cells.
  """
  if count <= 0:
    return NONE
  gained, lost, count = gained + 0.5, lost + 0.5, count + 2
  difference = (gained - lost) / count
  half = _Z * math.sqrt(max(gained + lost - (gained - lost) ** 2 / count, 0)) / count
  return max(-1.0, difference - half), min(1.0, difference + half)


def mean(total: float, squares: float, count: float) -> Interval:
  """Of a mean of numbers: the normal approximation.

  Args:
    total: their sum.
    squares: the sum of their squares.
    count: how many.
  """
  if count < 2:
    return NONE
  middle = total / count
  half = _Z * math.sqrt(max(squares / count - middle * middle, 0) / (count - 1))
  return middle - half, middle + half


def bootstrap_weights(row: bytes) -> np.ndarray:
  """`[REPLICATES]` int64: how often each replicate drew a row, by the row's content.

  Poisson with mean 1, so that rows can be counted one by one, wherever they lie. Two models are
  paired by the same weights. Rows that are the same in all have the same weights, too, which makes
  an interval of much repeated rows wider, never narrower.

  Source: Hanley and MacGibbon 2006, "Creating non-parametric bootstrap samples using Poisson
  frequencies".
  """
  seed = int.from_bytes(hashlib.blake2b(row, digest_size=16).digest(), "big")
  return np.random.Generator(np.random.PCG64(seed)).poisson(1.0, REPLICATES)


def percentiles(replicates: np.ndarray) -> Interval:
  """Of `[REPLICATES]` scores, the middle 95 %; none where some are no numbers."""
  if not np.isfinite(replicates).all():
    return NONE
  return float(np.percentile(replicates, 2.5)), float(np.percentile(replicates, 97.5))
