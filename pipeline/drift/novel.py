"""Picks the rows that show what is new: those with values that were rare and no longer are."""

from __future__ import annotations

import base64
import heapq
import math
from collections.abc import Iterable, Mapping, Sequence

from pipeline.drift.comparing import Change
from pipeline.drift.measures import features
from pipeline.drift.measures.features import FEATURES
from pipeline.drift.measuring import Measure, Row
from pipeline.drift.profile import Measured, Profile, names_of
from pipeline.drift.verdict import Example
from pipeline.rows import previews

MOST = 10
_TEXT_CHARACTERS = 300
_MOST_WHY = 3
_NEVER = 0.5  # rows that a value counts as having had which had none
# Less than so many times commoner is not new.
_COMMONER = 1.5

Named = tuple[str, str, Row]  # origin, split, row


def examples(
  rows: Iterable[Named],
  measure: Measure,
  changes: Sequence[Change],
  before: Profile,
  now: Profile,
  *,
  is_text: bool,
) -> tuple[Example, ...]:
  """Returns up to ten rows of what is new, the newest first.

  Args:
    rows: the rows that `now` was made of.
    measure: measures them.
    changes: the features that have changed.
    before: what the rows are compared with.
    now: what the rows look like.
    is_text: whether inputs are texts.
  """
  names = [change.feature for change in changes]
  best: list[tuple[float, int, Named, Sequence[str]]] = []
  for number, named in enumerate(rows):
    measured, _ = measure.of(named[2])
    weights = {
      name: weight for name in names if (weight := _newness(name, measured, before, now)) > 0
    }
    if not weights:
      continue
    newest = sorted(weights, key=lambda name: -weights[name])[:_MOST_WHY]
    entry = (sum(weights.values()), -number, named, [_said(name, measured) for name in newest])
    if len(best) < MOST:
      heapq.heappush(best, entry)
    else:
      heapq.heappushpop(best, entry)
  ordered = sorted(best, key=lambda entry: entry[:2], reverse=True)
  return tuple(_example(named, why, is_text=is_text) for _, _, named, why in ordered)


def _newness(name: str, measured: Measured, before: Profile, now: Profile) -> float:
  """Returns the logarithm of how many times commoner a row's value has become; 0 if it has not."""
  if name not in measured:
    return 0.0
  value = measured[name]
  if name in now.numbers and name in before.numbers and isinstance(value, (int, float)):
    place = now.numbers[name].bin(value)
    old, new = (each.numbers[name].counts[place] for each in (before, now))
    return _gain(old, before.numbers[name].rows, new, now.numbers[name].rows)
  if name in now.names and name in before.names:
    return max(
      (
        _gain(
          before.names[name].counts.get(each, 0),
          before.names[name].rows,
          now.names[name].counts.get(each, 0),
          now.names[name].rows,
        )
        for each in names_of(value)
      ),
      default=0.0,
    )
  return 0.0


def _gain(old: float, old_rows: float, new: float, new_rows: float) -> float:
  ratio = ((new + _NEVER) / new_rows) / ((old + _NEVER) / old_rows)
  return math.log2(ratio) if ratio > _COMMONER else 0.0


def _said(name: str, measured: Mapping[str, float | str | Sequence[str]]) -> str:
  value = measured[name]
  if isinstance(value, (int, float)):
    if name == features.UNREADABLE:
      return "cannot be decoded"
    return f"{name} {FEATURES[name].said(value)}"
  return f"{name} {', '.join(names_of(value))}"


def _example(named: Named, why: Sequence[str], *, is_text: bool) -> Example:
  origin, split, row = named
  value = row.value or b""
  text = " ".join(value[: 4 * _TEXT_CHARACTERS].decode("utf-8", "replace").split())
  return Example(
    origin=origin,
    split=split,
    why=tuple(why),
    text=text[:_TEXT_CHARACTERS] if is_text else "",
    picture="" if is_text else base64.b64encode(previews.fitting(value) or b"").decode(),
  )
