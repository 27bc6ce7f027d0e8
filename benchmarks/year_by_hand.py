"""What goes wrong by hand in the year of `year.py`: kills, damage, a full disk, a clock, a store.

Each function does it, and returns what the product said of it.
"""

from __future__ import annotations

import contextlib
import csv
import datetime
import functools
import http.server
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import types
from collections.abc import Callable, Iterator
from unittest import mock

from year_servers import Servers, free_port
from year_world import REQUESTS, SETTINGS, START_S, TASK, Told, World

# In a file system of its own with so little room: the workspace in $1, dlpipe's command after $3.
_ON_A_FULL_DISK = """
mount -t tmpfs -o size=1g tmpfs "$2" && cp -a "$1/." "$2/" || exit 99
used=$(df -k --output=used "$2" | tail -n 1)
mount -o remount,size=$((used + $3))k "$2"
shift 3
"$@"
"""
_LEFT_KB = 40


def roll_back(world: World, servers: Servers, day: int) -> str:
  """Rolls the live version back."""
  said = world.ask("rollback", TASK, "--reason", "wrong on Mondays").said
  return said + world.ask("status", TASK).said


def kill_server(world: World, servers: Servers, day: int) -> str:
  """Kills the server that logs, in the middle of its requests; it is started again."""
  told = world.place / "server0.log"
  before = len(told.read_text("utf-8"))
  for number, (text, _) in enumerate(world.texts.rows(("kill", day), REQUESTS)):
    if number == REQUESTS // 2:
      servers.kill(0)
    servers.ask(text, f"killed-{day}-{number}")
  servers.start(0)
  servers.wait(0)
  return told.read_text("utf-8")[before:]


def store_down(world: World, servers: Servers, day: int) -> str:
  """Reads from a web server that is away, and an hour later is there."""
  served = world.place / "web"
  served.mkdir(exist_ok=True)
  with (served / "reviews.csv").open("w", newline="", encoding="utf-8") as file:
    csv.writer(file).writerows([("text", "label"), *world.usual(day)])
  port = free_port()
  address = f"http://127.0.0.1:{port}/reviews.csv"
  away = world.run(day, data=address, until="DataGate")
  with _serving(served, port):
    there = world.run(day, data=address, until="DataGate")
  return _expect(away, {1}) + _expect(there, {0})


@contextlib.contextmanager
def _serving(folder: pathlib.Path, port: int) -> Iterator[None]:
  handler = functools.partial(_Quiet, directory=str(folder))
  with http.server.ThreadingHTTPServer(("127.0.0.1", port), handler) as server:
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
      yield
    finally:
      server.shutdown()
      thread.join()


class _Quiet(http.server.SimpleHTTPRequestHandler):
  def log_message(self, *_: object) -> None:
    pass


def _expect(told: Told, codes: set[int]) -> str:
  if told.code not in codes:
    raise RuntimeError(f"Ended with {told.code}: {told.said}")
  return told.said


def damage_version(world: World, servers: Servers, day: int) -> str:
  """Cuts the variables of the live version to half, as a bad disk does."""
  newest = max(path for path in world.serving.iterdir() if path.name.isdigit())
  [file] = (newest / "variables").glob("*.data*")
  mend = _damaged(file, world.place)
  said = world.ask("status", TASK).said + world.ask("doctor").said
  mend()
  return said


def set_clock_back(world: World, servers: Servers, day: int) -> str:
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


def kill_run(world: World, servers: Servers, day: int) -> str:
  """Kills a run, whose nodes work in its process, as its first one begins."""
  process = world.start("--workspace", str(world.workspace))
  _killed(process, "StatisticsGen", lambda pid: pid)
  return world.ask("runs", "list", TASK).said


def kill_node(world: World, servers: Servers, day: int) -> str:
  """Kills the process of a node."""
  process = world.start("--workspace", str(world.workspace), "--processes")
  return _killed(process, "SourceExampleGen", _child_of)


def fill_disk(world: World, servers: Servers, day: int) -> str:
  """Runs in a copy of the workspace on a disk that is full."""
  around = ["unshare", "-Urm", "sh", "-c", _ON_A_FULL_DISK, "sh", str(world.workspace)]
  with tempfile.TemporaryDirectory(dir=world.place) as disk:
    process = world.start("--workspace", disk, around=[*around, disk, str(_LEFT_KB)])
    said, _ = process.communicate()
  if process.returncode == 99:
    raise RuntimeError(f"Nothing can be mounted here: {said}")
  return said


def darken_pictures(world: World, servers: Servers, day: int) -> str:
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
    (folder / name).mkdir(parents=True, exist_ok=True)
    for number in range(30):
      light = dark * draw.uniform(0.8, 1.2)
      pixels = draw.normal(np.array(color) * light, 12, (12, 12, 3))
      picture = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
      picture.save(folder / name / f"{number:02d}.png")


def _damaged(path: pathlib.Path, place: pathlib.Path) -> Callable[[], None]:
  """Cuts a file to half; returns what puts it back. The whole file waits in `place`."""
  kept = place / path.name
  shutil.copyfile(path, kept)
  os.truncate(path, path.stat().st_size // 2)
  return lambda: shutil.copyfile(kept, path) and None


def _killed(process: subprocess.Popen[str], at: str, victim: Callable[[int], int]) -> str:
  """Kills the victim as soon as a line of the process has some words; returns all it said."""
  assert process.stdout is not None
  lines = []
  for line in process.stdout:
    lines.append(line)
    if at and at in line:
      at = ""
      os.kill(victim(process.pid), signal.SIGKILL)
  process.wait()
  if at:
    raise RuntimeError(f"No line had {at!r}:\n{''.join(lines)}")
  return "".join(lines)


def _child_of(pid: int) -> int:
  """Returns the first process that a process forks."""
  deadline = time.monotonic() + START_S
  while time.monotonic() < deadline:
    for listed in _children(pid):
      return listed
    time.sleep(0.005)
  raise RuntimeError(f"Process {pid} started none")


def _children(pid: int) -> Iterator[int]:
  for path in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
    with contextlib.suppress(OSError):
      yield from map(int, path.read_text().split())
