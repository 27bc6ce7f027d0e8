"""How often `dlpipe watch` is wrong on ordinary days, and on days on which a new version is.

    python benchmarks/year_quiet.py --days 365

Each day 50 ordinary requests are asked, as in `year.py`; each week another version answers, surer
or less sure than the one before, as it answered to its own eval. All of that is drawn, nothing is
trained or served; what compares is what `dlpipe watch` calls. The same days are watched again with
versions that answer to requests otherwise than they did to eval: all answers of a class become
another's, or one in two is unsure. Takes about a CPU second a day.
"""

from __future__ import annotations

import argparse
import dataclasses
import pathlib
import random
import sys
from collections.abc import Callable, Iterator

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from year_world import DATA, DAY_S, REQUESTS, WINDOW, Row, Texts

from pipeline.batch.requests import watching, windows
from pipeline.batch.requests.reading import LoggedRow
from pipeline.batch.requests.watching import Truth
from pipeline.drift.measuring import Kind, Measure, with_unknown_words
from pipeline.drift.measuring import Row as Measured
from pipeline.drift.profile import Profile
from pipeline.drift.served import Served

_KIND = Kind(is_text=True, has_classes=True, has_one_class=True)
_WEEK = 7
_EVAL_PART = 0.1
Answer = dict[str, object]
Model = Callable[[random.Random, str], Answer]


@dataclasses.dataclass(frozen=True)
class Version:
  """A model that is drawn: how sure and how often right it is."""

  sureness: float
  right: float

  def answer(self, draw: random.Random, label: str) -> Answer:
    """Returns the answer to a text of a class."""
    said = label if draw.random() < self.right else draw.choice(("good", "bad", "mixed"))
    return {"label": said, "score": (1 + 2 * draw.betavariate(self.sureness, 1)) / 3}

  def one_class_less(self, draw: random.Random, label: str) -> Answer:
    """Returns an answer that is never `bad`."""
    found = self.answer(draw, label)
    return found | ({"label": "good"} if found["label"] == "bad" else {})

  def half_unsure(self, draw: random.Random, label: str) -> Answer:
    """Returns an answer that is unsure every other time."""
    found = self.answer(draw, label)
    return found | ({"score": draw.uniform(0.34, 0.5)} if draw.random() < 0.5 else {})


class Days:
  """The requests of each day, and the versions of each week."""

  def __init__(self) -> None:
    self._texts = Texts()
    self._profiles: dict[int, Profile] = {}

  def version(self, number: int) -> Version:
    """Returns the version of a week."""
    draw = random.Random(f"version {number}")
    return Version(sureness=2 ** draw.uniform(1, 6), right=draw.uniform(0.95, 1.0))

  def rows(self, day: int, how: str, *, only: int) -> Iterator[LoggedRow]:
    """Yields what is logged on a day; week `only` is answered in another way than to eval."""
    week = day // _WEEK
    version, draw = self.version(week), random.Random(f"answers {day}")
    answer: Model = getattr(version, how if week == only else "answer")
    for number, (text, label) in enumerate(self._texts.rows(("requests", day), REQUESTS)):
      yield LoggedRow(
        id=f"{day}-{number}",
        at=(day + number / REQUESTS) * DAY_S,
        version=week,
        value=text.encode(),
        why="sampled",
        answer=answer(draw, label),
      )

  def profile(self, week: int) -> Profile:
    """Returns what a version was trained on, and what it answered to eval."""
    if week not in self._profiles:
      trained = range(week * _WEEK - WINDOW, week * _WEEK)
      rows = [row for day in trained for row in self._texts.rows(("data", day), DATA)]
      held_out = int(len(rows) * _EVAL_PART)
      self._profiles[week] = _profile(rows[held_out:], rows[:held_out], self.version(week), week)
    return self._profiles[week]

  def alarms(self, day: int, how: str) -> list[str]:
    """Returns what `dlpipe watch` says of a day; its week answers in a way of `Version`."""
    week = day // _WEEK
    logged = [
      row
      for each in range(day - windows.MOST_BEFORE, day + 1)
      for row in self.rows(each, how, only=week)
    ]
    found = watching.watch(
      lambda: iter(logged),
      Served(version=week, profile=self.profile(week), others=self.profile),
      _KIND,
      since=day * DAY_S,
      until=(day + 1) * DAY_S,
      least=0.02,
      truth=Truth(),
    )
    return found.alarms


def _profile(train: list[Row], held_out: list[Row], version: Version, week: int) -> Profile:
  draw = random.Random(f"eval {week}")
  texts = [text.encode() for text, _ in train]
  inputs = Measure(_KIND).profile(Measured(value=text) for text in texts)
  assert inputs.words is not None
  inputs = with_unknown_words(inputs, texts, inputs.words.counts)
  answers = (Measured(answer=version.answer(draw, label)) for _, label in held_out)
  return inputs.also(Measure(_KIND).profile(answers))


def main() -> None:
  """Watches the days; prints how many have an alarm."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("--days", type=int, default=365)
  days, first = Days(), 3 * _WEEK  # with a whole past
  chosen = range(first, first + parser.parse_args().days)
  wrong = [(day, said) for day in chosen if (said := days.alarms(day, "answer"))]
  print(f"Ordinary days with an alarm: {len(wrong)} of {len(chosen)}")
  for day, said in wrong:
    print(f"  day {day} (day {day % _WEEK} of its version): {'; '.join(said)}")
  weeks = [day for day in chosen if not day % _WEEK]
  for how in ("one_class_less", "half_unsure"):
    found = sum(bool(days.alarms(day, how)) for day in weeks)
    words = f"{how.replace('_', ' ')} on requests, not on eval"
    print(f"New versions, {words}: found on their first day {found} of {len(weeks)}")


if __name__ == "__main__":
  main()
