"""Watches logged requests: do they still look like what the served version was trained on?"""

from __future__ import annotations

import pathlib
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from dlpipe.errors import BadInputError
from dlpipe.workspace import TaskFolder, Workspace
from pipeline.api.operations import periods
from pipeline.api.quiet_screen import quieten_screen
from pipeline.api.values import Path, local_path, task_named
from pipeline.task import Task

if TYPE_CHECKING:
  from pipeline.batch.requests.watching import Truth, Watched
  from pipeline.drift.served import Served

# What holds if nobody says.
SINCE, LEAST = "24h", 0.02
_ACCURACY = "accuracy"


def watch(
  task: str | Task,
  *,
  since: str = SINCE,
  until: str | None = None,
  labels: Path | None = None,
  label_column: str | None = None,
  least: float = LEAST,
  metrics: Path | None = None,
  log: Path | None = None,
  workspace: Path | None = None,
) -> dict[str, Any]:
  """Compares logged requests with what the served version was trained on.

  >>> dlpipe.watch("images")
  Traceback (most recent call last):
  dlpipe.errors.BadInputError: Expected logged requests in ... Found none. ...

  Args:
    task: the task, or its name.
    since: where the window begins: a length before its end, such as "24h", or a moment, ISO 8601
      in UTC.
    until: where it ends, likewise a moment; None is now.
    labels: a file of labels by id, as `dlpipe log join` takes and writes them: how many answers are
      right is said then.
    label_column: the column of the labels; None takes the task's.
    least: the smallest change that counts, in bits, between 0 and 1.
    metrics: a file to write for Prometheus's textfile collector.
    log: the folder of the request log; None takes that of `dlpipe serve --log-requests`.
    workspace: the workspace of the served model; None takes $DLPIPE_WORKSPACE, else ./workspace.

  Returns:
    What `dlpipe watch --json` prints: `state`, which is "drift" or "quiet", a sentence for each of
    the `alarms`, the `changes` of all features, `notes` on what could not be compared, the path of
    the `report`, and more.

  Raises:
    BadInputError: nothing is served, there is no log, none of its requests is in the window, or an
      argument cannot be used.
  """
  known = task_named(task)
  if not 0 < least < 1:
    raise BadInputError(f"least must be between 0 and 1. Received: {least!r}")
  told: list[str] = []
  found, page = compare(
    known,
    since=since,
    until=until,
    log=local_path("log", log),
    workspace=local_path("workspace", workspace),
    labels=local_path("labels", labels),
    column=label_column or known.label_key,
    least=least,
    metrics=local_path("metrics", metrics),
    tell=told.append,
  )
  return document(known, found, page, told)


def document(task: Task, found: Watched, page: pathlib.Path, told: Sequence[str]) -> dict[str, Any]:
  """Returns what was found as JSON.

  Args:
    task: the task.
    found: what was found.
    page: the page that shows it.
    told: sentences for the user.
  """
  from pipeline.batch.requests.watching import as_json

  shown = as_json(found)
  state = "drift" if found.alarms else "quiet"
  notes = [*told, *shown["notes"]]
  return {"task": task.name, "state": state, **shown, "notes": notes, "report": str(page)}


def compare(
  task: Task,
  *,
  since: str,
  until: str | None,
  log: str | None,
  workspace: str | None,
  labels: str | None,
  column: str,
  least: float,
  metrics: str | None,
  tell: Callable[[str], None],
) -> tuple[Watched, pathlib.Path]:
  """Compares the requests of a window with train, and its answers with those to eval and before.

  Args:
    task: the task that is served.
    since: where the window begins: a length before its end, such as `24h`, or a moment, ISO 8601.
    until: where it ends, likewise a moment; None is now.
    log: the folder of the request log; None takes that of the workspace.
    workspace: the workspace as the user gave it.
    labels: a file of labels by id, as `dlpipe log join` reads and writes; None for none.
    column: the column of the labels.
    least: the smallest divergence that counts as a change, in bits.
    metrics: the file to write for Prometheus; None for none.
    tell: receives sentences for the user.

  Returns:
    What was found, and the page that shows it.

  Raises:
    BadInputError: nothing is served, there is no log, none of its requests is in the window, or
      labels are given for answers that are no classes.
  """
  end = periods.moment("--until", until) if until is not None else time.time()
  start = periods.since(since, end=end)
  folder = Workspace.of(workspace).task(task.name)
  place = pathlib.Path(log) if log is not None else folder.requests
  if labels is not None and not task.problem.has_one_class:
    raise BadInputError(
      "--labels says how many answers are right, which takes a task whose answer is one class. The "
      f"answer of {task.name!r} is none."
    )
  if metrics is not None and not pathlib.Path(metrics).parent.is_dir():
    raise BadInputError(f"There is no folder to write {metrics!r} to.")
  quieten_screen()
  from pipeline.batch.requests import metrics as metrics_file
  from pipeline.batch.requests import reading, watching, windows
  from pipeline.drift import served
  from pipeline.drift.examples import kind_of
  from pipeline.report.render import write_page
  from pipeline.report.watch_page import render_watch

  version = served.find(folder.serving)
  if version is None:
    raise BadInputError(
      f"No version of {task.name!r} is served from {str(folder.serving)!r}, so there is nothing to "
      f"compare requests with. `dlpipe run {task.name}` pushes one."
    )
  model_log = reading.log_of(place, task.name)
  truth = _truth(folder, version, labels, column, tell)
  first = start - windows.MOST_BEFORE * (end - start)
  found = watching.watch(
    lambda: reading.read(
      model_log, task.input.key, tell=tell, since=first, several=task.problem.has_several
    ),
    version,
    kind_of(task),
    since=start,
    until=end,
    least=least,
    truth=truth,
  )
  if not found.requests:
    raise BadInputError(
      f"Expected sampled requests in {str(model_log)!r} from {periods.words(start)} to "
      f"{periods.words(end)}. Found none: nobody asked, the server logged none "
      "(--request_log_sample), or --since begins too late."
    )
  if metrics is not None:
    metrics_file.write(found, task.name, pathlib.Path(metrics))
  page = folder.watched
  write_page(render_watch(found, task=task.name), page)
  return found, page


def _truth(
  folder: TaskFolder,
  served: Served,
  labels: str | None,
  column: str,
  tell: Callable[[str], None],
) -> Truth:
  from pipeline.batch.requests import writing
  from pipeline.batch.requests.watching import Truth
  from pipeline.model_card import ModelCard

  if labels is None:
    return Truth()
  known = writing.read_labels(pathlib.Path(labels), column)
  _look_at_classes(labels, set(known.values()), served, tell)
  card = ModelCard.read(folder.serving / str(served.version))
  accuracy = card.metrics.get(_ACCURACY) if card is not None else None
  interval = card.intervals.get(_ACCURACY) if card is not None else None
  expected = (accuracy, interval) if accuracy is not None and interval is not None else None
  return Truth(labels=known, expected=expected)


def _look_at_classes(
  path: str, labels: set[str], served: Served, tell: Callable[[str], None]
) -> None:
  """Refuses labels that are a class in other letters; tells of those that are none.

  Raises:
    BadInputError: there is one: each of its answers would count as wrong.
  """
  from pipeline.drift.measures.features import LABEL_MIX

  mix = served.profile.names.get(LABEL_MIX) if served.profile is not None else None
  if mix is None or mix.other:
    return
  strangers = sorted(labels - mix.counts.keys())
  alike = {name.casefold(): name for name in mix.counts}
  for label in strangers:
    if (meant := alike.get(label.casefold())) is not None:
      raise BadInputError(
        f"{path!r} has the label {label!r}, and version {served.version} answers {meant!r}. Write "
        "it as the model does, so that right answers count as right."
      )
  if strangers:
    tell(
      f"No class of version {served.version}: {', '.join(strangers[:5])}. What it answers to "
      "requests with these labels counts as wrong."
    )
