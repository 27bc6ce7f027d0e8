"""`dlpipe status`: what is served, since when, from which run, and what one can go back to."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import Any

import click

from components.versioned_pusher.repair import repair_of
from dlpipe.errors import DlpipeError
from dlpipe.words import number
from pipeline.api.stores import checked, root_of, stores, tasks_in
from pipeline.cli.options import store_options
from pipeline.execution.output import quieten_imports
from pipeline.runs import served
from pipeline.runs.served import Version

_FILES = {
  served.WHOLE: "as they were published",
  served.CHANGED: "changed since they were published",
  served.DAMAGED: "damaged: no model server can load them",
  served.UNKNOWN: "not known to be whole: nothing says what they were",
}


@click.command(short_help="Say what is served, since when, and from which run.")
@click.argument("task", required=False)
@store_options
def status(task: str | None, workspace: str | None, mlmd: str | None, as_json: bool) -> None:
  """Say what a model server finds for TASK, or for all tasks of the workspace.

  Which version, since when, pushed by which run or rolled back to, with its
  metrics, whether its files are whole, and which versions one can go back to.
  Exits with 0 also where nothing is served.

  \b
  Examples:
    dlpipe status
    dlpipe status images --json
  """
  name = checked(task, workspace)
  found = []
  for each in [name] if name is not None else tasks_in(workspace):
    serving_dir = root_of(workspace) / each / "serving"
    versions = served.versions(serving_dir)
    runs = _runs(each, workspace, mlmd) if versions else {}
    found.append(
      {
        "task": each,
        "serving_dir": str(serving_dir),
        "served": _facts(versions[0], runs) if versions else None,
        "versions": [_facts(version, runs) for version in versions],
      }
    )
  if as_json:
    click.echo(json.dumps({"tasks": found}))
    return
  if not found:
    click.echo(f"Nothing has run in {root_of(workspace)}. dlpipe run TASK makes a model.")
  place = f" --workspace {shlex.quote(workspace)}" if workspace else ""
  for facts in found:
    for line in _lines(facts, place):
      click.echo(line)


def _runs(task: str, workspace: str | None, mlmd: str | None) -> Mapping[int, Any]:
  """By version the run that pushed it, as far as the metadata store knows it."""
  quieten_imports(on_screen=True)
  connections = list(stores(task, workspace, mlmd))
  if not connections:
    return {}
  from pipeline.runs import lineage, result
  from pipeline.runs.store.metadata_stores import open_store

  found: dict[int, Any] = {}
  for connection in connections:
    try:
      with open_store(connection) as handle:
        runs = lineage.list_runs(handle, task)
    except DlpipeError as err:  # a damaged store: what is served can be said without it
      click.echo(f"Which run pushed what is not known: {err}", err=True)
      continue
    # The latest first: a number is given out once, and only a deleted one is pushed again.
    for run in reversed(runs):
      if run.state == result.PUSHED and run.pushed_version is not None:
        found[run.pushed_version] = run
  return found


def _facts(version: Version, runs: Mapping[int, Any]) -> dict[str, Any]:
  run = runs.get(version.first_version)
  return {
    **version.to_json(),
    "run_id": run.run_id if run is not None else None,
    "metrics": dict(run.metrics) if run is not None else {},
  }


def _lines(found: Mapping[str, Any], place: str) -> list[str]:
  now = found["served"]
  if now is None:
    return [f"{found['task']}  nothing is served; dlpipe run {found['task']} pushes a model"]
  lines = [f"{found['task']}  version {now['version']} is served{_since(now)}"]
  lines += [f"  {'How':<9}{_how(now)}"]
  if now["metrics"]:
    shown = "   ".join(f"{key} {number(value)}" for key, value in sorted(now["metrics"].items()))
    lines += [f"  {'Metrics':<9}{shown}"]
  lines += [f"  {'Files':<9}{_FILES[now['files']]}", f"  {'Where':<9}{found['serving_dir']}"]
  if now["files"] in (served.CHANGED, served.DAMAGED):
    ways = repair_of(found["serving_dir"]).commands(found["task"], place)
    lines += [f"  {word:<9}{way}" for word, way in zip(("Mend", "or"), ways, strict=False)]
  older = found["versions"][1:]
  for each in older:
    note = "" if each["files"] in (served.WHOLE, served.UNKNOWN) else f", {each['files']}"
    label = "Older" if each is older[0] else ""
    lines += [f"  {label:<9}version {each['version']}{_since(each)}, {_how(each)}{note}"]
  other = [
    each["version"]
    for each in older
    if each["files"] in (served.WHOLE, served.UNKNOWN)
    and each["first_version"] != now["first_version"]
  ]
  if other:
    lines += [f"  {'Back':<9}dlpipe rollback {found['task']} --to {other[0]}{place}"]
  return lines


def _since(version: Mapping[str, Any]) -> str:
  return f" since {version['since'][:16].replace('T', ' ')}Z" if version["since"] else ""


def _how(version: Mapping[str, Any]) -> str:
  run = f"run {version['run_id']}" if version["run_id"] else "a run that is not known here"
  if version["how"] == served.ROLLED_BACK:
    again = f"rolled back to version {version['rollback_of']}"
    return f"{again}, pushed by {run}"
  if version["how"] == served.PUSHED:
    return f"pushed by {run}"
  return "put there by something else than dlpipe"
