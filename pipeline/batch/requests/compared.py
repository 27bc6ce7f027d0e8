"""Compares the requests of a window with what was trained on, and answers with those of others."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence

from pipeline.batch.requests.windows import Window
from pipeline.drift import comparing
from pipeline.drift.comparing import Change
from pipeline.drift.measures.features import FEATURES
from pipeline.drift.profile import Profile
from pipeline.drift.served import Served

REQUESTS, ANSWERS, BEFORE = "requests", "answers", "answers before"
# Fewer rows in an earlier window say too little to set a bound.
FEWEST_ROWS = 20
_INPUTS = tuple(name for name, each in FEATURES.items() if not each.is_answer)
_ANSWERS = tuple(name for name, each in FEATURES.items() if each.is_answer)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Compared:
  """Features of one kind, compared with one thing.

  Attributes:
    about: REQUESTS with train, ANSWERS with the answers to eval, or BEFORE: answers with those of
      the window before.
    words: what was compared with what.
    changes: every feature, the changed ones first.
    lasting: features that differ beyond chance, but no more than in the windows before.
    returned: features of answers that differ from those of the window before, which differed from
      those to eval, while the answers now do not.
  """

  about: str
  words: str
  changes: tuple[Change, ...]
  lasting: tuple[Change, ...] = ()
  returned: tuple[Change, ...] = ()

  @property
  def drifted(self) -> tuple[Change, ...]:
    """The features that have changed."""
    return tuple(change for change in self.changes if change.drifted)


def with_version(
  profile: Profile, now: Window, before: Sequence[Window], served: Served, least: float
) -> list[Compared]:
  """Compares requests with train, and answers with those to eval."""
  found = []
  for about, only, version in ((REQUESTS, _INPUTS, None), (ANSWERS, _ANSWERS, served.version)):
    earlier = [
      comparing.changes(profile, each.profile(version), past={}, least=least, only=only)
      for each in before
      if each.rows >= FEWEST_ROWS
    ]
    what = "the data of" if about == REQUESTS else "the answers to eval of"
    words = f"{about} differ from {what} version {served.version}"
    found.append(_compared(about, words, profile, now.profile(version), earlier, least, only))
  return [each for each in found if each.changes]


def with_before(
  profile: Profile, now: Window, before: Sequence[Window], served: Served, least: float
) -> list[Compared]:
  """Compares answers with those of the window before."""
  filled = [each.profile() if each.rows >= FEWEST_ROWS else None for each in before]
  if not filled or filled[0] is None:
    return []
  earlier = [
    comparing.changes(b, a, past={}, least=least, only=_ANSWERS)
    for a, b in zip(filled, filled[1:], strict=False)
    if a is not None and b is not None
  ]
  words = "answers differ from those of the window before"
  found = _compared(BEFORE, words, filled[0], now.profile(), earlier, least, _ANSWERS)

  found = _with_returned(found, _usual_again(profile, now, before[0], served.version, least))
  return [found] if found.changes else []


def _usual_again(
  profile: Profile, now: Window, before: Window, version: int, least: float
) -> set[str]:
  """Returns features whose answers are as to eval, and in the window before were not.

  Or could not be, because its requests were not like the data, and those of now are.
  """

  def drifted(window: Window, only: Sequence[str], by: int | None) -> dict[str, bool]:
    changes = comparing.changes(profile, window.profile(by), past={}, least=least, only=only)
    return {change.feature: change.drifted for change in changes}

  then, at_last = (drifted(each, _ANSWERS, version) for each in (before, now))
  strange, ordinary = (drifted(each, _INPUTS, None) for each in (before, now))
  is_over = any(strange.values()) and bool(ordinary) and not any(ordinary.values())
  return {name for name, changed in at_last.items() if not changed and (is_over or then.get(name))}


def _with_returned(found: Compared, usual: Collection[str]) -> Compared:
  """Takes features that are as usual again, after a window in which they were not, for no change.

  The strange window gave the alarm.
  """
  returned = [change for change in found.drifted if change.feature in usual]
  return dataclasses.replace(
    found,
    changes=tuple(
      dataclasses.replace(each, drifted=False) if each in returned else each
      for each in found.changes
    ),
    lasting=tuple(each for each in found.lasting if each.feature not in usual),
    returned=tuple(returned),
  )


def _compared(
  about: str,
  words: str,
  before: Profile,
  now: Profile,
  earlier: Sequence[Sequence[Change]],
  least: float,
  only: Sequence[str],
) -> Compared:
  past: dict[str, list[float]] = {}
  for changes in earlier:
    for change in changes:
      past.setdefault(change.feature, []).append(change.excess)
  bounded = comparing.changes(before, now, past=past, least=least, only=only)
  quiet = {change.feature for change in bounded if not change.drifted}
  alone = comparing.changes(before, now, past={}, least=least, only=only)
  return Compared(
    about=about,
    words=words,
    changes=tuple(bounded),
    lasting=tuple(each for each in alone if each.drifted and each.feature in quiet),
  )
