"""Compares the requests of a window with what was trained on, and answers with those of others."""

from __future__ import annotations

import dataclasses
import itertools
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
    renewed: features of answers that differ from those of the window before, which another version
      gave, and are as the version that gave them answered to eval.
  """

  about: str
  words: str
  changes: tuple[Change, ...]
  lasting: tuple[Change, ...] = ()
  returned: tuple[Change, ...] = ()
  renewed: tuple[Change, ...] = ()

  @property
  def drifted(self) -> tuple[Change, ...]:
    """The features that have changed."""
    return tuple(change for change in self.changes if change.drifted)


def answering(now: Window, served: Served) -> int:
  """Returns the version whose answers are compared with those to its eval.

  It is the newest one, unless it gave too few and what gave most says what it answered to eval:
  servers need a while to load a version, and of a canary they may ask little.
  """
  main = now.main_version
  has_enough = now.versions[served.version] >= min(FEWEST_ROWS, now.rows)
  if has_enough or main is None or served.profile_of(main) is None:
    return served.version
  return main


def with_version(
  profile: Profile, now: Window, before: Sequence[Window], served: Served, least: float
) -> list[Compared]:
  """Compares requests with train, and answers with those to eval.

  The past of the answers are those of earlier windows, each compared with what the version that
  gave them answered to its eval: a new version begins with the past of the traffic.
  """
  requests = _compared(
    REQUESTS,
    f"requests differ from the data of version {served.version}",
    profile,
    now.profile(),
    [
      comparing.changes(profile, each.profile(), past={}, least=least, only=_INPUTS)
      for each in before
      if each.rows >= FEWEST_ROWS
    ],
    least,
    _INPUTS,
  )
  version = answering(now, served)
  answers = _compared(
    ANSWERS,
    f"answers differ from the answers to eval of version {version}",
    served.profile_of(version) or profile,
    now.profile(version),
    [_against_eval(each, served, least) for each in before],
    least,
    _ANSWERS,
  )
  return [each for each in (requests, answers) if each.changes]


def _against_eval(window: Window, served: Served, least: float) -> list[Change]:
  """Compares the answers of a window with those to eval of the version that gave most of them."""
  version = window.main_version
  if version is None or window.versions[version] < FEWEST_ROWS:
    return []
  evaluated = served.profile_of(version)
  if evaluated is None:
    return []
  return comparing.changes(evaluated, window.profile(version), past={}, least=least, only=_ANSWERS)


def with_before(
  profile: Profile,
  now: Window,
  before: Sequence[Window],
  served: Served,
  least: float,
  answers: Compared | None,
) -> list[Compared]:
  """Compares answers with those of the window before: of the same version, as far as there is one.

  If another version gave those of the window before, answers differ because models do. Of these
  the answers of the new one to eval say what is to be expected.

  Args:
    profile: that of the served version.
    now: the watched window.
    before: those before it, the latest first.
    served: the served version.
    least: the smallest divergence that counts as a change, in bits.
    answers: those of now, compared with those to eval; None if they could not be.
  """
  last = before[0] if before else None
  if last is None or last.rows < FEWEST_ROWS:
    return []
  earlier = [
    comparing.changes(b.profile(same), a.profile(same), past={}, least=least, only=_ANSWERS)
    for a, b in itertools.pairwise(before)
    if (same := _in_both(a, b)) is not None
  ]
  same = _in_both(now, last)
  words = "answers differ from those of the window before"
  version = same
  if same is None:
    others = ", ".join(map(str, sorted(last.versions)))
    words = f"{words}, which version {others} gave"
    new = answering(now, served)
    version = new if now.versions[new] else None
  elif len({*now.versions, *last.versions}) > 1:
    words = f"{words}, of version {same} alone"
  found = _compared(
    BEFORE, words, last.profile(same), now.profile(version), earlier, least, _ANSWERS
  )
  if same is None:
    found = _without(found, _as_to_eval(found, answers), "renewed")
  else:
    found = _without(found, _usual_again(profile, now, last, served, same, least), "returned")
  return [found] if found.changes else []


def _in_both(now: Window, before: Window) -> int | None:
  """Returns the version of which both windows have most answers; None if they have too few."""
  enough = {
    version: min(rows, before.versions[version])
    for version, rows in now.versions.items()
    if rows >= min(FEWEST_ROWS, now.rows) and before.versions[version] >= FEWEST_ROWS
  }
  return max(enough, key=lambda version: (enough[version], version), default=None)


def _as_to_eval(found: Compared, answers: Compared | None) -> set[str]:
  """Returns features of a new version that are as those to its eval, as far as that can be told.

  From few rows of eval hardly anything differs beyond chance: they explain no change that is too
  small to be seen beside them.
  """
  if answers is None:
    return set()
  seen = {change.feature: change.value for change in found.changes}
  return {
    change.feature
    for change in answers.changes
    if not change.drifted and change.bound < seen.get(change.feature, 0.0)
  }


def _usual_again(
  profile: Profile, now: Window, before: Window, served: Served, version: int, least: float
) -> set[str]:
  """Returns features whose answers are as to eval, and in the window before were not.

  Or could not be, because its requests were not like the data, and those of now are.
  """

  def drifted(
    reference: Profile | None, window: Window, only: Sequence[str], by: int | None
  ) -> dict[str, bool]:
    if reference is None:
      return {}
    changes = comparing.changes(reference, window.profile(by), past={}, least=least, only=only)
    return {change.feature: change.drifted for change in changes}

  evaluated = served.profile_of(version)
  then, at_last = (drifted(evaluated, each, _ANSWERS, version) for each in (before, now))
  strange, ordinary = (drifted(profile, each, _INPUTS, None) for each in (before, now))
  is_over = any(strange.values()) and bool(ordinary) and not any(ordinary.values())
  return {name for name, changed in at_last.items() if not changed and (is_over or then.get(name))}


def _without(found: Compared, explained: Collection[str], how: str) -> Compared:
  """Takes changed features that are explained for no change; `how` is the field that has them."""
  told = [change for change in found.drifted if change.feature in explained]
  quiet = dataclasses.replace(
    found,
    changes=tuple(
      dataclasses.replace(each, drifted=False) if each in told else each for each in found.changes
    ),
    lasting=tuple(each for each in found.lasting if each.feature not in explained),
  )
  return dataclasses.replace(quiet, **{how: tuple(told)})  # type: ignore[arg-type]


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
