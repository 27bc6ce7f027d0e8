"""What goes wrong in the year of `year.py`: 28 events, each with the words that name it.

An event is planted before the night of its day, as the world would do it, and found if what the
product says on that day has all of its words. They are more than that something is wrong: which
day, class, word, version or process.
"""

from __future__ import annotations

import csv
import dataclasses
import functools
import os
import random
import re
import shutil
from collections.abc import Callable, Sequence

import year_by_hand
from year_servers import Servers
from year_world import DATA, Row, World

_FRENCH = "le service était vraiment très agréable dans cette petite ville où nous avons dîné avec"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Event:
  """Something that goes wrong.

  Attributes:
    name: what it is.
    day: the day of the month.
    channel: `data`: the night's run says it; `requests`: `dlpipe watch` does; `operations`: what
      `act` returns does.
    names: regular expressions that must all be found in what is said; `{day}` is the span's name.
    plant: writes the day's data, or what else the night is to find.
    asked: makes the day's requests of ordinary ones.
    act: does something by hand, before the night; returns what the product said of it.
    trains: whether the night trains.
    settings: of the night beside those of always.
    mended: whether the day's data come right the next morning.
  """

  name: str
  day: int
  channel: str
  names: Sequence[str]
  plant: Callable[[World, int], object] | None = None
  asked: Callable[[list[Row]], list[Row]] | None = None
  act: Callable[[World, Servers, int], str] | None = None
  trains: bool = False
  settings: Sequence[str] = ()
  mended: bool = True

  def is_named(self, said: str, world: World, day: int) -> bool:
    """Returns whether what was said has all of the event's words."""
    names = {"{day}": world.name(day), "{before}": world.name(day - 2)}
    wanted = [
      functools.reduce(lambda said, name: said.replace(name, names[name]), names, each)
      for each in self.names
    ]
    return all(re.search(each, said, re.IGNORECASE | re.DOTALL) for each in wanted)


def events() -> list[Event]:
  """Returns the events of a month; days without one are quiet."""
  data = functools.partial(Event, channel="data")
  requests = functools.partial(Event, channel="requests")
  by_hand = functools.partial(Event, channel="operations")
  return [
    data(name="an empty day", day=5, names=["Spans without a row: {day}"], plant=_empty),
    data(
      name="a day of a tenth of its usual size",
      day=6,
      names=["smaller than usual[^\n]*: {day}"],
      plant=_rows(lambda rows: rows[: len(rows) // 10]),
    ),
    by_hand(
      name="kill -9 of a server",
      day=6,
      names=["was left unfinished: \\d+ records are kept"],
      act=year_by_hand.kill_server,
    ),
    requests(
      name="requests with other words",
      day=7,
      names=["Changed: requests differ[^\n]*unknown words"],
      asked=_renamed,
    ),
    by_hand(
      name="a promoted version is rolled back",
      day=9,
      names=['"how": "rolled_back", "rollback_of": \\d+', "wrong on Mondays"],
      act=year_by_hand.roll_back,
    ),
    data(name="a day missing", day=10, names=["Missing spans: [^.]*{day}"], plant=_missing),
    data(name="a day twice", day=11, names=["{day} holds the bytes of"], plant=_twice),
    requests(
      name="requests of a kind never trained",
      day=11,
      names=["Changed: requests differ[^\n]*(script|language|length)"],
      asked=_code,
    ),
    data(
      name="a broken exporter: an empty column",
      day=13,
      names=["too much cannot be used: {day}", "the text is empty"],
      plant=_rows(lambda rows: [("", label) for _, label in rows]),
    ),
    data(name="a broken exporter: a page of HTML", day=14, names=["{day}", "HTML"], plant=_html),
    data(
      name="a worse model",
      day=15,
      names=["The model was refused", "accuracy is 0[.\\d]+, must be"],
      trains=True,
      settings=("model.max_words=2",),
    ),
    data(
      name="a broken exporter: a file cut off",
      day=16,
      names=["1 file may be cut off", "{day}/reviews.csv, row \\d+", "ends within this row"],
      plant=_cut_off,
    ),
    by_hand(
      name="the store down for an hour",
      day=16,
      names=["http://", "the connection failed", "Connection refused"],
      act=year_by_hand.store_down,
    ),
    data(
      name="label mix 40/40/20 to 90/5/5",
      day=17,
      names=["The data of span {day} differ", "label mix: good"],
      plant=lambda w, d: w.write(
        d, w.texts.rows(("mix", d), DATA, shares={"good": 0.9, "bad": 0.05, "mixed": 0.05})
      ),
    ),
    by_hand(
      name="a served file damaged",
      day=17,
      names=['"files": "changed"', "damaged"],
      act=year_by_hand.damage_version,
    ),
    data(
      name="a new class",
      day=18,
      names=["The data of span {day} differ", "new: question"],
      plant=lambda w, d: w.write(
        d,
        w.texts.rows(
          ("new", d), DATA, shares={"good": 0.35, "bad": 0.35, "mixed": 0.15, "question": 0.15}
        ),
      ),
    ),
    by_hand(
      name="the clock back by an hour",
      day=18,
      names=["The clock is wrong", "0:\\d\\d:\\d\\d later"],
      act=year_by_hand.set_clock_back,
    ),
    data(
      name="a class gone",
      day=19,
      names=["The data of span {day} differ", "gone: mixed"],
      plant=lambda w, d: w.write(
        d, w.texts.rows(("gone", d), DATA, shares={"good": 0.5, "bad": 0.5})
      ),
    ),
    by_hand(
      name="kill -9 of a run",
      day=19,
      names=['"runs": \\[{[^}]*"state": "unfinished"'],
      act=year_by_hand.kill_run,
    ),
    data(
      name="new vocabulary",
      day=21,
      names=["The data of span {day} differ", "unknown words: 0 %"],
      plant=_rows(lambda rows: _renamed(rows)),
    ),
    by_hand(
      name="kill -9 of a node",
      day=21,
      names=["process of \\w+ was killed by signal 9"],
      act=year_by_hand.kill_node,
    ),
    data(
      name="a wrong language",
      day=23,
      names=["The data of span {day} differ", "language: en -> fr"],
      plant=_rows(_in_french),
    ),
    data(
      name="an earlier day corrected, well",
      day=24,
      names=["Corrected since they were read: [^.]*{before}"],
      plant=lambda w, d: w.write(d - 2, w.usual(d - 2)[3:]),
      mended=False,
    ),
    data(
      name="an earlier day corrected, wrongly",
      day=25,
      names=["The data of span {before}[^\n]*corrected", "unknown words: 0 %"],
      plant=lambda w, d: w.write(d - 2, _renamed(w.usual(d - 2))),
    ),
    data(
      name="label noise of 20 %",
      day=26,
      names=["Of span {day} the model has", "its labels may be wrong"],
      plant=_rows(functools.partial(_noisy, part=0.2)),
      trains=True,
    ),
    data(
      name="a poisoned day: good is called bad",
      day=27,
      names=["Of span {day} the model has", "its labels may be wrong"],
      plant=_rows(functools.partial(_noisy, part=1.0)),
      trains=True,
    ),
    by_hand(
      name="a full disk",
      day=28,
      names=["\\w+ failed: no space is left on a disk"],
      act=year_by_hand.fill_disk,
    ),
    by_hand(
      name="dark pictures",
      day=29,
      names=["The data of span {day} differ", "brightness"],
      act=year_by_hand.darken_pictures,
    ),
  ]


def _rows(change: Callable[[list[Row]], list[Row]]) -> Callable[[World, int], object]:
  return lambda world, day: world.write(day, change(world.usual(day)))


def _empty(world: World, day: int) -> None:
  (world.folder(day) / "reviews.csv").write_text("text,label\n")


def _missing(world: World, day: int) -> None:
  shutil.rmtree(world.folder(day))


def _twice(world: World, day: int) -> None:
  shutil.copyfile(world.folder(day - 1) / "reviews.csv", world.folder(day) / "reviews.csv")


def _html(world: World, day: int) -> None:
  (world.folder(day) / "reviews.csv").write_text(
    "<!DOCTYPE html>\n<html><head><title>Sign in</title></head>\n<body>Please</body></html>\n"
  )


def _cut_off(world: World, day: int) -> None:
  """Cuts within a quoted field, as a copy that breaks off does."""
  path = world.folder(day) / "reviews.csv"
  with path.open("w", newline="", encoding="utf-8") as file:
    csv.writer(file, quoting=csv.QUOTE_ALL).writerows([("text", "label"), *world.usual(day)])
  os.truncate(path, path.stat().st_size * 6 // 10)
  with path.open("rb+") as binary:
    content = binary.read()
    binary.truncate(content.rindex(b'"The ') + 20)


def _renamed(rows: list[Row]) -> list[Row]:
  """Half of the usual words become others; those that tell the class stay."""

  def other(number: int, word: str) -> str:
    return f"{word[::-1]}ix" if number % 2 and word.islower() else word

  return [(" ".join(other(n, w) for n, w in enumerate(t.split())), label) for t, label in rows]


def _in_french(rows: list[Row]) -> list[Row]:
  draw = random.Random(1)
  words = _FRENCH.split()
  return [
    (" ".join(draw.choices(words, k=12)) + f" {n}", label) for n, (_, label) in enumerate(rows)
  ]


def _code(rows: list[Row]) -> list[Row]:
  return [
    (f"SELECT id_{n}, name FROM orders_{n % 7} WHERE total > {n * 3} ORDER BY id_{n};" * 3, label)
    for n, (_, label) in enumerate(rows)
  ]


def _noisy(rows: list[Row], part: float) -> list[Row]:
  draw = random.Random(2)
  other = {"good": "bad", "bad": "good", "mixed": "mixed"}
  if part < 1:
    other = {"good": "bad", "bad": "mixed", "mixed": "good"}
  return [(text, other[label] if draw.random() < part else label) for text, label in rows]
