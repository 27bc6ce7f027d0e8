"""Picks logged requests that are worth a label, and joins labels to logged requests."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Sequence
from typing import Any

from components.versioned_pusher.version_folders import is_damaged, list_versions
from dlpipe.errors import BadInputError
from dlpipe.workspace import Workspace
from pipeline.api.quiet_screen import quieten_screen
from pipeline.task import Task

UNSURE, RANDOM, DISAGREEMENT = "unsure", "random", "disagreement"
_BATCH = 64


def pick(
  task: Task,
  output: str,
  *,
  by: str,
  count: int,
  log: str | None,
  workspace: str | None,
  version: int | None,
  seed: int,
  tell: Callable[[str], None],
) -> int:
  """Writes logged rows that are worth a label; returns how many.

  Args:
    task: the task that was served.
    output: the file, `.csv`, or `.json` for Label Studio.
    by: UNSURE, RANDOM or DISAGREEMENT.
    count: the most rows.
    log: the folder of the request log; None takes that of the workspace.
    workspace: the workspace as the user gave it.
    version: with DISAGREEMENT the version to compare with; None takes the one before the newest.
    seed: of a random choice.
    tell: receives sentences for the user.

  Raises:
    BadInputError: there is no log, nothing in it can be picked, or the output has another ending or
      exists.
    DlpipeError: the version cannot be loaded.
  """
  path = _output(output, (".csv", ".json"), task)
  rows = _rows(task, log, workspace, tell)
  from pipeline.batch.requests import picking, writing

  if by == UNSURE:
    found = picking.unsure(rows, count)
  elif by == RANDOM:
    found = picking.at_random(rows, count, seed=seed)
  else:
    found = picking.disagreement(
      rows, count, ask=_other(task, workspace, version, tell), problem=task.problem
    )
  if not found:
    raise BadInputError(
      f"No logged request can be picked by {by}: that takes rows whose input and answer were logged"
      + {
        UNSURE: ", with a score. Without scores, take --by random or --by disagreement.",
        RANDOM: ", of the random sample (--request_log_sample).",
        DISAGREEMENT: ", to which the other version answers otherwise.",
      }[by]
    )
  writing.write(found, task, path)
  return len(found)


def join(
  task: Task,
  labels: str,
  output: str,
  *,
  column: str,
  log: str | None,
  workspace: str | None,
  tell: Callable[[str], None],
) -> tuple[int, Sequence[str]]:
  """Writes the logged rows that have a label as data for a run.

  Args:
    task: the task that was served.
    labels: a CSV with `id` and the labels, or Label Studio's export as JSON; an id is that of a
      row, or the caller's of a request with one row.
    output: the CSV to write.
    column: the column of the labels.
    log: as for `pick`.
    workspace: as for `pick`.
    tell: receives sentences for the user.

  Returns:
    How many rows were written, and the ids that no logged row has.

  Raises:
    BadInputError: there is no log, the labels cannot be read, none belongs to a logged row, or the
      output exists.
  """
  path = _output(output, (".csv",), task)
  from pipeline.batch.requests import writing

  given = writing.read_labels(pathlib.Path(labels), column, several=task.problem.has_several)
  found = writing.joined(_rows(task, log, workspace, tell), given)
  if found.shared:
    tell(
      f"{len(found.shared):,} ids are of several requests with different inputs, and label none: "
      f"{', '.join(found.shared[:3])}"
    )
  if not found.rows:
    raise BadInputError(
      f"None of the {len(given):,} labels in {labels!r} belongs to a logged request whose input "
      f"was logged. Their ids begin with: {', '.join(found.strangers[:3]) or 'none'}."
    )
  writing.write_labelled(found.rows, task, path)
  return len(found.rows), found.strangers


def _rows(task: Task, log: str | None, workspace: str | None, tell: Callable[[str], None]) -> Any:
  folder = (
    pathlib.Path(log) if log is not None else Workspace.of(workspace).task(task.name).requests
  )
  from pipeline.batch.requests import reading

  model_log = reading.log_of(folder, task.name)
  return reading.read(model_log, task.input.key, tell=tell, several=task.problem.has_several)


def _output(output: str, endings: tuple[str, ...], task: Task) -> pathlib.Path:
  path = pathlib.Path(output)
  if path.suffix not in endings:
    raise BadInputError(
      f"-o takes a file that ends in {' or '.join(endings)}. Received: {output!r}"
    )
  if not path.parent.is_dir():
    raise BadInputError(f"There is no folder {str(path.parent)!r} to write {path.name!r} to.")
  quieten_screen()
  from pipeline.batch.requests import writing

  # Somebody may have labelled what is there, and a labelled table names the files in the folder.
  for made in writing.places(path, task):
    if made.exists():
      raise BadInputError(f"{str(made)!r} exists. Name another -o, or move it away.")
  return path


def _other(
  task: Task, workspace: str | None, version: int | None, tell: Callable[[str], None]
) -> Callable[[Sequence[bytes]], list[Any]]:
  """Asks another version for what it decides."""
  base = Workspace.of(workspace).task(task.name).serving
  whole = [number for number in list_versions(base) if not is_damaged(base, number)]
  if version is None and len(whole) < 2:
    raise BadInputError(
      f"A disagreement takes two versions. Found in {str(base)!r}: "
      f"{', '.join(map(str, whole)) or 'none'}."
    )
  chosen = version if version is not None else whole[-2]
  if chosen not in whole:
    raise BadInputError(
      f"No whole version {chosen} in {str(base)!r}. Versions there: "
      f"{', '.join(map(str, whole)) or 'none'}."
    )
  from pipeline.batch.model import Model, read_outputs
  from pipeline.batch.requests.picking import decided

  there = [each.name for each in read_outputs(base / str(chosen))]
  outputs = [name for name in task.problem.decisive if name in there]
  model = Model(base / str(chosen))
  tell(f"Compared with the answers of version {chosen}.")

  def ask(values: Sequence[bytes]) -> list[Any]:
    answers, errors = model.ask(values, outputs, batch_size=_BATCH).result()
    rows = [{name: answers[name][row] for name in outputs} for row in range(len(values))]
    return [
      None if place in errors else decided(row, task.problem) for place, row in enumerate(rows)
    ]

  return ask
