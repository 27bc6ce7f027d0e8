"""Replays logged requests on a candidate and on what is live, and judges the flips."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import itertools
import json
import os
import pathlib
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from components.versioned_pusher import stages
from components.versioned_pusher.candidates import CANDIDATES, list_candidates
from components.versioned_pusher.version_folders import is_damaged, list_versions
from dlpipe.artifact_files import finite
from dlpipe.disk.whole_files import write_whole
from dlpipe.errors import BadInputError
from dlpipe.verdicts import Ruling
from dlpipe.workspace import TaskFolder, Workspace
from pipeline.api.operations import periods
from pipeline.api.quiet_screen import quieten_screen
from pipeline.task import Task

if TYPE_CHECKING:
  from pipeline.batch.requests.reading import LoggedRow
  from pipeline.batch.requests.replaying import Begin, Replay

FLIPS = "flips"
_BATCH = 64
_MOST_SHOWN = 200


@dataclasses.dataclass(frozen=True, kw_only=True)
class Asked:
  """A version that answers.

  Attributes:
    version: its number.
    begin: starts asking it.
    close: frees it.
  """

  version: int
  begin: Begin
  close: Callable[[], None]


# From a version, None for the server's own choice, to what answers; the name of the version's part
# in the comparison, `candidate` or `against`, chooses the server.
Connect = Callable[["int | None", str], Asked]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Replayed:
  """A replay with its report.

  Attributes:
    candidate: the version that was tried.
    against: the version that it was compared with.
    found: what became of the requests.
    ruling: the verdict on the flip rate; None if no bound was said.
    report: the HTML file.
    facts: the JSON file with all flips.
  """

  candidate: int
  against: int
  found: Replay
  ruling: Ruling | None
  report: pathlib.Path
  facts: pathlib.Path

  @property
  def sentence(self) -> str:
    """How many answers flip, as a sentence."""
    found = self.found
    said = f"{len(found.flips):,} of {found.rows:,} requests get another answer."
    if found.rate is None or found.interval is None:
      return f"{said} None is of the random sample, so the flip rate of the traffic is unknown."
    low, high = (f"{100 * end:.3g}" for end in found.interval)
    return (
      f"{said} Of the random sample {found.sampled_flips:,} of {found.sampled:,}: "
      f"{100 * found.rate:.3g} % (95 %: {low} to {high} %)."
    )

  @property
  def doubt(self) -> str | None:
    """Why the rate may be beyond the bound: its interval holds the bound; None if it does not."""
    if self.ruling is None or not self.ruling.passed or self.ruling.interval is None:
      return None
    if self.ruling.interval[1] <= float(str(self.ruling.bound).removeprefix("<= ")):
      return None
    return (
      f"{self.found.sampled:,} requests cannot tell whether the flip rate is {self.ruling.bound}: "
      "the interval holds the bound. Replay more of them."
    )

  def to_json(self) -> dict[str, Any]:
    """Returns the object `--json` prints, without the task."""
    found = self.found
    return {
      "candidate": self.candidate,
      "against": self.against,
      "rows": found.rows,
      "without_input": found.without_input,
      "refused": found.refused,
      "flips": len(found.flips),
      "sampled": found.sampled,
      "sampled_flips": found.sampled_flips,
      "flip_rate": found.rate,
      "interval": found.interval,
      "pairs": [{"before": a, "after": b, "count": n} for a, b, n in found.pairs],
      "gates": [self.ruling.to_json()] if self.ruling is not None else [],
      "flipped": [flip.to_json() for flip in found.flips],
      "report": str(self.report),
    }


def replay(
  task: Task,
  *,
  workspace: str | None,
  candidate: int | None = None,
  against: int | None = None,
  log: str | None = None,
  since: str | None = None,
  count: int | None = None,
  tolerance: float = 0.0,
  max_flips: float | None = None,
  connect: Connect | None = None,
  tell: Callable[[str], None],
) -> Replayed:
  """Sends logged requests through two versions, and writes a report.

  Args:
    task: the task that was served.
    workspace: the workspace as the user gave it.
    candidate: the version to try; None for the latest candidate, else the canary.
    against: the version to compare with; None for what is live.
    log: the folder of the request log; None takes that of the workspace.
    since: the age, such as `24h` or `7d`, or the date and time in UTC of the oldest request; None
      for all.
    count: the most requests, the latest ones; None for all.
    tolerance: the largest difference of two numbers that is no flip.
    max_flips: the largest flip rate that passes; None judges nothing.
    connect: asks servers; None loads both versions into this process.
    tell: receives sentences for the user.

  Raises:
    BadInputError: there is no such version, no log, or nothing in it can be replayed.
    DlpipeError: a version cannot be loaded, or a server does not answer.
  """
  folder = Workspace.of(workspace).task(task.name)
  start = periods.since(since, end=time.time()) if since is not None else 0.0
  chosen = _chosen(folder, candidate, against, is_local=connect is None)
  quieten_screen()
  from pipeline.batch.requests import reading, replaying

  place = reading.log_of(pathlib.Path(log) if log is not None else folder.requests, task.name)

  def read(said: Callable[[str], None] = lambda said: None) -> Iterator[LoggedRow]:
    rows = reading.read(place, task.input.key, tell=said, since=start, answers=False)
    return (row for row in rows if row.at >= start)

  skipped = 0
  if count is not None:
    skipped = max(0, sum(row.value is not None for row in read()) - count)
  connect = connect or _in_process(task, folder)
  with contextlib.ExitStack() as stack:
    before = stack.enter_context(_closing(connect(chosen[1], "against")))
    after = stack.enter_context(_closing(connect(chosen[0], "candidate")))
    _require_two(after.version, before.version)
    found = replaying.replay(
      _without_first(read(tell), skipped),
      before=before.begin,
      after=after.begin,
      problem=task.problem,
      tolerance=tolerance,
    )
  if not found.rows:
    period = f" since {since}" if since is not None else ""
    raise BadInputError(
      f"No request in {str(place)!r}{period} can be replayed: {found.without_input:,} were refused "
      "or logged without their input."
    )
  ruling = _ruling(found, max_flips) if max_flips is not None else None
  return _written(folder, task, found, ruling, versions=(after.version, before.version), log=place)


def _chosen(
  folder: TaskFolder, candidate: int | None, against: int | None, *, is_local: bool
) -> tuple[int | None, int | None]:
  """Returns the candidate and the version to compare with; of servers, None for their own."""
  versions, held = list_versions(folder.serving), list_candidates(folder.serving)
  if candidate is None:
    canary = stages.read(folder).labels.get(stages.CANARY)
    candidate = max(held, default=canary)
  live = max(versions, default=None)
  if candidate is None:
    raise BadInputError(
      f"There is no candidate in {folder.serving}. Name the version to try with --candidate; "
      f"versions there: {', '.join(map(str, versions)) or 'none'}."
    )
  if not is_local:
    return candidate, against
  if against is None and live is None:
    raise BadInputError(
      f"Nothing is live in {folder.serving}, so there is nothing to compare version {candidate} "
      "with. Name a version with --against."
    )
  for number in (candidate, against):
    if number is not None and number not in (*versions, *held):
      known = ", ".join(map(str, sorted({*versions, *held}))) or "none"
      raise BadInputError(f"There is no version {number} in {folder.serving}. Versions: {known}.")
  against = against if against is not None else live
  _require_two(candidate, against)
  return candidate, against


def _require_two(candidate: int, against: int | None) -> None:
  if candidate == against:
    raise BadInputError(
      f"Version {candidate} cannot be compared with itself. Name another --candidate or --against."
    )


def _in_process(task: Task, folder: TaskFolder) -> Connect:
  def load(version: int | None, part: str) -> Asked:
    del part
    number = version or max(list_versions(folder.serving))
    is_held = number in list_candidates(folder.serving)
    place = folder.serving / CANDIDATES if is_held else folder.serving
    if is_damaged(place, number):
      raise BadInputError(
        f"Version {number} in {place} is damaged: its files are not those that were published."
      )
    from pipeline.batch.model import Model, read_outputs
    from pipeline.batch.requests.replaying import SCORE

    there = [output.name for output in read_outputs(place / str(number))]
    missing = [name for name in task.problem.decisive if name not in there]
    if missing:
      raise BadInputError(
        f"Version {number} in {place} has no output {', '.join(missing)}: it is no model of the "
        f"task {task.name}."
      )
    outputs = [name for name in there if name in (*task.problem.decisive, SCORE)]
    model = Model(place / str(number))

    def begin(values: Sequence[bytes]) -> Callable[[], list[Any]]:
      asked = model.ask(values, outputs, batch_size=_BATCH)

      def collect() -> list[Any]:
        columns, errors = asked.result()
        return [
          errors[row] if row in errors else {name: columns[name][row] for name in outputs}
          for row in range(len(values))
        ]

      return collect

    return Asked(version=number, begin=begin, close=lambda: None)

  return load


@contextlib.contextmanager
def _closing(asked: Asked) -> Iterator[Asked]:
  try:
    yield asked
  finally:
    asked.close()


def _without_first(rows: Iterator[LoggedRow], count: int) -> Iterator[LoggedRow]:
  """Leaves out the first rows that have their input, with all before them."""
  if count:
    with_input = (row for row in rows if row.value is not None)
    next(itertools.islice(with_input, count - 1, None), None)
  return rows


def _ruling(found: Replay, max_flips: float) -> Ruling:
  reason = "the part of the logged requests whose answer may become another"
  if found.rate is None:
    reason += (
      ". Not measured: none of these requests is of the random sample; serve with "
      "--request_log_sample"
    )
  return Ruling(
    metric=FLIPS,
    bound=f"<= {max_flips:g}",
    value=found.rate,
    passed=found.rate is not None and found.rate <= max_flips,
    reason=reason,
    interval=found.interval,
  )


def _written(
  folder: TaskFolder,
  task: Task,
  found: Replay,
  ruling: Ruling | None,
  *,
  versions: tuple[int, int],
  log: pathlib.Path,
) -> Replayed:
  from pipeline.batch.requests.writing import shown_input
  from pipeline.report.pages import writing

  candidate, against = versions
  now = datetime.datetime.now(datetime.timezone.utc)
  name = f"{now:%Y%m%d-%H%M%S}-{os.urandom(2).hex()}-{candidate}-against-{against}"
  report = folder.replays / f"{name}.html"
  done = Replayed(
    candidate=candidate,
    against=against,
    found=found,
    ruling=ruling,
    report=report,
    facts=report.with_suffix(".json"),
  )
  facts = {"task": task.name, "at": now.isoformat(timespec="seconds"), **done.to_json()}
  write_whole(done.facts, json.dumps(finite(facts), indent=1) + "\n")
  shown, pairs = found.flips[:_MOST_SHOWN], found.pairs
  writing.write(
    "replay.html.j2",
    report,
    title=f"Version {candidate} against version {against}",
    task=task.name,
    sentence=done.sentence,
    ruling=ruling,
    at=now.isoformat(timespec="seconds"),
    replay=found,
    log=str(log),
    facts=str(done.facts),
    candidate=candidate,
    against=against,
    pairs=pairs[:_MOST_SHOWN],
    more_pairs=max(0, len(pairs) - _MOST_SHOWN),
    flips=[
      {**flip.to_json(), "at": _moment(flip.at), **shown_input(flip.value, task)} for flip in shown
    ],
    more_flips=len(found.flips) - len(shown),
  )
  return done


def _moment(at: int) -> str:
  return datetime.datetime.fromtimestamp(at, datetime.timezone.utc).isoformat(timespec="seconds")
