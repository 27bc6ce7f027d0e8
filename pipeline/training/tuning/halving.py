"""Successive halving: ends trials that are worse, at the same epoch, than most of those before."""

from __future__ import annotations

import math
from collections.abc import Sequence

# After these parts of the epochs, a trial ends if more than this part of those before is better.
# The first is mild: a high learning rate looks worse than it is until it has come down.
_RUNGS = ((0.25, 0.75), (0.5, 0.5))
_LEAST_BEFORE = 3  # trials; fewer say little


class Halving:
  """Compares a trial with those before it after a quarter and after half of the epochs.

  The trials run one after another, so a trial is compared with those that have come as far.

  Source: Li et al. 2020, "A System for Massively Parallel Hyperparameter Tuning",
  https://arxiv.org/abs/1810.05934.
  """

  def __init__(self, mode: str):
    """`mode` is "max" if larger values are better, else "min"."""
    self._sign = 1 if mode == "max" else -1
    self._whole: int | None = None
    self._before: list[Sequence[float | None]] = []

  def add(self, values: Sequence[float | None], *, is_whole: bool) -> None:
    """Adds a trial that has ended.

    Args:
      values: the monitored metric after each epoch; None where it is no number.
      is_whole: whether the trial trained all its epochs.
    """
    self._before.append(values)
    if is_whole and self._whole is None:
      self._whole = len(values)

  def is_hopeless(self, values: Sequence[float | None]) -> bool:
    """Returns whether a trial should end after these epochs."""
    epochs = len(values)
    if self._whole is None or epochs >= self._whole:
      return False
    shares = [share for part, share in _RUNGS if epochs == math.ceil(part * self._whole)]
    before = [self._best(each[:epochs]) for each in self._before if len(each) >= epochs]
    if not shares or len(before) < _LEAST_BEFORE:
      return False
    better = sum(each > self._best(values) for each in before)
    return better > min(shares) * len(before)

  def _best(self, values: Sequence[float | None]) -> float:
    finite = (self._sign * v for v in values if v is not None and math.isfinite(v))
    return max(finite, default=-math.inf)
