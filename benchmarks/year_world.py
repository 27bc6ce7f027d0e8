"""The world of `year.py`: texts of a day, an inbox, a workspace, and how they are asked."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import datetime
import json
import os
import pathlib
import random
import struct
import subprocess
import sys
import time
import traceback
from collections.abc import Sequence
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent
DAY_S = 86_400
START_S = 600.0  # for what hangs: on a busy machine a server needs minutes
TASK, DATA, REQUESTS = "sentiment", 400, 50
WINDOW, KEPT_RUNS, KEPT_LOG_DAYS = 7, 5, 7
# What a careful team would set; nothing is taken on trust.
SETTINGS = (
  f"data.window={WINDOW}",
  "data.missing_span=refuse",
  "gates.drift=refuse",
  "gates.accuracy.max_regression=0.05",
  "push.stage=candidate",
  f"keep.runs={KEPT_RUNS}",
  "model.readers=0",
)
Row = tuple[str, str]


class Texts:
  """Draws texts of three classes: words by Zipf's law, and a few that tell the class."""

  def __init__(self) -> None:
    self._usual = [f"{a}{b}" for a in _BEGINNINGS for b in _ENDINGS]
    self._weights = [1 / (number + 3) for number in range(len(self._usual))]

  def rows(self, key: object, count: int, *, shares: dict[str, float] | None = None) -> list[Row]:
    """Returns rows; equal keys draw equal ones."""
    draw = random.Random(repr(key))
    of = shares or {"good": 0.4, "bad": 0.4, "mixed": 0.2}
    labels = draw.choices(list(of), list(of.values()), k=count)
    return [(self._text(draw, label), label) for label in labels]

  def _text(self, draw: random.Random, label: str) -> str:
    words = draw.choices(self._usual, self._weights, k=draw.randint(7, 12))
    telling = _TELLING[label]
    for _ in range(draw.randint(1, 3)):
      words.insert(draw.randrange(len(words)), draw.choice(telling))
    return f"The {' '.join(words)} and it was {draw.choice(telling)} for us"


_BEGINNINGS = ("ta", "mo", "ri", "sel", "ka", "ven", "do", "pla", "lu", "ber", "fi", "no")
_ENDINGS = ("ble", "ning", "ter", "ra", "dow", "mon", "lis", "ga", "port", "sen", "ly", "chor")
_TELLING = {
  "good": ("lovely", "great", "charming", "superb", "delightful", "moving"),
  "bad": ("awful", "boring", "clumsy", "dreadful", "tedious", "shallow"),
  "mixed": ("uneven", "passable", "average", "ordinary", "middling", "so-so"),
  "question": ("whether", "why", "where", "who", "when", "how"),
}


@dataclasses.dataclass(frozen=True)
class Told:
  """What the product answered: an exit code, and all that it said."""

  code: int
  said: str
  state: str = ""
  alarms: tuple[str, ...] = ()
  json: Any = None


class Clock:
  """The time of the servers, in a file that they map: offsets of wall and monotonic time."""

  def __init__(self, path: pathlib.Path):
    self._path, self._skipped = path, 0.0
    self.set(time.time())

  def set(self, moment: float, *, skip: float = 0.0) -> None:
    """Sets the wall to a moment; `skip` seconds pass on the monotonic clock."""
    self._skipped += skip
    packed = struct.pack("dd", moment - time.time(), self._skipped)
    half = self._path.with_suffix(".tmp")
    half.write_bytes(packed)
    half.replace(self._path)


class World:
  """A workspace over a calendar that ends yesterday."""

  def __init__(self, place: pathlib.Path, days: int):
    self.place, self.days = place, days
    self.inbox, self.workspace = place / "inbox", place / "workspace"
    self.texts = Texts()
    self.clock = Clock(_made(place) / "clock")
    self.first = self._first(days)
    self.log = self.workspace / TASK / "requests" / TASK
    self.serving = self.workspace / TASK / "serving"

  def _first(self, days: int) -> datetime.date:
    """Returns day 0; a calendar that is continued keeps its own."""
    path = self.place / "first"
    if not path.exists():
      today = datetime.datetime.now(datetime.timezone.utc).date()
      path.write_text(str(today - datetime.timedelta(days + 1)))
    return datetime.date.fromisoformat(path.read_text())

  def name(self, day: int) -> str:
    """Returns the name of a day's span."""
    return str(self.first + datetime.timedelta(day))

  def moment(self, day: float) -> float:
    """Returns the beginning of a day in seconds since 1970."""
    return (self.first - datetime.date(1970, 1, 1)).days * DAY_S + day * DAY_S

  def folder(self, day: int) -> pathlib.Path:
    """Returns the folder of a day's span, made if need be."""
    return _made(self.inbox / self.name(day))

  def usual(self, day: int) -> list[Row]:
    """Returns the rows that an ordinary day has."""
    return self.texts.rows(("data", day), DATA)

  def write(self, day: int, rows: Sequence[Row]) -> None:
    """Writes a day's table."""
    with (self.folder(day) / "reviews.csv").open("w", newline="", encoding="utf-8") as file:
      csv.writer(file).writerows([("text", "label"), *rows])

  def run(
    self,
    day: int,
    *more: str,
    task: str = TASK,
    data: str | None = None,
    until: str | None = "DriftGate",
    settings: Sequence[str] = SETTINGS,
  ) -> Told:
    """Does what `dlpipe run` does, in this process: imports would be most of a tiny night."""
    from dlpipe.errors import DlpipeError
    from pipeline.api.carrying_out import carry_out, new_run_id
    from pipeline.api.inputs import prepare
    from pipeline.execution.options import RunOptions

    given = data or str(self.inbox / "{date}")
    ends = (f"data.last_span={self.name(day)}",) if "{date}" in given else ()
    chosen = settings if ends else [each for each in settings if not each.startswith("data.")]
    try:
      inputs = prepare(
        task=task,
        data=given,
        workspace=str(self.workspace),
        config_file=None,
        settings=[*chosen, *ends, *more],
        tiny=True,
        beam=None,
        tells=True,
      )
      result = carry_out(
        inputs,
        run_id=new_run_id(),
        show=lambda streams: contextlib.nullcontext(lambda event: None),
        train_and_push=True,
        how=RunOptions(until_node=until),
      )
    except DlpipeError as err:
      return Told(err.exit_code, str(err), alarms=(str(err),))
    said = [*inputs.recognized, result.error or ""]
    said += [each["what"] for each in result.findings if each["level"] == "warning"]
    said += result.model_warnings
    said += [f"{g.metric} {g.value}, must be {g.bound}" for g in result.gates if not g.passed]
    said += self._rejected(task, result.run_id)
    alarms = [each["what"] for each in result.findings if _is_alarm(each["name"])]
    if result.error:
      alarms.append(result.error)
    return Told(result.exit_code, "\n".join(said), result.state, tuple(alarms))

  def _rejected(self, task: str, run_id: str) -> list[str]:
    """Returns the first records that a run put into quarantine, where people look."""
    path = self.workspace / task / "quarantine" / run_id / "rejected.jsonl"
    return path.read_text("utf-8").splitlines()[:5] if path.exists() else []

  def ask(self, *arguments: str) -> Told:
    """Runs a command of `dlpipe` in this process; those that end it are for `run` and `start`."""
    from click.testing import CliRunner

    from dlpipe.errors import DlpipeError
    from pipeline.cli.main import cli

    done = CliRunner().invoke(cli, [*arguments, "--workspace", str(self.workspace), "--json"])
    lines = done.stdout.splitlines()
    found = json.loads(lines[-1]) if lines and lines[-1].startswith("{") else None
    raised = done.exception
    if isinstance(raised, DlpipeError):  # as the program ends with it
      return Told(raised.exit_code, f"{done.output}Error: {raised}\n", json=found)
    broke = "" if isinstance(raised, (SystemExit, type(None))) else _traceback(raised)
    return Told(done.exit_code, f"{done.output}{broke}", json=found)

  def start(self, *arguments: str, around: Sequence[str] = ()) -> subprocess.Popen[str]:
    """Starts `dlpipe run` over the inbox in a process of its own."""
    command = [*around, sys.executable, "-m", "pipeline.cli.main", "run", TASK, "--tiny"]
    command += ["--data", str(self.inbox / "{date}"), "--until", "DriftGate", *arguments]
    command += [part for each in SETTINGS for part in ("--set", each)]
    return subprocess.Popen(
      command,
      cwd=REPOSITORY,
      stdout=subprocess.PIPE,
      stderr=subprocess.STDOUT,
      text=True,
      env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )

  def size_mb(self) -> float:
    """Returns what the workspace takes; what is linked counts once."""
    seen = {
      (found.st_dev, found.st_ino): found.st_blocks * 512
      for path in self.workspace.rglob("*")
      if path.is_file()
      for found in [path.stat()]
    }
    return sum(seen.values()) / 1e6


def _traceback(err: BaseException) -> str:
  return "".join(traceback.format_exception(type(err), err, err.__traceback__))


def _is_alarm(finding: str) -> bool:
  """Returns whether a finding says that a day is not as others; some are of all small data."""
  return finding == "drift" or finding.endswith("_spans")


def _made(path: pathlib.Path) -> pathlib.Path:
  path.mkdir(parents=True, exist_ok=True)
  return path
