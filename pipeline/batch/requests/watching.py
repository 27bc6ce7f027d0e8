"""Compares logged requests with what the served version learnt from, and answers with others."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

from pipeline.batch.requests import windows
from pipeline.batch.requests.compared import (
  ANSWERS,
  BEFORE,
  FEWEST_ROWS,
  REQUESTS,
  Compared,
  answering,
  with_before,
  with_version,
)
from pipeline.batch.requests.reading import LoggedRow
from pipeline.batch.requests.windows import Window
from pipeline.batch.requests.writing import named
from pipeline.drift import comparing, novel
from pipeline.drift.measuring import Kind, Measure, Row, main_output
from pipeline.drift.profile import Profile
from pipeline.drift.served import Served
from pipeline.drift.verdict import Example
from pipeline.problems import intervals
from pipeline.problems.intervals import Interval


@dataclasses.dataclass(frozen=True, kw_only=True)
class Live:
  """How many answers are right, of the requests whose label is known.

  Attributes:
    rows: such requests.
    accuracy: the share that is right.
    interval: its 95 % interval.
    expected: the accuracy on eval, and its interval; None if the model card has none.
  """

  rows: int
  accuracy: float
  interval: Interval
  expected: tuple[float, Interval] | None

  @property
  def is_worse(self) -> bool:
    """Whether the interval is below that of eval: chance does not explain the difference."""
    return self.expected is not None and self.interval[1] < self.expected[1][0]

  @property
  def sentence(self) -> str:
    """The accuracy in words."""
    low, high = self.interval
    said = f"live accuracy {self.accuracy:.3g} of {self.rows:,} labelled ({low:.3g} to {high:.3g})"
    if self.expected is None:
      return said
    value, (least, most) = self.expected
    return f"{said}; on eval {value:.3g} ({least:.3g} to {most:.3g})"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Watched:
  """What became of the requests in a window.

  Attributes:
    version: the version they are compared with.
    since: the first second of the window, in seconds since 1970.
    until: the first second after it.
    requests: sampled rows in it that were answered.
    refused: logged requests that were refused.
    compared: the comparisons.
    live: the live accuracy; None without labels.
    examples: rows of what is new.
    notes: sentences on what could not be compared, and why.
  """

  version: int
  since: float
  until: float
  requests: int
  refused: int
  compared: tuple[Compared, ...]
  live: Live | None = None
  examples: tuple[Example, ...] = ()
  notes: tuple[str, ...] = ()

  @property
  def alarms(self) -> list[str]:
    """A sentence for each change."""
    said = [f"{each.words}: {change.sentence}" for each in self.compared for change in each.drifted]
    if self.live is not None and self.live.is_worse:
      said.append(self.live.sentence)
    return said


@dataclasses.dataclass(frozen=True, kw_only=True)
class Truth:
  """What the labels are compared with.

  Attributes:
    labels: by the id of a row, or the caller's of a request with one row.
    expected: the accuracy on eval and its interval; None if nothing says.
  """

  labels: Mapping[str, str] = dataclasses.field(default_factory=dict)
  expected: tuple[float, Interval] | None = None


def watch(
  read: Callable[[], Iterator[LoggedRow]],
  served: Served,
  kind: Kind,
  *,
  since: float,
  until: float,
  least: float,
  truth: Truth,
) -> Watched:
  """Watches the requests of a window.

  Args:
    read: yields the rows of the log, each time it is called.
    served: the version, with its profile, that they are compared with.
    kind: what the rows are.
    since: the first second of the window.
    until: the first second after it.
    least: the smallest divergence that counts as a change, in bits.
    truth: labels that are known by now.
  """
  profile = served.profile or Profile(rows=0, numbers={}, names={})
  measure = Measure(kind, known=profile.words.counts if profile.words is not None else None)
  counted = _Accuracy(truth)
  found = windows.windows(
    read(), measure, since=since, until=until, most=kind.most_rows, look=counted.add
  )
  now, *before = found
  notes = [] if served.profile else [_no_profile(served)]
  compared = [] if served.profile is None else with_version(profile, now, before, served, least)
  answers = next((each for each in compared if each.about == ANSWERS), None)
  compared += with_before(profile, now, before, served, least, answers)
  if shown := comparing.power(len(now.entries), profile.rows, least=least, noun="requests"):
    notes.append(shown)
  notes += _not_compared({each.about for each in compared}, served, now, before[0])
  if len(now.versions) > 1:
    shown = ", ".join(f"{n} ({rows:,} rows)" for n, rows in sorted(now.versions.items()))
    notes.append(f"Several versions answered: {shown}.")
  return Watched(
    version=served.version,
    since=since,
    until=until,
    requests=now.rows,
    refused=now.refused,
    compared=tuple(compared),
    live=counted.live(),
    examples=_examples(read, measure, kind, compared, profile, now),
    notes=tuple(notes),
  )


def _no_profile(served: Served) -> str:
  return (
    f"Version {served.version} has no {Profile.FILE}, which says what it was trained on: its "
    "answers are compared with those before only."
  )


def _not_compared(
  compared: Collection[str], served: Served, now: Window, before: Window
) -> Iterator[str]:
  """Yields a sentence on each comparison that could not be made."""
  if not now.rows:
    return
  if served.profile is not None and REQUESTS not in compared:
    yield (
      f"The requests are not compared with the data of version {served.version}: their inputs are "
      "not logged."
    )
  if served.profile is not None and ANSWERS not in compared:
    others = ", ".join(map(str, sorted(now.versions)))
    why = (
      f"they are of version {others}"
      if served.version not in now.versions
      else "they are not logged, or nothing says what it answered to eval"
    )
    yield f"The answers are not compared with those to eval of version {served.version}: {why}."
  if ANSWERS in compared and (version := answering(now, served)) != served.version:
    yield (f"Version {version} gave most answers: they are compared with those to its own eval.")
  if BEFORE not in compared:
    yield (
      "The window before has no answers to compare with."
      if before.rows < FEWEST_ROWS
      else "The answers are not compared with those of the window before: they are not logged."
    )


class _Accuracy:
  """Counts right answers of the random part, as rows are shown."""

  def __init__(self, truth: Truth):
    self._truth = truth
    # By the name that has a label, by input: whether each answer is right.
    self._right: dict[str, dict[bytes | str, list[bool]]] = {}

  def add(self, row: LoggedRow) -> None:
    if not self._truth.labels or row.why not in windows.SAMPLED or not row.answer:
      return
    name, main = named(row, self._truth.labels), main_output(row.answer)
    if name is not None and main is not None:
      of_input = self._right.setdefault(name, {}).setdefault(
        row.value if row.value is not None else row.id, []
      )
      of_input.append(str(row.answer[main]) == self._truth.labels[name])

  def live(self) -> Live | None:
    # A name of a caller's for different inputs says which label is whose of none.
    alone = [some for some in self._right.values() if len(some) == 1]
    right = [each for some in alone for answers in some.values() for each in answers]
    if not right:
      return None
    return Live(
      rows=len(right),
      accuracy=sum(right) / len(right),
      interval=intervals.share(sum(right), len(right)),
      expected=self._truth.expected,
    )


def _examples(
  read: Callable[[], Iterator[LoggedRow]],
  measure: Measure,
  kind: Kind,
  compared: Sequence[Compared],
  profile: Profile,
  now: Window,
) -> tuple[Example, ...]:
  """Picks rows of what is new in the requests; reads the log again for what was not kept."""
  changes = [change for each in compared if each.about == REQUESTS for change in each.drifted]
  if not changes:
    return ()
  kept = {entry.id for entry in now.entries}

  def rows() -> Iterator[tuple[str, str, Row]]:
    for row in read():
      if row.id in kept and now.since <= row.at < now.until:
        yield row.id, "", Row(value=row.value, answer=row.answer)

  return novel.examples(rows(), measure, changes, profile, now.profile(), is_text=kind.is_text)


def as_json(found: Watched) -> dict[str, Any]:
  """Returns what was found as JSON."""
  return {
    "version": found.version,
    "since": found.since,
    "until": found.until,
    "requests": found.requests,
    "refused": found.refused,
    "alarms": found.alarms,
    "changes": [
      {
        "about": each.about,
        "feature": change.feature,
        "sentence": change.sentence,
        "value": change.value,
        "bound": change.bound,
        "drifted": change.drifted,
        "lasting": change.feature in {lasting.feature for lasting in each.lasting},
        "returned": change.feature in {returned.feature for returned in each.returned},
        "renewed": change.feature in {renewed.feature for renewed in each.renewed},
      }
      for each in found.compared
      for change in each.changes
    ],
    "live": None
    if found.live is None
    else {
      "rows": found.live.rows,
      "accuracy": found.live.accuracy,
      "interval": found.live.interval,
      "eval": found.live.expected[0] if found.live.expected is not None else None,
    },
    "examples": [
      {"id": each.origin, "why": list(each.why), "text": each.text} for each in found.examples
    ],
    "notes": list(found.notes),
  }
