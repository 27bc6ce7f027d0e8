"""A year in production: what goes wrong in it, and whether somebody would have known that day.

    python benchmarks/year.py --days 30
    python benchmarks/year.py --events "a new class,full disk"    # these days alone

Each night a span of texts arrives and `dlpipe run` reads it; each week, and when an event is about
the model, it trains, and what passes is promoted after a replay of yesterday's requests. Two
servers are asked all the time; the first logs, `dlpipe watch` reads its log, and labels that come
three days later are joined into a span. `keep.runs` and the log's retention clean. Runs and
commands work in this process with the tiny model without readers, servers and what is killed in
their own; the log has the time of the calendar, which ends yesterday.

Prints, in Markdown and as JSON (--output), for each event of `year_events.py` whether it was found
and named on its day, whether anything wrong was live, whether requests failed, and the alarms on
quiet days. With --keep, a calendar that was interrupted goes on after its last whole day. Needs
`unshare` for the full disk.
"""

from __future__ import annotations

import argparse
import collections
import csv
import dataclasses
import json
import pathlib
import resource
import signal
import sys
import tempfile
import time
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from year_events import Event, events
from year_servers import Servers, end_day
from year_world import REQUESTS, TASK, WINDOW, Told, World

_MONTH = 30
_TRAINED = (1, 8, 15, 22, 29)  # days of a month on which the night trains
_LATE = 3  # days until labels come
_MOST_FLIPS = "0.15"
_NOT_DONE = "It could not be carried out"
# A model that is worse on ordinary texts is wrong to be live.
_LEAST_RIGHT = 0.8


@dataclasses.dataclass
class Day:
  """What a day came to."""

  number: int
  said: dict[str, str] = dataclasses.field(default_factory=dict)
  alarms: list[str] = dataclasses.field(default_factory=list)
  live: int | None = None
  right: float = 1.0
  asked: int = 0
  failed: int = 0
  mb: float = 0.0
  cpu_s: float = 0.0


class Year:
  """The calendar: carries out a day after the other."""

  def __init__(self, world: World, planned: list[Event], *, only: bool):
    self._world, self._planned, self._only = world, planned, only
    self._written = world.place / "days.jsonl"
    lines = self._written.read_text("utf-8").splitlines() if self._written.exists() else []
    self.days = [Day(**json.loads(line)) for line in lines]

  def run(self) -> list[str]:
    """Carries out the days that are to come; returns the requests that failed in them."""
    world = self._world
    began = _cpu_s()
    if not self.days:
      first = Day(1)
      world.write(1, world.usual(1))
      self._night(first, trains=True, settings=())
    with Servers(world) as servers:
      if not self.days:
        self._requests(first, servers, [])
        self._end(first, servers, began)
      for number in range(self.days[-1].number + 1, world.days + 1):
        for each in self.events(number - 1):
          if each.mended and each.plant is not None:
            for spoilt in range(number - 3, number):
              world.write(spoilt, world.usual(spoilt))
        world.write(number, world.usual(number))
        if self.events(number) or not self._only:
          self._day(Day(number), servers)
    return servers.failures

  def events(self, day: int) -> list[Event]:
    """Returns what goes wrong on a day."""
    return [each for each in self._planned if each.day == _in_month(day)]

  @property
  def rows(self) -> list[dict[str, object]]:
    """What became of each event."""
    found = []
    for day in self.days:
      for each in self.events(day.number):
        said = day.said.get(each.name if each.channel == "operations" else each.channel, "")
        is_named = each.is_named(said, self._world, day.number)
        found.append(
          {
            "day": day.number,
            "event": each.name,
            "found_and_named": is_named and not said.startswith(_NOT_DONE),
            "wrong_live": day.right < _LEAST_RIGHT,
            "failed": day.failed,
            "said": said[-3000:],
          }
        )
    return found

  @property
  def quiet(self) -> list[Day]:
    """The days on which nothing goes wrong."""
    return [day for day in self.days if not self.events(day.number)]

  def _day(self, day: Day, servers: Servers) -> None:
    world, number = self._world, day.number
    today = self.events(number)
    began = _cpu_s()
    self._join(day, with_data=not any(each.plant for each in today))
    for each in today:
      if each.plant is not None:
        each.plant(world, number)
    for each in today:
      if each.act is not None:
        day.said[each.name] = _acted(each, world, servers, number)
    trains = any(e.trains for e in today) or (_in_month(number) in _TRAINED and not self._only)
    self._night(day, trains=trains, settings=[s for e in today for s in e.settings])
    try:
      self._requests(day, servers, today)
    except Exception:  # a command that breaks is no reason to leave out the rest of the year
      day.alarms.append(traceback.format_exc())
    self._end(day, servers, began)

  def _night(self, day: Day, *, trains: bool, settings: object) -> None:
    world = self._world
    world.clock.set(world.moment(day.number + 0.1))
    told = world.run(day.number, *settings, until=None if trains else "DriftGate")  # type: ignore[misc]
    day.said["data"] = told.said
    day.alarms += told.alarms
    if trains and told.code == 0:
      day.said["data"] += self._promote(day)

  def _promote(self, day: Day) -> str:
    world = self._world
    first = (
      [] if day.number == 1 else ["--max-flips", _MOST_FLIPS, "--since", world.name(day.number - 1)]
    )
    told = world.ask("promote", TASK, *first, "--reason", "the weekly one")
    if told.code != 0:
      day.alarms.append(_last_line(told))
    return f"\n{told.said}"

  def _requests(self, day: Day, servers: Servers, today: list[Event]) -> None:
    """Asks the day's requests, and watches them."""
    world, number = self._world, day.number
    world.clock.set(world.moment(number + 0.5))
    rows = world.texts.rows(("requests", number), REQUESTS)
    sent = next((each.asked(rows) for each in today if each.asked is not None), rows)
    answers = [servers.ask(text, f"{number}-{n}") for n, (text, _) in enumerate(sent)]
    asked = rows if sent is rows else world.texts.rows(("live", number), REQUESTS)
    if sent is rows:
      _write_labels(_labels(world, number), number, [label for _, label in rows])
    else:
      answers = [servers.ask(text, first=1) for text, _ in asked]
    right = [answer == label for answer, (_, label) in zip(answers, asked, strict=True)]
    day.right = sum(right) / len(right)
    end_day(world, number, f"{number}-{len(sent) - 1}")
    watched = world.ask(
      "watch", TASK, "--since", world.name(number), "--until", world.name(number + 1)
    )
    day.said["requests"] = watched.said.partition("\n{")[0]  # the JSON has quiet features, too
    if watched.code != 0:
      day.alarms += watched.json["alarms"] if watched.json else [watched.said]

  def _join(self, day: Day, *, with_data: bool) -> None:
    """Joins labels that came late into the day's span, and asks how many answers were right."""
    world = self._world
    labels = _labels(world, day.number - _LATE)
    if not labels.exists() or not with_data or self._only:
      return
    target = world.folder(day.number) / "requests.csv"
    target.unlink(missing_ok=True)  # of a day that was interrupted
    joined = world.ask("log", "join", TASK, "--labels", str(labels), "-o", str(target))
    of = world.name(day.number - _LATE), world.name(day.number - _LATE + 1)
    told = world.ask("watch", TASK, "--since", of[0], "--until", of[1], "--labels", str(labels))
    live = (told.json or {}).get("live") or {}
    if joined.code or not joined.json["rows"] or live.get("rows") != joined.json["rows"]:
      day.alarms.append(f"{_last_line(joined)} {live}")

  def _end(self, day: Day, servers: Servers, began: float) -> None:
    """Writes a day down; `began` is the CPU seconds of before it."""
    world = self._world
    day.live = max((int(p.name) for p in world.serving.iterdir() if p.name.isdigit()), default=None)
    day.mb, day.cpu_s = round(world.size_mb(), 2), round(_cpu_s() - began, 1)
    day.asked, day.failed = servers.counted()
    self.days.append(day)
    with self._written.open("a", encoding="utf-8") as file:
      file.write(f"{json.dumps(dataclasses.asdict(day))}\n")
    for row in self.rows:
      if row["day"] == day.number:
        named = "named" if row["found_and_named"] else "NOT NAMED"
        print(f"day {day.number}: {row['event']}: {named}", file=sys.stderr)
    print(
      f"day {day.number}: live {day.live}, right {day.right:.2f}, {day.mb} MB, {day.cpu_s} CPU s"
      f"{'' if self.events(day.number) else f', quiet: {day.alarms}'}",
      file=sys.stderr,
      flush=True,
    )


def _acted(event: Event, world: World, servers: Servers, day: int) -> str:
  assert event.act is not None
  try:
    return event.act(world, servers, day)
  except Exception:  # an event that cannot be carried out is none that was found
    return f"{_NOT_DONE}: {traceback.format_exc()}"


def _labels(world: World, day: int) -> pathlib.Path:
  return world.place / f"labels-{day}.csv"


def _write_labels(path: pathlib.Path, day: int, labels: list[str]) -> None:
  with path.open("w", newline="", encoding="utf-8") as file:
    csv.writer(file).writerows(
      [("id", "label"), *((f"{day}-{n}", x) for n, x in enumerate(labels))]
    )


def _last_line(told: Told) -> str:
  return next((line for line in reversed(told.said.splitlines()) if line.strip()), str(told.code))


def _in_month(day: int) -> int:
  return (day - 1) % _MONTH + 1


def _cpu_s() -> float:
  used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
  return sum(each.ru_utime + each.ru_stime for each in used)


def _table(year: Year) -> str:
  by_name: dict[str, list[dict[str, object]]] = collections.defaultdict(list)
  for row in year.rows:
    by_name[str(row["event"])].append(row)
  lines = [
    "| event | day | found and named | wrong live | requests failed |",
    "|---|---|---|---|---|",
  ]
  for name, rows in by_name.items():
    named = sum(bool(row["found_and_named"]) for row in rows)
    shown = ("yes" if named else "**no**") if len(rows) == 1 else f"{named} of {len(rows)}"
    wrong = sum(bool(row["wrong_live"]) for row in rows) or "no"
    failed = sum(int(str(row["failed"])) for row in rows) or "none"
    lines.append(f"| {name} | {rows[0]['day']} | {shown} | {wrong} | {failed} |")
  alarmed = [day for day in year.quiet if day.alarms]
  named = sum(bool(row["found_and_named"]) for row in year.rows)
  sizes = ", ".join(
    f"{d.mb:g} (day {d.number})" for d in year.days if d.number in (1, WINDOW) or not d.number % 10
  )
  lines += [
    "",
    f"Named on their day: {named} of {len(year.rows)}.",
    f"Quiet days with an alarm: {len(alarmed)} of {len(year.quiet)}.",
    f"Requests: {sum(d.asked for d in year.days):,}, failed {sum(d.failed for d in year.days)}.",
    f"Ordinary texts answered right, worst day: {min(day.right for day in year.days):.2f}.",
    f"MB of the workspace: {sizes}. CPU seconds: {sum(day.cpu_s for day in year.days):.0f}.",
  ]
  return "\n".join(lines)


def main() -> None:
  """Runs the calendar; prints the table."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("--days", type=int, default=_MONTH)
  parser.add_argument("--events", help="parts of the names of events, with commas: these alone")
  parser.add_argument("--output", type=pathlib.Path, help="where to write all as JSON")
  parser.add_argument(
    "--keep", type=pathlib.Path, help="work in this folder and leave it; goes on with what is there"
  )
  given = parser.parse_args()
  planned = events()
  if given.events:
    parts = given.events.split(",")
    planned = [each for each in planned if any(part in each.name for part in parts)]
  began = time.perf_counter()
  signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the servers end, too
  with tempfile.TemporaryDirectory(prefix="dlpipe-year-") as scratch:
    place = given.keep or pathlib.Path(scratch)
    days = _MONTH if given.events else given.days
    year = Year(World(place, days), planned, only=bool(given.events))
    failures = year.run()
    print(_table(year))
    if given.output:
      found = {
        "events": year.rows,
        "days": [dataclasses.asdict(day) for day in year.days],
        "failures": failures,
        "seconds": round(time.perf_counter() - began),
      }
      given.output.write_text(json.dumps(found, indent=1), encoding="utf-8")


if __name__ == "__main__":
  main()
