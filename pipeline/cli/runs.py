"""`dlpipe runs`: what the metadata stores remember of earlier runs."""

from __future__ import annotations

import json
import os
import pathlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import click

from components.errors import BadInputError
from pipeline.cli.inputs import workspace_option
from pipeline.config import from_env
from pipeline.runners.output import quieten_imports
from pipeline.runners.summary import number
from pipeline.tasks import get_task, task_names

if TYPE_CHECKING:
  from pipeline.runners.lineage import PastRun

_SHOWN_METRICS = 3


def _store_options(command: Callable[..., Any]) -> Callable[..., Any]:
  """Where the runs are looked for, and how they are printed."""
  options = (
    workspace_option,
    click.option(
      "--mlmd",
      metavar="FILE",
      help="A metadata store's connection file. Default: the SQLite files of the workspace.",
    ),
    click.option("--json", "as_json", is_flag=True, help="Print one JSON object."),
  )
  for option in reversed(options):
    command = option(command)
  return command


@click.group(short_help="List and show earlier runs.")
def runs() -> None:
  """Earlier runs, by `dlpipe run` or by an orchestrator, from any metadata store."""


@runs.command("list", short_help="List the runs, the latest first.")
@click.argument("task", required=False)
@_store_options
def list_(task: str | None, workspace: str | None, mlmd: str | None, as_json: bool) -> None:
  """List the runs of TASK, or of all tasks, the latest first."""
  quieten_imports(on_screen=True)
  from pipeline.runners import lineage
  from pipeline.runners.metadata_stores import open_store

  name = _pipeline_name(task)
  found = []
  for config in _stores(task, workspace, mlmd):
    with open_store(config) as handle:
      found += lineage.list_runs(handle, name)
  found.sort(key=lambda run: (run.started, run.run_id), reverse=True)
  if as_json:
    click.echo(json.dumps({"runs": [run.to_json(with_nodes=False) for run in found]}))
    return
  if not found:
    click.echo("There are no runs yet. dlpipe run TASK makes one.")
  width = max((len(run.run_id) for run in found), default=0)
  for run in found:
    version = f"version {run.pushed_version}" if run.pushed_version is not None else ""
    line = f"{run.run_id:<{width}}  {run.task:<12}{run.started[:19].replace('T', ' ')}  "
    click.echo(f"{line}{run.state:<14}{version:<12}{_shown_metrics(run)}".rstrip())


@runs.command("show", short_help="Show one run, node by node.")
@click.argument("run_id", metavar="RUN")
@click.option("--task", metavar="TASK", help="Whose run, where several have that name.")
@_store_options
def show(
  run_id: str, task: str | None, workspace: str | None, mlmd: str | None, as_json: bool
) -> None:
  """Show the run RUN: its nodes, their artifacts, and what came of it."""
  quieten_imports(on_screen=True)
  from pipeline.runners import lineage
  from pipeline.runners.metadata_stores import open_store

  name = _pipeline_name(task)
  found = []
  for config in _stores(task, workspace, mlmd):
    with open_store(config) as handle:
      run = lineage.show_run(handle, run_id, name)
      found += [run] if run is not None else []
  if not found:
    raise BadInputError(f"There is no run {run_id!r}. `dlpipe runs list` lists what there is.")
  if len(found) > 1:
    tasks = ", ".join(run.task for run in found)
    raise BadInputError(f"Several tasks have a run {run_id!r}: {tasks}. Choose one with --task.")
  [run] = found
  if as_json:
    click.echo(json.dumps(run.to_json(with_nodes=True)))
    return
  click.echo(f"{run.task}  run {run.run_id}  started {run.started}  {run.state}")
  if run.pushed_version is not None:
    click.echo(f"Version {run.pushed_version}")
  if run.metrics:
    shown = "   ".join(f"{key} {number(value)}" for key, value in sorted(run.metrics.items()))
    click.echo(f"Metrics  {shown}")
  for each in run.nodes:
    click.echo(f"{each['id']:<20}{each['state']:<10}{each['seconds']:>8.1f} s")
    for key, uri in sorted(each["outputs"].items()):
      click.echo(f"  {key}: {uri}")


def _pipeline_name(task: str | None) -> str | None:
  return get_task(task).name.replace("_", "-") if task is not None else None


def _stores(task: str | None, workspace: str | None, mlmd: str | None) -> Iterator[Any]:
  """The connections of the store that is named, or of those in the workspace."""
  from pipeline.runners.metadata_stores import read_connection, sqlite_connection

  if mlmd is not None:
    yield read_connection(mlmd)
    return
  root = pathlib.Path(os.path.abspath(workspace or from_env()))
  for name in [task] if task is not None else task_names():
    path = root / name / "metadata.db"
    if path.exists():
      yield sqlite_connection(path)


def _shown_metrics(run: PastRun) -> str:
  shown = [key for key in sorted(run.metrics) if key not in ("example_count", "loss")]
  return "  ".join(f"{key} {number(run.metrics[key])}" for key in shown[:_SHOWN_METRICS])
