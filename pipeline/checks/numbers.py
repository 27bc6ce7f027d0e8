"""Checks labels that are numbers: all equal, outside the range of train, far from the others."""

from __future__ import annotations

import collections
import math
import statistics
from collections.abc import Sequence

from dlpipe.records import TRAIN
from dlpipe.words import shortest
from pipeline.checks.description import Row
from pipeline.checks.finding import NOTE, WARNING, Finding

_SHOWN = 5
_DIGITS = 24  # binary digits of a float32
_FAR = 10  # interquartile ranges
_COARSE = 0.01  # standard deviations


class Survey:
  """Collects the labels of a run's examples, eight bytes each."""

  def __init__(self) -> None:
    self._numbers: dict[str, list[float]] = {}

  def add(self, row: Row) -> None:
    """Takes the next example; ignores it if it has no label."""
    if row.label:
      self._numbers.setdefault(row.split, []).append(float(row.label))

  def findings(self) -> list[Finding]:
    """Returns findings about numbers: all equal, rounded, outside train's range, or outliers."""
    train = self._numbers.get(TRAIN, [])
    if not train:
      return []
    least, most = min(train), max(train)
    if least == most:
      what = f"All {len(train):,} training examples have the number {shortest(least)}."
      return [_finding("constant", WARNING, len(train), what, _CONSTANT)]
    held_out = [n for split, each in self._numbers.items() if split != TRAIN for n in each]
    outside = [n for n in held_out if not least <= n <= most]
    far = _far(sorted([*train, *held_out]))
    of_train = f"outside of {shortest(least)} to {shortest(most)}, the range of train"
    found = [
      *_coarse(train),
      _finding("far_values", WARNING, len(far), f"{_count(far)} far from all others.", _CODE, far),
      _finding(
        "outside_range", NOTE, len(outside), f"{_count(outside)} {of_train}.", _NEW, outside
      ),
    ]
    return [finding for finding in found if finding.count]


_CONSTANT = "There is nothing to learn. Add rows, or name another column (data.label_column)."
_ROUNDED = (
  "float32, in which models learn and answer, holds about seven digits. Subtract a constant, such "
  "as the first moment, from all of them."
)
_CODE = (
  "A number such as -999 often stands for one that is missing, and one such row outweighs many in "
  "the squared error. Remove the rows, or correct them."
)
_NEW = "A model hardly answers what it has never seen. Add such examples to train."


def _coarse(train: Sequence[float]) -> list[Finding]:
  """Returns a finding if steps of float32 are a large part of how the numbers differ."""
  largest = max(map(abs, train))
  step = math.ldexp(1, math.frexp(largest)[1] - _DIGITS)
  mean = statistics.fmean(train)
  part = step / math.sqrt(statistics.fmean((number - mean) ** 2 for number in train))
  if part <= _COARSE:
    return []
  what = (
    f"All {len(train):,} training examples are kept in steps of {step:g}, which is {part:.3g} of "
    "their standard deviation."
  )
  return [_finding("coarse", WARNING, len(train), what, _ROUNDED)]


def _count(numbers: Sequence[float]) -> str:
  return f"{len(numbers):,} number{'s' if len(numbers) != 1 else ''}"


def _far(numbers: Sequence[float]) -> list[float]:
  """Returns the sorted numbers that are over ten interquartile ranges outside the quartiles."""
  if len(numbers) < 4:
    return []
  low, _, high = statistics.quantiles(numbers, n=4)
  reach = _FAR * (high - low)
  return [n for n in numbers if reach and not low - reach <= n <= high + reach]


def _finding(
  name: str, level: str, count: int, what: str, advice: str, values: Sequence[float] = ()
) -> Finding:
  commonest = collections.Counter(shortest(value) for value in sorted(values)).most_common(_SHOWN)
  details = tuple(f"{value}: {times:,}" for value, times in commonest)
  return Finding(name=name, level=level, count=count, what=what, advice=advice, details=details)
