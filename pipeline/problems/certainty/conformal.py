"""Split conformal prediction: bounds that a new row keeps as often as asked, from few rows.

A row has a number that is the larger, the less the model agrees with its label. Of n rows and a new
one, which come from the same source, each is the largest with the same chance. So the new one's
number is at most the k-th smallest of the n with a chance of k / (n + 1) or more, whatever the
model is.

Source: Vovk, Gammerman and Shafer 2005, "Algorithmic Learning in a Random World"; Angelopoulos and
Bates 2021, "A Gentle Introduction to Conformal Prediction", https://arxiv.org/abs/2107.07511
"""

from __future__ import annotations

import math

import numpy as np

# Without a wish, sets are to miss the label of at most one row in twenty.
USUAL = 0.95
_SPARED = 3  # rows of val that a set may miss, at the least: a bound by the very last is chance
_DECIMALS = 1_000  # a coverage that is chosen here is rounded down to three
_ROUNDING = 1e-9  # 0.9 * 10 is not 9 in floating point


def rank(rows: int, coverage: float) -> int:
  """Returns which of the sorted numbers is the bound, from 1; more than `rows` if none is.

  >>> rank(19, 0.95), rank(18, 0.95), rank(99, 0.9)
  (19, 19, 90)
  """
  return math.ceil((rows + 1) * coverage - _ROUNDING)


def bound(numbers: np.ndarray, coverage: float) -> float | None:
  """Returns what a new row's number does not exceed as often as asked; None if no bound does.

  Args:
    numbers: `[rows]`, one for each row that the model has not learned from; may be infinite.
    coverage: how often, above 0 and below 1.
  """
  place = rank(len(numbers), coverage)
  if place > len(numbers):
    return None
  found = float(np.partition(numbers, place - 1)[place - 1])
  return found if math.isfinite(found) else None


def least_score(scores: np.ndarray, shares: np.ndarray, rows: int, coverage: float) -> float | None:
  """Returns from which score on labels are in a set, if rows have several; None if no score does.

  Of a new row's labels, the part that the set holds is on average at least the coverage. If every
  row has one label, this is `bound` of the negative scores.

  Args:
    scores: `[labels]`, of every label of every row.
    shares: `[labels]`, 1 by the number of labels of its row.
    rows: how many rows have labels.
    coverage: the least mean part, above 0 and below 1.

  Source: Angelopoulos et al. 2022, "Conformal Risk Control", https://arxiv.org/abs/2208.02814
  """
  # The new row counts as one whose labels are all missed.
  spared = (1 - coverage) * (rows + 1) - 1 + _ROUNDING
  if spared < 0:
    return None
  order = np.argsort(scores, kind="stable")
  too_many = np.cumsum(shares[order]) > spared
  return float(scores[order[too_many.argmax()]]) if too_many.any() else math.inf


def chosen_coverage(wrong: float, rows: int) -> float:
  """Returns the coverage if the user has not asked for one.

  It is 0.95; or, if the answers alone are right more often, half of their errors, as far as so few
  rows can tell. Sets that miss as often as the answers do would hold nothing beside them.

  >>> chosen_coverage(20, 100), chosen_coverage(6, 100), chosen_coverage(0, 100)
  (0.95, 0.97, 0.97)

  Args:
    wrong: how many of the rows the answers are wrong about.
    rows: how many rows there are.
  """
  if not rows:
    return USUAL
  most = 1 - _SPARED / (rows + 1)
  halved = min(1 - wrong / rows / 2, most)
  return max(USUAL, math.floor(halved * _DECIMALS + _ROUNDING) / _DECIMALS)


def accepted_from(scores: np.ndarray, is_right: np.ndarray, accuracy: float) -> float | None:
  """Returns the score from which answers are right as often as wanted; None if there is none.

  As in the sets, one more row counts, which is wrong: an accuracy of 0.99 takes 99 right rows.

  Args:
    scores: `[rows]`, how sure each answer is.
    is_right: `[rows]` bool.
    accuracy: of the answers with such a score or a higher one.
  """
  order = np.argsort(-scores, kind="stable")
  sorted_scores = scores[order]
  taken = np.arange(1, len(scores) + 1)
  wrong = np.cumsum(~is_right[order])
  good = (wrong + 1) / (taken + 1) <= 1 - accuracy + _ROUNDING
  # Rows of equal scores are taken together.
  good &= np.append(sorted_scores[1:] != sorted_scores[:-1], True) if len(scores) else good
  if not good.any():
    return None
  last = int(np.flatnonzero(good)[-1])
  return float(sorted_scores[last])
