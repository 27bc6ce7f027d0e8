"""What goes wrong in the year of `year.py`: 28 events, each with the words that name it.

An event is planted before the night of its day, as the world would do it, and found if what the
product says on that day has all of its words. They are more than that something is wrong: which
day, class, word, version or process.
"""

from __future__ import annotations

import csv
import dataclasses
import datetime
import functools
import http.server
import os
import pathlib
import random
import re
import shutil
import socketserver
import tempfile
import threading
import types
from collections.abc import Callable, Sequence
from unittest import mock

from year_servers import Servers
from year_world import (
  DATA,
  REQUESTS,
  SETTINGS,
  TASK,
  Row,
  Told,
  World,
  child_of,
  damage,
)
from year_world import killed as killed_at

# In a file system of its own with so little room: the workspace in $1, dlpipe's command after $3.
_ON_A_FULL_DISK = """
mount -t tmpfs -o size=1g tmpfs "$2" && cp -a "$1/." "$2/" || exit 99
used=$(df -k --output=used "$2" | tail -n 1)
mount -o remount,size=$((used + $3))k "$2"
shift 3
"$@"
"""
_LEFT_KB = 40
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
    data(name="an empty day", day=5, names=["{day}", "without a row"], plant=_empty),
    data(
      name="a day of a tenth of its usual size",
      day=6,
      names=["{day}", "smaller than usual"],
      plant=_rows(lambda rows: rows[: len(rows) // 10]),
    ),
    requests(
      name="requests with other words", day=7, names=["requests.*unknown words"], asked=_renamed
    ),
    by_hand(
      name="a promoted version is rolled back",
      day=9,
      names=["serves? version|is served again|rolled back", "rollback_of"],
      act=_roll_back,
    ),
    by_hand(name="kill -9 of a server", day=9, names=["left unfinished"], act=_kill_server),
    data(name="a day missing", day=10, names=["Missing spans: [^.]*{day}"], plant=_missing),
    data(name="a day twice", day=11, names=["{day} holds the bytes of"], plant=_twice),
    requests(
      name="requests of a kind never trained",
      day=11,
      names=["requests.*(script|language|length)"],
      asked=_code,
    ),
    data(
      name="a broken exporter: an empty column",
      day=13,
      names=["{day}", "text", "could not be used|cannot be used|quarantine"],
      plant=_rows(lambda rows: [("", label) for _, label in rows]),
    ),
    data(
      name="a broken exporter: a page of HTML", day=14, names=["{day}", "HTML|column"], plant=_html
    ),
    data(
      name="a worse model",
      day=15,
      names=["accuracy", "must be"],
      trains=True,
      settings=("model.max_words=2",),
    ),
    data(
      name="a broken exporter: a file cut off",
      day=16,
      names=["{day}", "never closed"],
      plant=_cut_off,
    ),
    by_hand(
      name="the store down for an hour", day=16, names=["http://", "refused"], act=_store_down
    ),
    data(
      name="label mix 40/40/20 to 90/5/5",
      day=17,
      names=["{day}", "label mix", "good"],
      plant=lambda w, d: w.write(
        d, w.texts.rows(("mix", d), DATA, shares={"good": 0.9, "bad": 0.05, "mixed": 0.05})
      ),
    ),
    by_hand(name="a served file damaged", day=17, names=["damaged"], act=_damage),
    data(
      name="a new class",
      day=18,
      names=["{day}", "question"],
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
      act=_clock_back,
    ),
    data(
      name="a class gone",
      day=19,
      names=["{day}", "mixed"],
      plant=lambda w, d: w.write(
        d, w.texts.rows(("gone", d), DATA, shares={"good": 0.5, "bad": 0.5})
      ),
    ),
    by_hand(name="kill -9 of a run", day=19, names=["unfinished"], act=_kill_run),
    data(
      name="new vocabulary",
      day=21,
      names=["{day}", "unknown words"],
      plant=_rows(lambda rows: _renamed(rows)),
    ),
    by_hand(
      name="kill -9 of a node",
      day=21,
      names=["process of \\w+ was killed by signal 9"],
      act=_kill_node,
    ),
    data(name="a wrong language", day=23, names=["{day}", "language"], plant=_rows(_in_french)),
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
      names=["{before}", "unknown words"],
      plant=lambda w, d: w.write(d - 2, _renamed(w.usual(d - 2))),
    ),
    data(
      name="label noise of 20 %",
      day=26,
      names=["{day}", "label"],
      plant=_rows(functools.partial(_noisy, part=0.2)),
      trains=True,
    ),
    data(
      name="a poisoned day: good is called bad",
      day=27,
      names=["{day}", "label"],
      plant=_rows(functools.partial(_noisy, part=1.0)),
      trains=True,
    ),
    by_hand(name="a full disk", day=28, names=["no space|full"], act=_full_disk),
    by_hand(name="dark pictures", day=29, names=["brightness"], act=_dark_pictures),
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


def _roll_back(world: World, servers: Servers, day: int) -> str:
  said = world.ask("rollback", TASK, "--reason", "wrong on Mondays").said
  return said + world.ask("status", TASK).said


def _kill_server(world: World, servers: Servers, day: int) -> str:
  """Kills the server that logs, in the middle of its requests; it is started again."""
  for number, (text, _) in enumerate(world.texts.rows(("kill", day), REQUESTS)):
    if number == REQUESTS // 2:
      servers.kill(0)
    servers.ask(text, f"killed-{day}-{number}")
  servers.start(0)
  servers.wait(0)
  return (world.place / "server0.log").read_text("utf-8")


def _store_down(world: World, servers: Servers, day: int) -> str:
  """Reads from a web server that is away, and an hour later is there."""
  served = world.place / "web"
  served.mkdir(exist_ok=True)
  with (served / "reviews.csv").open("w", newline="", encoding="utf-8") as file:
    csv.writer(file).writerows([("text", "label"), *world.usual(day)])
  handler = functools.partial(_Quiet, directory=str(served))
  with socketserver.TCPServer(("127.0.0.1", 0), handler, bind_and_activate=True) as found:
    port = found.server_address[1]
  address = f"http://127.0.0.1:{port}/reviews.csv"
  away = world.run(day, data=address, until="DataGate")
  socketserver.TCPServer.allow_reuse_address = True
  with socketserver.TCPServer(("127.0.0.1", port), handler) as found:
    thread = threading.Thread(target=found.serve_forever)
    thread.start()
    there = world.run(day, data=address, until="DataGate")
    found.shutdown()
    thread.join()
  return _expect(away, {1}) + _expect(there, {0})


class _Quiet(http.server.SimpleHTTPRequestHandler):
  def log_message(self, *_: object) -> None:
    pass


def _expect(told: Told, codes: set[int]) -> str:
  if told.code not in codes:
    raise RuntimeError(f"Ended with {told.code}: {told.said}")
  return told.said


def _damage(world: World, servers: Servers, day: int) -> str:
  newest = max(path for path in world.serving.iterdir() if path.name.isdigit())
  [file] = (newest / "variables").glob("*.data*")
  mend = damage(file, world.place)
  said = world.ask("status", TASK).said + world.ask("doctor").said
  mend()
  return said


def _clock_back(world: World, servers: Servers, day: int) -> str:
  """Puts the clock of runs back by an hour, after a run; what is the latest must stay so."""
  from pipeline.api import carrying_out

  class Back(datetime.datetime):
    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> datetime.datetime:
      return datetime.datetime.now(tz) - datetime.timedelta(hours=1)

  behind = types.SimpleNamespace(datetime=Back, timezone=datetime.timezone)

  world.clock.set(world.moment(day) - 3_600)
  with mock.patch.object(carrying_out, "datetime", behind):
    return world.run(day - 1).said


def _kill_run(world: World, servers: Servers, day: int) -> str:
  process = world.start("--workspace", str(world.workspace))
  killed_at(process, "StatisticsGen", lambda pid: pid)
  return world.ask("runs", "list", TASK).said


def _kill_node(world: World, servers: Servers, day: int) -> str:
  process = world.start("--workspace", str(world.workspace), "--processes")
  return killed_at(process, "SourceExampleGen", child_of)


def _full_disk(world: World, servers: Servers, day: int) -> str:
  """Runs in a copy of the workspace on a disk that is full."""
  around = ["unshare", "-Urm", "sh", "-c", _ON_A_FULL_DISK, "sh", str(world.workspace)]
  with tempfile.TemporaryDirectory(dir=world.place) as disk:
    process = world.start("--workspace", disk, around=[*around, disk, str(_LEFT_KB)])
    said, _ = process.communicate()
  if process.returncode == 99:
    raise RuntimeError(f"Nothing can be mounted here: {said}")
  return said


def _dark_pictures(world: World, servers: Servers, day: int) -> str:
  """A model of pictures of two colours, an ordinary day, and a day at dusk."""
  inbox = world.place / "pictures"
  settings = [each for each in SETTINGS if not each.startswith(("model.", "push."))]
  settings += ["train.epochs=16", "train.batch_size=8"]
  days = range(day - 5, day + 1)
  for each in days:
    _pictures(inbox / world.name(each), each, dark=0.4 if each == day else 1.0)
  run = functools.partial(world.run, task="images", data=str(inbox / "{date}"), settings=settings)
  _expect(run(day - 2, until=None), {0})
  _expect(run(day - 1), {0})
  return _expect(run(day), {3})


def _pictures(folder: pathlib.Path, day: int, dark: float) -> None:
  import numpy as np
  from PIL import Image

  draw = np.random.default_rng(day)
  for name, color in (("brick", (190, 90, 70)), ("leaf", (80, 170, 90))):
    (folder / name).mkdir(parents=True)
    for number in range(30):
      light = dark * draw.uniform(0.8, 1.2)
      pixels = draw.normal(np.array(color) * light, 12, (12, 12, 3))
      picture = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
      picture.save(folder / name / f"{number:02d}.png")
