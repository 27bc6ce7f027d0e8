"""Confident learning: which given labels contradict the scores of a model that did not see them.

Source: Northcutt, Jiang, Chuang: Confident Learning: Estimating Uncertainty in Dataset Labels,
Journal of Artificial Intelligence Research 70 (2021), https://arxiv.org/abs/1911.00068, sections
3.1 and 3.2: the confident joint, ranked by self-confidence. Written from the paper.
"""

from __future__ import annotations

import dataclasses

import numpy as np

_SURE = 0.9


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ranking:
  """Rows by how likely their label is wrong.

  Attributes:
    order: `[rows]` int64, the numbers of the rows, the likeliest first.
    suggested: `[rows]` int64, the best class of each row other than the given one.
    count: how many labels are taken for wrong.
  """

  order: np.ndarray
  suggested: np.ndarray
  count: int


def ranked(given: np.ndarray, scores: np.ndarray) -> Ranking:
  """Ranks rows by how likely their given label is wrong.

  Args:
    given: `[rows]` int, the class of each row's label.
    scores: `[rows, classes]` float, probabilities out of sample.

  Returns:
    The ranking. A label counts as wrong if, of the classes whose score reaches the mean score of
    the rows with that label, the best is another one than the given; or if another class has a
    score of 0.9 or more.
  """
  rows = np.arange(len(given))
  own = scores[rows, given].astype(np.float64)
  others = scores.astype(np.float64)
  others[rows, given] = -np.inf
  suggested = others.argmax(1) if len(given) else np.zeros(0, np.int64)
  known = np.bincount(given, minlength=scores.shape[1])
  mean = np.bincount(given, weights=own, minlength=scores.shape[1]) / np.maximum(known, 1)
  thresholds = np.where(known > 0, mean, np.inf)
  confident = np.where(scores >= thresholds, scores, -np.inf)
  best = confident.argmax(1) if len(given) else np.zeros(0, np.int64)
  wrong = (confident[rows, best] > -np.inf) & (best != given)
  # Where nearly all scores are near 1, so are the thresholds, and a score of 0.95 would not count.
  wrong |= others[rows, suggested] >= _SURE
  # The score of the given label ranks better than its margin to the best, and than membership in
  # the confident joint, which knows only how many labels are wrong.
  return Ranking(order=np.argsort(own, kind="stable"), suggested=suggested, count=int(wrong.sum()))
