"""Successive halving: ends trials that are worse, at the same epoch, than half of those before."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

_RUNGS = (0.25, 0.5)  # parts of the epochs of a whole trial
_LEAST_BEFORE = 3  # trials; the median of fewer says little


class Halving:
  """Compares a trial with those before it after a quarter and after half of the epochs.

  The trials run one after another, so a trial is compared with those that have come as far.

  Source: Li et al. 2020, "A System for Massively Parallel Hyperparameter Tuning",
  https://arxiv.org/abs/1810.05934, with a factor of 2.
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
    if epochs not in {math.ceil(part * self._whole) for part in _RUNGS}:
      return False
    before = [self._best(each[:epochs]) for each in self._before if len(each) >= epochs]
    return len(before) >= _LEAST_BEFORE and self._best(values) < statistics.median(before)

  def _best(self, values: Sequence[float | None]) -> float:
    finite = (self._sign * v for v in values if v is not None and math.isfinite(v))
    return max(finite, default=-math.inf)
