"""Says a change in plain words, such as `label mix: positive 50 % -> 90 %`."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from pipeline.drift.measures import features
from pipeline.drift.measures.features import Feature, percent
from pipeline.drift.profile import Numbers, Profile, Words

_SHOWN_NAMES, _SHOWN_WORDS = 3, 6
_MOST_CHARACTERS = 40  # of a name
_UNSURE = 0.1  # the part of the rows before that counts as unsure


def sentence(
  feature: Feature,
  before: Profile,
  now: Profile,
  bins: Sequence[tuple[str, float, float]],
  appeared: tuple[Sequence[str], Sequence[str]],
) -> str:
  """Returns what became of a feature.

  Args:
    feature: the feature.
    before: what is compared with.
    now: what is compared.
    bins: name, count before and count now of each bin.
    appeared: names that are new, and names that are gone.
  """
  if feature.name == features.CHOICE:
    said = _most_moved(before.words, now.words) or "as before"
  elif feature.edges:
    said = _numbers(feature, before.numbers[feature.name], now.numbers[feature.name])
    if feature.name == features.UNKNOWN:
      risen = _moved(before.words, now.words)[0]
      said += f", most risen: {', '.join(risen)}" if risen else ""
    if feature.name == features.SCORE:
      said += _unsure(before.numbers[feature.name], now.numbers[feature.name])
  else:
    said = _names(feature, bins, appeared)
  return f"{feature.name}: {said}"


def _numbers(feature: Feature, before: Numbers, now: Numbers) -> str:
  if feature.by_mean:
    return f"{feature.said(before.mean)} -> {feature.said(now.mean)}"
  if feature.said(before.median) != feature.said(now.median):
    return f"median {feature.said(before.median)} -> {feature.said(now.median)}"
  old, new = (f"{feature.said(each.low)} to {feature.said(each.high)}" for each in (before, now))
  return f"median {feature.said(now.median)} as before, nine tenths within {old} -> {new}"


def _unsure(before: Numbers, now: Numbers) -> str:
  """Returns the share of answers that are as unsure as the tenth of the least sure before."""
  seen = list(itertools.accumulate(before.counts))
  place = next(p for p, rows in enumerate(seen) if rows >= _UNSURE * before.rows)
  if seen[place] > before.rows / 2:  # that bin has most of them: those below it are the unsure ones
    place -= 1
  if not 0 <= place < len(before.edges):
    return ""
  shares = [sum(each.counts[: place + 1]) / each.rows for each in (before, now)]
  return f", unsure (below {before.edges[place]:g}) {percent(shares[0])} -> {percent(shares[1])}"


def _names(
  feature: Feature,
  bins: Sequence[tuple[str, float, float]],
  appeared: tuple[Sequence[str], Sequence[str]],
) -> str:
  before, now = sum(each[1] for each in bins), sum(each[2] for each in bins)
  shares = {name: (a / before, b / now) for name, a, b in bins}
  old = max(shares, key=lambda name: shares[name][0])
  new = max(shares, key=lambda name: shares[name][1])
  change = {name: b - a for name, (a, b) in shares.items()}
  moved = sorted(change, key=lambda name: (-abs(round(change[name], 9)), change[name] < 0, name))
  each = ", ".join(
    f"{_short(name)} {percent(shares[name][0])} -> {percent(shares[name][1])}"
    for name in moved[:_SHOWN_NAMES]
    if shares[name][0] != shares[name][1]
  )
  said = [f"{_short(old)} -> {_short(new)} ({each})"] if _is_another(shares, old, new) else [each]
  for what, names in zip(("new", "gone"), appeared, strict=True):
    if feature.is_closed and names:
      shown = ", ".join(map(_short, names[:_SHOWN_NAMES]))
      more = len(names) - _SHOWN_NAMES
      said.append(f"{what}: {shown}{f' and {more} more' if more > 0 else ''}")
  return "; ".join(filter(None, said)) or "as before"


def _is_another(shares: dict[str, tuple[float, float]], old: str, new: str) -> bool:
  """Returns whether most rows had one name, and most now have another."""
  return old != new and shares[old][0] > 0.5 and shares[new][1] > 0.5


def _most_moved(before: Words | None, now: Words | None) -> str:
  risen, fallen = _moved(before, now)
  said = [f"most risen: {', '.join(risen)}"] if risen else []
  said += [f"most fallen: {', '.join(fallen)}"] if fallen else []
  return "; ".join(said)


def _moved(before: Words | None, now: Words | None) -> tuple[list[str], list[str]]:
  """Returns the words that rose and fell most, by what they add to the divergence."""
  if before is None or now is None:
    return [], []
  moved: list[tuple[float, str, float, float]] = []
  for word in {*before.counts, *now.counts}:
    a = before.counts.get(word, 0) / before.total
    b = now.counts.get(word, 0) / now.total
    middle = (a + b) / 2
    weight = sum(each * math.log2(each / middle) for each in (a, b) if each)
    moved.append((weight if b > a else -weight, word, a, b))
  moved.sort()
  risen = [each for each in reversed(moved[-_SHOWN_WORDS:]) if each[0] > 0]
  fallen = [each for each in moved[:_SHOWN_WORDS] if each[0] < 0]
  said = [
    [f"{_short(word)} ({percent(a)} -> {percent(b)})" for _, word, a, b in some]
    for some in (risen, fallen)
  ]
  return said[0], said[1]


def _short(name: str) -> str:
  line = " ".join(name.split()) or "(empty)"
  return line if len(line) <= _MOST_CHARACTERS else f"{line[:_MOST_CHARACTERS]}…"
