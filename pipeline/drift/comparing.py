"""Compares two profiles feature by feature: how far apart, how far is too far, and in what words.

A feature has changed if its divergence exceeds what chance makes of so many rows, plus what counts
as a change: the larger of `least` and twice the upper quartile of what the past showed.
"""

from __future__ import annotations

import collections
import dataclasses
import statistics
from collections.abc import Mapping, Sequence

from pipeline.drift import distances, wording
from pipeline.drift.measures import features
from pipeline.drift.measures.features import FEATURES, PLACES, Feature
from pipeline.drift.profile import COMPARED_WORDS, Names, Numbers, Profile, Words

# A divergence of 0.02 bits is about 0.1 of the population stability index, the usual bound.
LEAST = 0.02
# Fewer earlier comparisons set no bound.
FEWEST_PAST = 5
_OF_QUARTILE = 2
# A name that so many rows should have had, and none has, is gone: chance says e^-15.
_SURELY, _FEWEST_NEW = 15, 5
_MOST_BARS = 40
_OTHERS = "(others)"
# Percent that a share of one half must become to be seen, from which on that is said.
_LARGE = 80
# Changes this much smaller than the largest are named after it.
_ALIKE = 0.5

Past = Mapping[str, Sequence[float]]
Bins = list[tuple[str, float, float]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Bar:
  """One bin of a feature's two distributions, as shares."""

  name: str
  before: float
  now: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Change:
  """What became of one feature.

  Attributes:
    feature: its name.
    sentence: the change in words, such as `brightness: median 0.52 -> 0.21`.
    value: the Jensen-Shannon divergence in bits; of a bound of the schema, its own measure.
    bound: the largest value that is no change, but for names that come or go.
    drifted: whether it has changed.
    excess: the divergence beyond what two equal samples have on average, at least 0.
    rows: rows that were compared, before and now.
    source: what the bound is made of, in words.
    bars: both distributions.
  """

  feature: str
  sentence: str
  value: float
  bound: float
  drifted: bool
  excess: float
  rows: tuple[int, int]
  source: str
  bars: tuple[Bar, ...] = ()

  @property
  def is_ordered(self) -> bool:
    """Whether the bars are those of a histogram; else they are names."""
    return self.feature in FEATURES and bool(FEATURES[self.feature].edges)

  @property
  def words_of_bound(self) -> str:
    """The bound for a person."""
    if self.drifted and self.value <= self.bound:
      return "no name that comes or goes"
    return f"<= {self.bound:.3g}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class SchemaBound:
  """A bound that the reviewed schema sets by a `drift_comparator`.

  Attributes:
    infinity_norm: of the largest difference of a share; None sets none.
    divergence: of the Jensen-Shannon divergence in bits; None sets none.
  """

  infinity_norm: float | None = None
  divergence: float | None = None


def changes(
  before: Profile,
  now: Profile,
  *,
  past: Past,
  least: float = LEAST,
  schema: Mapping[str, SchemaBound] | None = None,
  only: Sequence[str] | None = None,
) -> list[Change]:
  """Returns every feature that both profiles have, the changed ones first, the causes before them.

  Args:
    before: what is compared with.
    now: what is compared.
    past: the excess of earlier comparisons, by feature.
    least: the smallest divergence that counts as a change, in bits.
    schema: bounds of the reviewed schema, by feature.
    only: the features to compare; None compares all.
  """
  found = []
  for name in sorted(_common(before, now), key=PLACES.__getitem__):
    if only is not None and name not in only:
      continue
    change = _change(FEATURES[name], before, now, past, least, (schema or {}).get(name))
    if change is not None:
      found.append(change)
  most = max((each.value for each in found if each.drifted), default=0.0)
  return sorted(
    found,
    key=lambda each: (
      (not each.drifted, each.value < _ALIKE * most, PLACES[each.feature])
      if each.drifted
      else (True, True, PLACES[each.feature])
    ),
  )


def power(rows: int, before_rows: int, *, least: float, noun: str) -> str:
  """Returns what so few rows cannot show, in words; empty of rows that show what matters.

  >>> power(8, 3_000, least=0.02, noun="requests")
  '8 requests are too few to tell any but new names from chance.'
  >>> power(50, 3_000, least=0.02, noun="requests")
  'Of 50 requests only large changes can be told from chance: a share of 50 % must become 82 %.'
  >>> power(500, 3_000, least=0.02, noun="requests")
  ''
  """
  if not rows or not before_rows:
    return ""
  bound = distances.by_chance(before_rows, rows, bins=2) + least
  seen = [
    share
    for share in range(50, 101)
    if distances.divergence((50, 50), (share, 100 - share)) > bound
  ]
  if not seen:
    return f"{rows} {noun} are too few to tell any but new names from chance."
  if seen[0] < _LARGE:
    return ""
  return (
    f"Of {rows} {noun} only large changes can be told from chance: a share of 50 % must become "
    f"{seen[0]} %."
  )


def _common(before: Profile, now: Profile) -> list[str]:
  both = [
    *(before.numbers.keys() & now.numbers.keys()),
    *(before.names.keys() & now.names.keys()),
    *([features.CHOICE] if before.words and now.words else []),
  ]
  return [name for name in both if name in FEATURES]


def _change(
  feature: Feature,
  before: Profile,
  now: Profile,
  past: Past,
  least: float,
  schema: SchemaBound | None,
) -> Change | None:
  bins, spread = _bins(feature, before, now)
  # Which bins are put together must not depend on which of the two samples has them: of rare names,
  # those of one sample would be together, and those of the other.
  counted = bins if feature.edges else sorted(bins)
  a, b = [each[1] for each in counted], [each[2] for each in counted]
  if not sum(a) or not sum(b):
    return None
  p, q = distances.merged(a, b, ordered=bool(feature.edges))
  value = distances.divergence(p, q)
  count = len(p)
  mean = spread * distances.expected(sum(p), sum(q), bins=count)
  chance = spread * distances.by_chance(sum(p), sum(q), bins=count)
  allowed, source = _allowed(past.get(feature.name, ()), least)
  bound = chance + allowed
  excess = max(0.0, value - mean)
  drifted = value > bound
  if feature.is_closed and not drifted and any(_appeared(bins)):
    drifted, source = True, "names that come or go are a change whatever their share"
  if schema is not None:
    value, bound, source = _by_schema(a, b, value, schema)
    drifted = value > bound
  return Change(
    feature=feature.name,
    sentence=wording.sentence(feature, before, now, bins, _appeared(bins)),
    value=value,
    bound=bound,
    drifted=drifted,
    excess=excess,
    rows=(_rows(feature, before), _rows(feature, now)),
    source=source,
    bars=_bars(feature, bins),
  )


def _allowed(past: Sequence[float], least: float) -> tuple[float, str]:
  """Returns the divergence beyond chance that is no change, and where it comes from."""
  if len(past) < FEWEST_PAST:
    return least, f"chance for so many rows, and {least:g} bits"
  usual = _OF_QUARTILE * statistics.quantiles(past, n=4, method="inclusive")[2]
  if usual <= least:
    return least, f"chance for so many rows, and {least:g} bits; {len(past)} before stayed within"
  return usual, f"chance for so many rows, and twice the upper quartile of {len(past)} before"


def _by_schema(
  before: Sequence[float], now: Sequence[float], value: float, schema: SchemaBound
) -> tuple[float, float, str]:
  """Returns the measure, the bound and its source that a schema's comparator asks for."""
  if schema.infinity_norm is not None:
    largest = distances.largest(before, now)
    return largest, schema.infinity_norm, "the schema's drift_comparator, infinity_norm"
  if schema.divergence is not None:
    exact = distances.divergence(before, now)
    return exact, schema.divergence, "the schema's drift_comparator, jensen_shannon_divergence"
  return value, 1.0, "the schema's drift_comparator, which has no threshold"


def _rows(feature: Feature, profile: Profile) -> int:
  if feature.name in profile.numbers:
    return profile.numbers[feature.name].rows
  if feature.name in profile.names:
    return profile.names[feature.name].rows
  return profile.rows


def _bins(feature: Feature, before: Profile, now: Profile) -> tuple[Bins, float]:
  """Returns `(name, count before, count now)` of each bin, and how much chance is to be widened."""
  if feature.name == features.CHOICE:
    if before.words is None or now.words is None:
      return [], 1.0
    return _word_bins(before.words, now.words), before.words.spread
  if feature.edges:
    return _number_bins(feature, before.numbers[feature.name], now.numbers[feature.name]), 1.0
  return _name_bins(before.names[feature.name], now.names[feature.name]), 1.0


def _number_bins(feature: Feature, before: Numbers, now: Numbers) -> Bins:
  if before.edges != now.edges:  # another release measured it in another way
    return []
  names = [f"below {feature.said(before.edges[0])}", *map(feature.said, before.edges)]
  return list(zip(names, before.counts, now.counts, strict=True))


def _name_bins(before: Names, now: Names) -> Bins:
  known = {*before.counts, *now.counts}
  for each in (before, now):
    if each.other:  # among which one that is missing may be
      known &= each.counts.keys()
  ordered = sorted(known, key=lambda name: (-before.counts.get(name, 0), name))
  bins: Bins = [(name, before.counts.get(name, 0), now.counts.get(name, 0)) for name in ordered]
  others = (before.total - sum(each[1] for each in bins), now.total - sum(each[2] for each in bins))
  return [*bins, (_OTHERS, *others)] if any(others) else bins


def _word_bins(before: Words, now: Words) -> Bins:
  # Words picked for being common now would always seem to have risen, those that were common before
  # to have fallen. How the sum of both is divided says nothing of either.
  counts = collections.Counter(before.counts)
  counts.update(now.counts)
  ordered = sorted(counts, key=lambda word: (-counts[word], word))[:COMPARED_WORDS]
  bins: Bins = [(word, before.counts.get(word, 0), now.counts.get(word, 0)) for word in ordered]
  others = (before.total - sum(each[1] for each in bins), now.total - sum(each[2] for each in bins))
  return [*bins, (_OTHERS, *others)]


def _appeared(bins: Bins) -> tuple[list[str], list[str]]:
  """Returns the names that are new, and those that are gone, beyond what chance makes."""
  before, now = sum(each[1] for each in bins), sum(each[2] for each in bins)
  named = [each for each in bins if each[0] != _OTHERS]
  new = [n for n, a, b in named if not a and b >= _FEWEST_NEW and before * b / now >= _SURELY]
  gone = [n for n, a, b in named if not b and a >= _FEWEST_NEW and now * a / before >= _SURELY]
  return new, gone


def _bars(feature: Feature, bins: Bins) -> tuple[Bar, ...]:
  """Returns the bins that hold anything, as shares; of names, those that changed most."""
  before, now = sum(each[1] for each in bins), sum(each[2] for each in bins)
  shares = [Bar(name=n, before=a / before, now=b / now) for n, a, b in bins if a or b]
  if feature.edges:
    return tuple(shares) if len(shares) <= _MOST_BARS else _coarser(shares)
  shares = [bar for bar in shares if bar.name != _OTHERS]
  shares.sort(key=lambda bar: -abs(bar.now - bar.before))
  return tuple(shares[: _MOST_BARS // 2])


def _coarser(bars: Sequence[Bar]) -> tuple[Bar, ...]:
  together = -(-len(bars) // _MOST_BARS)
  groups = [bars[start : start + together] for start in range(0, len(bars), together)]
  return tuple(
    Bar(
      name=group[0].name,
      before=sum(bar.before for bar in group),
      now=sum(bar.now for bar in group),
    )
    for group in groups
  )
