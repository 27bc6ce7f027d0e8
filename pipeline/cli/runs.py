"""`dlpipe runs`: what the metadata stores remember of earlier runs."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import pathlib
import shutil
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from components.errors import BadInputError
from pipeline.cli.inputs import workspace_option
from pipeline.cli.reproduce import reproduce
from pipeline.config import from_env
from pipeline.runners.output import quieten_imports
from pipeline.runners.summary import number
from pipeline.tasks import get_task, task_names

if TYPE_CHECKING:
  from pipeline.runners.changes import Change, Reason
  from pipeline.runners.lineage import PastRun

_COLUMNS = 120  # where nobody says how wide the screen is
_MOST_SHOWN = 40
_task_option = click.option(
  "--task", metavar="TASK", help="Whose run, where several have that name."
)


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


@click.group(short_help="List, show, compare and repeat earlier runs.")
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
  found = [_told_apart(run, workspace) for run in found]
  found.sort(key=lambda run: (run.started, run.run_id), reverse=True)
  if as_json:
    click.echo(json.dumps({"runs": [run.to_json(with_nodes=False) for run in found]}))
    return
  if not found:
    click.echo("There are no runs yet. dlpipe run TASK makes one.")
  width = max((len(run.run_id) for run in found), default=0)
  columns = shutil.get_terminal_size((_COLUMNS, 0)).columns
  for run in found:
    version = f"version {run.pushed_version}" if run.pushed_version is not None else ""
    line = f"{run.run_id:<{width}}  {run.task:<12}{run.started[:16].replace('T', ' ')}Z  "
    line += f"{run.state:<14}{version:<12}"
    click.echo(f"{line}{_shown_metrics(run, columns - len(line))}".rstrip())


@runs.command("show", short_help="Show one run, node by node.")
@click.argument("run_id", metavar="RUN")
@_task_option
@_store_options
def show(
  run_id: str, task: str | None, workspace: str | None, mlmd: str | None, as_json: bool
) -> None:
  """Show the run RUN: its nodes, their artifacts, and what came of it."""
  quieten_imports(on_screen=True)
  with _opened(run_id, task, workspace, mlmd) as (_, run):
    if as_json:
      click.echo(json.dumps(run.to_json(with_nodes=True)))
      return
    _print_head(run)
    for each in run.nodes:
      click.echo(f"{each['id']:<20}{each['state']:<10}{each['seconds']:>8.1f} s")
      for key, uri in sorted(each["outputs"].items()):
        click.echo(f"  {key}: {uri}")
    if mlmd is None:
      root = pathlib.Path(os.path.abspath(workspace or from_env()), run.task)
      for path in (root / "reports" / f"{run_id}.html", root / "logs" / f"{run_id}.log"):
        if path.exists():
          click.echo(f"{'Report' if path.suffix == '.html' else 'Log':<20}{path}")


@runs.command("why", short_help="Tell why each node ran, or did not.")
@click.argument("run_id", metavar="RUN")
@_task_option
@_store_options
def why(
  run_id: str, task: str | None, workspace: str | None, mlmd: str | None, as_json: bool
) -> None:
  """Tell why each node of the run RUN ran: what is another than when it last succeeded."""
  quieten_imports(on_screen=True)
  from pipeline.runners import changes

  with _opened(run_id, task, workspace, mlmd) as (handle, run):
    found = changes.reasons(handle, run.nodes)
    if as_json:
      values = run.to_json(with_nodes=False) | {"nodes": [each.to_json() for each in found]}
      click.echo(json.dumps(values))
      return
    _print_head(run)
    for each in found:
      click.echo(f"{each.node:<20}{each.state:<10}{_why(each)}")
      _print_changes(each.changes)


@runs.command("diff", short_help="Compare two runs of a task.")
@click.argument("before", metavar="RUN")
@click.argument("after", metavar="OTHER")
@_task_option
@_store_options
def diff(
  before: str,
  after: str,
  task: str | None,
  workspace: str | None,
  mlmd: str | None,
  as_json: bool,
) -> None:
  """Compare the run RUN with the run OTHER: what went in, and what came out."""
  quieten_imports(on_screen=True)
  from pipeline.runners import changes, lineage

  with _opened(before, task, workspace, mlmd) as (handle, first):
    second = lineage.show_run(handle, after, first.task)
    if second is None:
      raise BadInputError(
        f"There is no run {after!r} of {first.task} beside {before}. `dlpipe runs list` lists what "
        "there is."
      )
    nodes = changes.compare(handle, first.nodes, second.nodes)
  if as_json:
    both = {"before": first.to_json(with_nodes=False), "after": second.to_json(with_nodes=False)}
    shown = {name: [dataclasses.asdict(each) for each in found] for name, found in nodes.items()}
    click.echo(json.dumps(both | {"nodes": shown}))
    return
  for run in (first, second):
    _print_head(run, with_metrics=False)
  for name in sorted({*first.metrics, *second.metrics}):
    click.echo(_metric_line(name, first.metrics.get(name), second.metrics.get(name)))
  for name, found in nodes.items():
    if found:
      click.echo(name)
      _print_changes(found)
  if not any(nodes.values()):
    click.echo("Code, data, settings and inputs are the same.")


runs.add_command(reproduce)


@contextlib.contextmanager
def _opened(
  run_id: str, task: str | None, workspace: str | None, mlmd: str | None
) -> Iterator[tuple[Any, PastRun]]:
  """The one run of this name, and the store that has it, open."""
  from pipeline.runners import lineage
  from pipeline.runners.metadata_stores import open_store

  name = _pipeline_name(task)
  found = []
  with contextlib.ExitStack() as stack:
    for config in _stores(task, workspace, mlmd):
      handle = stack.enter_context(open_store(config))
      run = lineage.show_run(handle, run_id, name)
      found += [(handle, _told_apart(run, workspace))] if run is not None else []
    if not found:
      raise BadInputError(f"There is no run {run_id!r}. `dlpipe runs list` lists what there is.")
    if len(found) > 1:
      tasks = ", ".join(run.task for _, run in found)
      raise BadInputError(f"Several tasks have a run {run_id!r}: {tasks}. Choose one with --task.")
    yield found[0]


def _told_apart(run: PastRun, workspace: str | None) -> PastRun:
  """The run, with what the locks of its workspace say of it."""
  from pipeline.runners import at_work, lineage

  root = pathlib.Path(os.path.abspath(workspace or from_env()), run.task.replace("-", "_"))
  return lineage.told_apart(run, at_work.run_ids(root))


def _print_head(run: PastRun, *, with_metrics: bool = True) -> None:
  version = f"  version {run.pushed_version}" if run.pushed_version is not None else ""
  click.echo(f"{run.task}  run {run.run_id}  started {run.started}  {run.state}{version}")
  if with_metrics and run.metrics:
    shown = "   ".join(f"{key} {number(value)}" for key, value in sorted(run.metrics.items()))
    click.echo(f"Metrics  {shown}")


def _metric_line(name: str, before: float | None, after: float | None) -> str:
  shown = [number(value) if value is not None else "none" for value in (before, after)]
  line = f"{name:<20}{shown[0]:>12} -> {shown[1]:<12}"
  if before is not None and after is not None:
    line += f"{after - before:+.4g}"
  return line.rstrip()


def _why(reason: Reason) -> str:
  if reason.state == "CACHED":
    return f"as in run {reason.compared_with}" if reason.compared_with else "looked up"
  if reason.compared_with is None:
    return "for the first time"
  if not reason.changes:
    return f"again, though all is as in run {reason.compared_with}"
  return f"differs from run {reason.compared_with} in"


def _print_changes(changes: Sequence[Change]) -> None:
  for each in changes:
    if each.kind in ("code", "data"):
      click.echo(f"  {each.kind} ({each.name})")
    else:
      click.echo(f"  {each.kind} {each.name}: {_short(each.before)} -> {_short(each.after)}")


def _short(value: Any) -> str:
  if value is None:
    return "none"
  if isinstance(value, list):  # the URIs of an input
    return ", ".join("/".join(str(uri).split("/")[-3:]) for uri in value)
  text = value if isinstance(value, str) else json.dumps(value)
  return text if len(text) <= _MOST_SHOWN else f"{text[: _MOST_SHOWN - 3]}..."


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


def _shown_metrics(run: PastRun, columns: int) -> str:
  """The first metrics by name, as far as there is room."""
  line = ""
  for key in sorted(run.metrics):
    if key in ("example_count", "loss") or key.endswith("_diff"):
      continue
    more = f"{key} {number(run.metrics[key])}"
    if len(line) + len(more) + 2 > columns:
      break
    line += f"{more}  "
  return line
