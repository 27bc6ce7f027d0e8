"""Reads earlier runs from any metadata store, and finds the versions that are served now."""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from components.versioned_pusher import stages
from components.versioned_pusher.candidates import list_candidates
from components.versioned_pusher.version_folders import version_record
from dlpipe.errors import BadInputError, DlpipeError
from dlpipe.nodes import PREDICTIONS
from dlpipe.workspace import TaskFolder, Workspace
from pipeline.api.quiet_screen import quieten_screen
from pipeline.api.run import Run, as_run
from pipeline.api.stores import checked, stores, tasks_in
from pipeline.api.values import Path, local_path, task_name
from pipeline.runs import run_files, served
from pipeline.runs.retention import cleaned, sizes

if TYPE_CHECKING:
  from pipeline.runs.facts import Facts
  from pipeline.runs.lineage import PastRun
  from pipeline.runs.result import RunResult
  from pipeline.settings.config import PipelineConfig
  from pipeline.task import Task

LATEST = "latest"  # stands for the name of a run


def runs(
  task: str | Task | None = None, *, workspace: Path | None = None, mlmd: Path | None = None
) -> list[Run]:
  """Returns the runs of a task, or of all tasks, whoever started them; the latest first.

  >>> [run.version for run in dlpipe.runs("images") if run.state == "pushed"]
  [1]

  Args:
    task: the task, or its name; None for all tasks that have run in the workspace.
    workspace: the workspace of the runs; None takes $DLPIPE_WORKSPACE, else ./workspace.
    mlmd: a metadata store's connection file; None takes the SQLite files of the workspace.

  Raises:
    BadInputError: there is no such task, or the connection file cannot be used.
    DlpipeError: a metadata store is damaged.
    BusyError: another process locks the metadata store.
  """
  place, store = local_path("workspace", workspace), local_path("mlmd", mlmd)
  return [_as_run(past, place) for past in past_runs(task_name(task), place, store)]


def _as_run(past: PastRun, workspace: str | None) -> Run:
  folder = Workspace.of(workspace).task(past.task)
  told = run_files.told(folder, past.run_id)
  data = told.config.data_path if told is not None else None
  return as_run(past, facts_of(past, folder), folder, data=data)


def facts_of(past: PastRun, folder: TaskFolder) -> Facts:
  """Returns what a run's artifacts say, or what was kept of them.

  Args:
    past: the run.
    folder: that of its task.
  """
  from pipeline.runs.facts import of_cleaned, read_facts

  kept = cleaned.find(folder, past.run_id)
  return of_cleaned(kept) if kept is not None else read_facts(outputs_of(past))


def past_runs(task: str | None, workspace: str | None, mlmd: str | None) -> list[PastRun]:
  """Returns the runs in the metadata stores, the latest first.

  Args:
    task: name of a task; None for all tasks that have run in the workspace.
    workspace: the workspace as the user gave it; None takes the environment's, or the default.
    mlmd: a metadata store's connection file; None takes the SQLite files of the workspace.

  Raises:
    BadInputError: no task has this name, here or in the workspace.
  """
  quieten_screen()
  name = checked(task, workspace)
  connections = list(stores(name, workspace, mlmd))
  if not connections:
    return []
  from pipeline.runs import lineage
  from pipeline.runs.store.metadata_stores import open_store

  found: list[PastRun] = []
  for config in connections:
    with open_store(config) as handle:
      found += lineage.list_runs(handle, name)
  if mlmd is None:
    found += _never_begun(name, workspace, found)
  found = [_told_apart(run, workspace) for run in found]
  return sorted(found, key=lambda run: (run.started, run.run_id), reverse=True)


def _never_begun(
  task: str | None, workspace: str | None, known: Collection[PastRun]
) -> Iterator[PastRun]:
  """Yields the runs that were killed before their first node began; no store knows them."""
  from pipeline.runs import lineage

  for name in [task] if task is not None else tasks_in(workspace):
    stored = {run.run_id for run in known if run.task == name}
    for run_id, began in run_files.never_begun(Workspace.of(workspace).task(name), stored):
      yield lineage.PastRun(
        run_id=run_id,
        task=name,
        started=began.isoformat(timespec="seconds"),
        state=lineage.UNFINISHED,
        metrics={},
        pushed_version=None,
        nodes=(),
      )


@contextlib.contextmanager
def opened(
  run_id: str, task: str | None, workspace: str | None, mlmd: str | None
) -> Iterator[tuple[Any, PastRun]]:
  """Opens the metadata store that holds a run; yields its connection and the run.

  Raises:
    BadInputError: no run has this name, or runs of several tasks do.
  """
  quieten_screen()
  from pipeline.runs import lineage
  from pipeline.runs.store.metadata_stores import open_store

  name = checked(task, workspace)
  run_id = named(run_id, name, workspace, mlmd)
  found = []
  with contextlib.ExitStack() as stack:
    handles = [stack.enter_context(open_store(each)) for each in stores(name, workspace, mlmd)]
    for handle in handles:
      run = lineage.show_run(handle, run_id, name)
      found += [(handle, run)] if run is not None else []
    if not found and handles and mlmd is None:
      never_begun = _never_begun(name, workspace, ())
      found = [(handles[0], run) for run in never_begun if run.run_id == run_id]
    if not found:
      raise BadInputError(f"There is no run {run_id!r}. `dlpipe runs list` lists what there is.")
    if len(found) > 1:
      tasks = ", ".join(run.task for _, run in found)
      raise BadInputError(f"Several tasks have a run {run_id!r}: {tasks}. Choose one with --task.")
    handle, run = found[0]
    yield handle, _told_apart(run, workspace)


def named(run_id: str, task: str | None, workspace: str | None, mlmd: str | None) -> str:
  """Returns the name of a run; for `latest` that of the latest run of the task, or of all.

  Raises:
    BadInputError: `latest`, and nothing has run.
  """
  if run_id != LATEST:
    return run_id
  found = past_runs(task, workspace, mlmd)
  if not found:
    of_task = f" of {task}" if task is not None else ""
    raise BadInputError(f"There is no run{of_task} yet. `dlpipe run` makes one.")
  return found[0].run_id


def predictions_of(
  run_id: str, task: str | None, workspace: str | None, mlmd: str | None
) -> tuple[PastRun, pathlib.Path]:
  """Returns a run and the directory of its predictions.

  Args:
    run_id: the run's name; `latest` for the latest one that has predictions.
    task: the run's task; None if the name is enough.
    workspace: the workspace as the user gave it; None takes the environment's, or the default.
    mlmd: a metadata store's connection file; None takes the SQLite files of the workspace.

  Raises:
    BadInputError: there is no such run, or it has no predictions.
  """
  if run_id == LATEST:
    for run in past_runs(task, workspace, mlmd):
      if (directory := _predictions(run)) is not None:
        return run, directory
    of_task = f" of {task}" if task is not None else ""
    raise BadInputError(f"No run{of_task} has predictions yet. `dlpipe run` makes them.")
  with opened(run_id, task, workspace, mlmd) as (_, run):
    found = _predictions(run)
  if found is None:
    raise BadInputError(
      f"The run {run_id} has no predictions: it ended before its model was evaluated, or it is of "
      "an earlier release."
    )
  return run, found


def ended(config: PipelineConfig, result: RunResult) -> Run:
  """Returns the run that has just ended with this result.

  Raises:
    DlpipeError: the metadata store does not contain the run.
  """
  from pipeline.runs import lineage
  from pipeline.runs.facts import read_facts
  from pipeline.runs.store.metadata_stores import connection, open_store

  with open_store(connection(config)) as handle:
    past = lineage.show_run(handle, result.run_id, result.task)
  if past is None:
    raise DlpipeError(
      f"The metadata store of {config.folder.root} does not know {result.run_id!r}."
    )
  return as_run(
    past, read_facts(outputs_of(past)), config.folder, data=config.data_path, ended=result
  )


def served_now(
  task: str, workspace: str | None, mlmd: str | None, *, tell: Callable[[str], None]
) -> dict[str, Any]:
  """Returns the versions of a task that a model server finds, and the runs that pushed them.

  Args:
    task: name of the task.
    workspace: the workspace as the user gave it; None takes the environment's, or the default.
    mlmd: a metadata store's connection file; None takes the SQLite file of the workspace.
    tell: receives a warning if the store cannot be read, so that the runs are unknown.

  Returns:
    `task`; `serving_dir`; `versions`, the newest first, each with the fields of `served.Version`
    and the `run_id` and `metrics` of the run that pushed it; `served`, the newest version or None;
    `candidates`, `labels` and `pins`; `changes` of them, the oldest first; `bytes`, by file and
    folder of the task's folder, the largest first.
  """
  folder = Workspace.of(workspace).task(task)
  serving_dir = folder.serving
  versions = served.versions(serving_dir)
  runs = _runs(task, workspace, mlmd, tell) if versions else []
  facts = [_facts(version, _pushed_by(version, runs, serving_dir)) for version in versions]
  found = stages.read(folder)
  return {
    "task": task,
    "serving_dir": str(serving_dir),
    "served": facts[0] if facts else None,
    "versions": facts,
    "candidates": list_candidates(serving_dir),
    "labels": found.labels,
    "pins": found.pins,
    "changes": [change.model_dump(mode="json") for change in found.changes],
    "bytes": sizes.by_part(folder),
  }


def _runs(
  task: str, workspace: str | None, mlmd: str | None, tell: Callable[[str], None]
) -> list[PastRun]:
  """Returns the runs, the latest first; none if the metadata store is damaged."""
  try:
    return past_runs(task, workspace, mlmd)
  except DlpipeError as err:  # the served versions are known without it
    tell(f"Which run pushed what is not known: {err}")
    return []


def _pushed_by(
  version: served.Version, runs: list[PastRun], serving_dir: pathlib.Path
) -> PastRun | None:
  """Returns the run that pushed a version, if it is among the runs, the latest first."""
  from pipeline.runs import result

  # A version number is pushed again only if that version was deleted.
  for run in runs:
    if run.state == result.PUSHED and run.pushed_version == version.first_version:
      return run
  # A run that failed, or was killed, right after the version was published: its copy to a store was
  # lost, for instance. It is the first that made the model.
  origin = version_record(serving_dir, version.version).get("pushed_from")
  return next((run for run in reversed(runs) if origin and _made(run, origin)), None)


def _made(run: PastRun, origin: str) -> bool:
  """Returns whether a run made an artifact, whose path may be one below the task's folder."""
  return any(
    uri == origin or uri.endswith(f"/{origin}")
    for node in run.nodes
    for uri in node["outputs"].values()
  )


def _facts(version: served.Version, run: PastRun | None) -> dict[str, Any]:
  return {
    **version.to_json(),
    "run_id": run.run_id if run is not None else None,
    "metrics": dict(run.metrics) if run is not None else {},
  }


def _told_apart(run: PastRun, workspace: str | None) -> PastRun:
  """Returns the run; its state says whether a process is still working on it, from the locks.

  What its deleted files told comes from what was kept of them.
  """
  from pipeline.execution import at_work
  from pipeline.runs import lineage

  folder = Workspace.of(workspace).task(run.task)
  kept = cleaned.find(folder, run.run_id)
  if kept is not None:
    state = kept.state if run.state == lineage.DONE else run.state
    run = dataclasses.replace(
      run, metrics=run.metrics or kept.metrics, state=state, cleaned=kept.at
    )
  else:
    run = lineage.killed_apart(run, folder)
  return lineage.told_apart(run, at_work.run_ids(folder))


def outputs_of(run: PastRun) -> dict[str, Mapping[str, str]]:
  """Returns URIs by node and output name."""
  return {node["id"]: node["outputs"] for node in run.nodes}


def _predictions(run: PastRun) -> pathlib.Path | None:
  uri = PREDICTIONS.find(outputs_of(run))
  return pathlib.Path(uri) if uri is not None else None
