"""`Profile`: what some rows look like, in a file of bounded size; and `Sketch`, which makes one."""

from __future__ import annotations

import bisect
import collections
import dataclasses
import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from dlpipe.artifact_files import ArtifactFile
from pipeline.drift import distances
from pipeline.drift.measures.features import FEATURES

MOST_NAMES, MOST_WORDS = 1_000, 10_000
# Words of which the shares are compared; the others count as one.
COMPARED_WORDS = 500
# Parts of the rows, and numbers of the commonest words, by which the spread of words is known.
_PARTS, _SPREAD_OF = 8, (10, 30, 100, COMPARED_WORDS)
Measured = Mapping[str, float | str | Sequence[str]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Numbers:
  """How a number is spread.

  Attributes:
    edges: between the bins; values below the first and above the last have bins of their own.
    counts: rows in each bin, one more than edges.
    mean: of all values.
    median: the middle value.
    low: below it are 5 % of the values; with `high`, what most rows have.
    high: above it are 5 %.
  """

  edges: tuple[float, ...]
  counts: tuple[int, ...]
  mean: float
  median: float
  low: float
  high: float

  @property
  def rows(self) -> int:
    """The number of values."""
    return sum(self.counts)

  @classmethod
  def of(cls, edges: Sequence[float], values: Iterable[float]) -> Numbers:
    """Counts values; there must be at least one."""
    array = np.asarray(list(values), np.float64)
    places = np.searchsorted(np.asarray(edges), array, side="right")
    low, median, high = (float(np.quantile(array, part)) for part in (0.05, 0.5, 0.95))
    return cls(
      edges=tuple(edges),
      counts=tuple(np.bincount(places, minlength=len(edges) + 1).tolist()),
      mean=float(array.mean()),
      median=median,
      low=low,
      high=high,
    )

  def bin(self, value: float) -> int:
    """Returns the number of the bin that a value is counted in."""
    return bisect.bisect_right(self.edges, value)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Names:
  """How often names occur: labels, formats, languages.

  Attributes:
    counts: by name, of the commonest.
    other: how often all others occur together.
    rows: rows that they were counted in; a row may have several names.
  """

  counts: dict[str, int]
  other: int = 0
  rows: int

  @property
  def total(self) -> int:
    """How often all names occur."""
    return sum(self.counts.values()) + self.other

  @classmethod
  def of(cls, counts: Mapping[str, int], rows: int) -> Names:
    """Keeps the commonest names."""
    commonest = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    kept = {name: int(count) for name, count in commonest[:MOST_NAMES] if count}
    return cls(counts=kept, other=sum(counts.values()) - sum(kept.values()), rows=rows)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Words:
  """The words of texts.

  Attributes:
    counts: by word, of the commonest.
    total: of all words.
    spread: how many times further apart the words of two parts of the rows are than words drawn
      one by one would be, at least 1: words of one text belong together.
  """

  counts: dict[str, int]
  total: int
  spread: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Profile(ArtifactFile):
  """What some rows look like; the keys are names of features.

  Attributes:
    rows: rows that were measured.
    numbers: features that are numbers.
    names: features that are names.
    words: the words of texts; None for other inputs.
    data: of a run's examples, a text that other examples do not have; empty for anything else.
    span: the span that these rows are, of data in spans; empty for all of them.
  """

  FILE: ClassVar[str] = "data_profile.json"

  rows: int
  numbers: dict[str, Numbers]
  names: dict[str, Names]
  words: Words | None = None
  data: str = ""
  span: str = ""

  def also(self, other: Profile) -> Profile:
    """Returns a profile that has the features of another one, too."""
    return dataclasses.replace(
      self, numbers={**self.numbers, **other.numbers}, names={**self.names, **other.names}
    )


class Sketch:
  """Collects measured rows, as many as the caller gives, and makes a `Profile`."""

  def __init__(self) -> None:
    self._numbers: dict[str, list[float]] = collections.defaultdict(list)
    self._names: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    self._named: collections.Counter[str] = collections.Counter()
    # Of parts of the rows, to see how far apart they are.
    self._words: tuple[collections.Counter[str], ...] = tuple(
      collections.Counter() for _ in range(_PARTS)
    )
    self._rows = 0

  def add(self, measured: Measured, words: Sequence[str] | None = None) -> None:
    """Takes a row.

    Args:
      measured: its features by name: a number, a name, or several names.
      words: its words; None for inputs that are no text.
    """
    for name, value in measured.items():
      if isinstance(value, (float, int)):
        if math.isfinite(value):
          self._numbers[name].append(float(value))
        continue
      self._named[name] += 1
      self._names[name].update((value,) if isinstance(value, str) else value)
    if words is not None:
      self._words[self._rows % _PARTS].update(words)
    self._rows += 1

  def profile(self) -> Profile:
    """Returns what the rows look like."""
    numbers = {
      name: Numbers.of(FEATURES[name].edges, values) for name, values in self._numbers.items()
    }
    names = {name: Names.of(counts, self._named[name]) for name, counts in self._names.items()}
    return Profile(rows=self._rows, numbers=numbers, names=names, words=self._counted())

  def _counted(self) -> Words | None:
    all_words: collections.Counter[str] = collections.Counter()
    for part in self._words:
      all_words.update(part)
    if not all_words:
      return None
    kept = dict(sorted(all_words.items(), key=lambda item: (-item[1], item[0]))[:MOST_WORDS])
    return Words(counts=kept, total=sum(all_words.values()), spread=self._spread(list(kept)))

  def _spread(self, words: Sequence[str]) -> float:
    """Returns how many times further apart parts of the rows are than chance puts single words.

    Common words are spread less evenly than rare ones, so fewer words are looked at, too.
    """
    totals = [sum(part.values()) for part in self._words]
    if not all(totals):
      return 1.0
    found = [1.0]
    for most in _SPREAD_OF:
      compared = words[:most]
      counts = [[part[word] for word in compared] for part in self._words]
      rows = [[*each, total - sum(each)] for each, total in zip(counts, totals, strict=True)]
      ratios = [
        distances.divergence(a, b) / distances.expected(sum(a), sum(b), bins=distances.filled(a, b))
        for a, b in itertools.combinations(rows, 2)
      ]
      found.append(sum(ratios) / len(ratios))
    return max(found)


def names_of(value: Any) -> list[str]:
  """Returns the names in a value of `Measured`."""
  return [value] if isinstance(value, str) else list(value)
