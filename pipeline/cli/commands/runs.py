"""`dlpipe runs` lists, shows and compares earlier runs from the metadata stores."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from dlpipe.errors import BadInputError
from dlpipe.words import minute, number
from dlpipe.workspace import Workspace
from pipeline.api.history import named, opened, past_runs
from pipeline.api.quiet_screen import quieten_screen
from pipeline.api.stores import checked, strangers_in, tasks_in
from pipeline.cli.commands.reproduce import reproduce
from pipeline.cli.commands.run_rows import rows
from pipeline.cli.json_output import echo_json
from pipeline.cli.operations.runs_page import page
from pipeline.cli.options import store_options, task_of_run_option
from pipeline.runs import run_files, served
from pipeline.runs.retention import cleaned
from pipeline.settings.known_settings import in_yaml
from pipeline.tasks import get_task, task_names

if TYPE_CHECKING:
  from pipeline.runs.changes import Change, Reason
  from pipeline.runs.lineage import PastRun

_COLUMNS = 120  # if the width of the screen is unknown
_MOST_SHOWN = 40


@click.group(short_help="List, show, compare and repeat earlier runs.")
def runs() -> None:
  """Earlier runs, by `dlpipe run` or by an orchestrator, from any metadata store."""


@runs.command("list", short_help="List the runs, the latest first.")
@click.argument("task", required=False)
@store_options
def list_(task: str | None, workspace: str | None, mlmd: str | None, as_json: bool) -> None:
  """List the runs of TASK, or of all tasks, the latest first, with what is served now.

  A rollback stands among them, at its time.
  """
  name = checked(task, workspace)
  found = past_runs(name, workspace, mlmd)
  # Runs of another metadata store may be served from another workspace.
  places = ([name] if name is not None else tasks_in(workspace)) if mlmd is None else []
  versions = {each: served.versions(Workspace.of(workspace).task(each).serving) for each in places}
  rollbacks = [
    {"task": each, **version.to_json()}
    for each, some in versions.items()
    for version in some
    if version.how == served.ROLLED_BACK
  ]
  if as_json:
    now = {each: some[0].to_json() for each, some in versions.items() if some}
    listed = [run.to_json(with_nodes=False) for run in found]
    echo_json({"runs": listed, "rollbacks": rollbacks, "served": now})
    return
  if not found:
    click.echo("There are no runs yet. dlpipe run TASK makes one.")
  for line in _listed(found, rollbacks):
    click.echo(line)
  for each, some in versions.items():
    if some:
      click.echo(f"Served now: {each} version {some[0].version}{_again(some[0])}")
  if mlmd is None and name is None and (strangers := strangers_in(workspace)):
    click.echo(
      f"No task of this name is known here: {', '.join(strangers)}. DLPIPE_TASKS names folders of "
      "further tasks.",
      err=True,
    )


def _listed(found: Sequence[PastRun], rollbacks: Sequence[dict[str, Any]]) -> list[str]:
  """Returns a line for each run and each rollback, the latest first."""
  width = max((len(run.run_id) for run in found), default=0)
  tasks = [run.task for run in found] + [each["task"] for each in rollbacks]
  task_width = max([10, *map(len, tasks)]) + 2
  columns = shutil.get_terminal_size((_COLUMNS, 0)).columns
  lines = []
  for each in rollbacks:
    line = (
      f"{'-':<{width}}  {each['task']:<{task_width}}{minute(each['since'])}  {'rolled_back':<14}"
    )
    line += f"{'version ' + str(each['version']):<12}is version {each['rollback_of']} again"
    lines.append((each["since"], line))
  for run in found:
    version = f"version {run.pushed_version}" if run.pushed_version is not None else ""
    line = f"{run.run_id:<{width}}  {run.task:<{task_width}}{minute(run.started)}  "
    line += f"{run.state:<14}{version:<12}{'cleaned  ' if run.cleaned else ''}"
    lines.append((run.started, f"{line}{_shown_metrics(run, columns - len(line))}".rstrip()))
  return [line for _, line in sorted(lines, key=lambda each: each[0], reverse=True)]


def _again(version: served.Version) -> str:
  again = f", which is version {version.rollback_of} again" if version.rollback_of else ""
  return again + (f", since {minute(version.since)}" if version.since else "")


@runs.command("show", short_help="Show one run, node by node.")
@click.argument("run_id", metavar="RUN")
@task_of_run_option
@store_options
def show(
  run_id: str, task: str | None, workspace: str | None, mlmd: str | None, as_json: bool
) -> None:
  """Show the run RUN: what it was told, its nodes, their artifacts, and what came of it.

  RUN may be `latest`.
  """
  quieten_screen()
  from pipeline.runs import trained

  with opened(run_id, task, workspace, mlmd) as (_, run):
    told = _told(run.task, run.run_id, workspace, mlmd)
    kept = cleaned.find(Workspace.of(workspace).task(run.task), run.run_id)
    training = trained.record_of(run.nodes, kept)
    if as_json:
      more = {
        "told": {each.name: each.after for each in told},
        "phases": [phase.to_json() for phase in training.phases],
        "class_weights": training.class_weights,
        "calibration": training.calibration and training.calibration.to_json(),
        "warm_start": training.warm_start and training.warm_start.to_json(),
        "spans": _spans(run, kept),
        "certainty": training.certainty and training.certainty.to_json(),
      }
      echo_json(run.to_json(with_nodes=True) | more)
      return
    _print_head(run)
    if kept is not None:
      click.echo(f"Cleaned  {kept.sentence}")
    for change in told:
      click.echo(f"Told     {change.name}={in_yaml(change.after)}")
    if spans := _spans(run, kept):
      names = [span["name"] for span in spans if not span["is_missing"]]
      click.echo(f"Spans    {len(names):,}: {names[0]} to {names[-1]}")
    for sentence in training.warm_start.sentences() if training.warm_start else ():
      click.echo(f"Began    {sentence}")
    for phase in training.phases:
      click.echo(f"Trained  {trained.sentence(phase)}")
    if training.class_weights:
      click.echo(f"Weights  {trained.weights_in_words(training.class_weights)}")
    if training.calibration:
      click.echo(f"Scores   {training.calibration.sentence}")
    for sentence in training.certainty.sentences if training.certainty else ():
      click.echo(f"Doubts   {sentence}")
    for each in run.nodes:
      click.echo(f"{each['id']:<20}{each['state']:<10}{each['seconds']:>8.1f} s")
      for key, uri in sorted(each["outputs"].items()):
        is_gone = kept is not None and not os.path.exists(uri)
        click.echo(f"  {key}: {uri}{' (cleaned)' if is_gone else ''}")
    for line in trained.trial_lines(run.tuning) if run.tuning else ():
      click.echo(line)
    if mlmd is None:
      folder = Workspace.of(workspace).task(run.task)
      for path in (folder.report(run.run_id), folder.log(run.run_id)):
        if path.exists():
          click.echo(f"{'Report' if path.suffix == '.html' else 'Log':<20}{path}")


def _spans(run: PastRun, kept: cleaned.CleanedRun | None) -> list[dict[str, Any]]:
  """Returns the spans of the data that a run saw."""
  from pipeline.runs import facts

  if kept is not None:
    return facts.of_cleaned(kept).spans
  return facts.read_facts({node["id"]: node["outputs"] for node in run.nodes}).spans


@runs.command("why", short_help="Tell why each node ran, or did not.")
@click.argument("run_id", metavar="RUN")
@task_of_run_option
@store_options
def why(
  run_id: str, task: str | None, workspace: str | None, mlmd: str | None, as_json: bool
) -> None:
  """Tell why each node of the run RUN ran: what is another than when it last succeeded.

  RUN may be `latest`.
  """
  quieten_screen()
  from pipeline.runs import changes
  from pipeline.runs.said import in_users_words

  with opened(run_id, task, workspace, mlmd) as (handle, run):
    found = changes.reasons(handle, run.nodes)
    told = {
      each.compared_with: _said(run.task, each.compared_with, run.run_id, workspace, mlmd)
      for each in found
    }
    if as_json:
      nodes = [
        each.to_json() | {"said": [dataclasses.asdict(word) for word in told[each.compared_with]]}
        for each in found
      ]
      echo_json(run.to_json(with_nodes=False) | {"nodes": nodes})
      return
    _print_head(run)
    for each in found:
      click.echo(f"{each.node:<20}{each.state:<10}{_why(each)}")
      _print_changes(in_users_words(each.changes, told[each.compared_with]))


@runs.command("diff", short_help="Compare two runs of a task.")
@click.argument("before", metavar="RUN")
@click.argument("after", metavar="OTHER")
@task_of_run_option
@store_options
def diff(
  before: str,
  after: str,
  task: str | None,
  workspace: str | None,
  mlmd: str | None,
  as_json: bool,
) -> None:
  """Compare the run RUN with the run OTHER: what went in, and what came out.

  Either may be `latest`.
  """
  quieten_screen()
  from pipeline.runs import changes, lineage
  from pipeline.runs.said import in_users_words

  with opened(before, task, workspace, mlmd) as (handle, first):
    second = lineage.show_run(handle, named(after, first.task, workspace, mlmd), first.task)
    if second is None:
      raise BadInputError(
        f"There is no run {after!r} of {first.task} beside {before}. `dlpipe runs list` lists what "
        "there is."
      )
    nodes = changes.compare(handle, first.nodes, second.nodes)
  said = _said(first.task, first.run_id, second.run_id, workspace, mlmd)
  if as_json:
    both = {"before": first.to_json(with_nodes=False), "after": second.to_json(with_nodes=False)}
    shown = {name: [dataclasses.asdict(each) for each in found] for name, found in nodes.items()}
    words = [dataclasses.asdict(each) for each in said]
    echo_json(both | {"said": words, "nodes": shown})
    return
  for run in (first, second):
    _print_head(run, with_metrics=False)
  for name in sorted({*first.metrics, *second.metrics}):
    click.echo(_metric_line(name, first.metrics.get(name), second.metrics.get(name)))
  if said:
    click.echo("Told differently")
    _print_changes(said)
  for name, found in nodes.items():
    # Settings are shown above already.
    rest = [each for each in in_users_words(found, said) if each not in said]
    if rest:
      click.echo(name)
      _print_changes(rest)
  if not said and not any(nodes.values()):
    click.echo("Code, data, settings and inputs are the same.")


runs.add_command(page)
runs.add_command(reproduce)
runs.add_command(rows)


def _said(
  task: str, before: str | None, after: str, workspace: str | None, mlmd: str | None
) -> list[Change]:
  """Returns the settings in which two runs differ; empty if they are unknown."""
  from pipeline.runs import said

  folder = Workspace.of(workspace).task(task)
  first, second = run_files.told(folder, before), run_files.told(folder, after)
  if mlmd is not None or first is None or second is None or task not in task_names():
    return []
  return said.differences(first, second, get_task(task))


def _told(task: str, run_id: str, workspace: str | None, mlmd: str | None) -> list[Change]:
  """Returns the settings of a run that differ from the defaults; empty if they are unknown."""
  from pipeline.runs import said

  run = run_files.told(Workspace.of(workspace).task(task), run_id)
  if mlmd is not None or run is None or task not in task_names():
    return []
  return said.told(run, get_task(task))


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
  if isinstance(value, list):  # the URIs of an input channel
    return ", ".join("/".join(str(uri).split("/")[-3:]) for uri in value)
  text = value if isinstance(value, str) else json.dumps(value)
  return text if len(text) <= _MOST_SHOWN else f"{text[: _MOST_SHOWN - 3]}..."


def _shown_metrics(run: PastRun, columns: int) -> str:
  """Returns as many metrics, in order of name, as fit into the columns."""
  line = ""
  for key in sorted(run.metrics):
    if key in ("example_count", "loss") or key.endswith("_diff"):
      continue
    more = f"{key} {number(run.metrics[key])}"
    if len(line) + len(more) + 2 > columns:
      break
    line += f"{more}  "
  return line
