"""`dlpipe status` shows the served version, its time and run, and versions for a rollback."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

import click

from components.versioned_pusher.repair import repair_of
from dlpipe.words import memory, minute, number, one_line
from dlpipe.workspace import Workspace
from pipeline.api.history import served_now
from pipeline.api.stores import checked, tasks_in
from pipeline.cli.json_output import echo_json
from pipeline.cli.options import store_options
from pipeline.runs import served

_PARTS = 4  # shown of the folder
_CHANGES = 3
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
  found = [
    served_now(each, workspace, mlmd, tell=lambda said: click.echo(said, err=True))
    for each in ([name] if name is not None else tasks_in(workspace))
  ]
  if as_json:
    echo_json({"tasks": found})
    return
  if not found:
    click.echo(f"Nothing has run in {Workspace.of(workspace).path}. dlpipe run TASK makes a model.")
  place = f" --workspace {shlex.quote(workspace)}" if workspace else ""
  for facts in found:
    for line in _lines(facts, place):
      click.echo(line)


def _lines(found: Mapping[str, Any], place: str) -> list[str]:
  now = found["served"]
  if now is None:
    return [
      f"{found['task']}  nothing is served; dlpipe run {found['task']} pushes a model",
      *_stages(found, place),
      *_disk(found["bytes"]),
    ]
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
    and each["was_live"]
  ]
  if other:
    lines += [f"  {'Back':<9}dlpipe rollback {found['task']} --to {other[0]}{place}"]
  return [*lines, *_stages(found, place), *_disk(found["bytes"])]


def _stages(found: Mapping[str, Any], place: str) -> list[str]:
  """Labels, pins and candidates, and the last changes by hand."""
  lines = []
  if found["labels"]:
    named = (f"{name} {number}" for name, number in sorted(found["labels"].items()))
    lines.append(f"  {'Labels':<9}{', '.join(named)}")
  if found["pins"]:
    lines.append(f"  {'Pinned':<9}{', '.join(map(str, found['pins']))}")
  if found["candidates"]:
    waiting = ", ".join(map(str, found["candidates"]))
    lines.append(f"  {'Waiting':<9}{waiting}; dlpipe promote {found['task']}{place}")
  for change in found["changes"][-_CHANGES:]:
    number = f" as {change['became']}" if change["became"] not in (None, change["version"]) else ""
    why = f": {one_line(change['reason'])}" if change["reason"] else ""
    if (flips := change["flips"]) is not None and flips["rate"] is not None:
      why += f" ({flips['rate']:.2%} of {flips['sampled']:,} requests flip)"
    lines.append(
      f"  {'Change':<9}{minute(change['at'])} {change['what']} {change['version']}"
      f"{number} by {change['by']}{why}"
    )
  return lines


def _disk(sizes: Mapping[str, int]) -> list[str]:
  """Returns what the task's folder takes, and its largest parts."""
  if not sizes:
    return []
  parts = ", ".join(f"{name} {memory(size / 1e6)}" for name, size in [*sizes.items()][:_PARTS])
  return [f"  {'Disk':<9}{memory(sum(sizes.values()) / 1e6)}: {parts}"]


def _since(version: Mapping[str, Any]) -> str:
  return f" since {minute(version['since'])}" if version["since"] else ""


def _how(version: Mapping[str, Any]) -> str:
  run = f"run {version['run_id']}" if version["run_id"] else "a run that is not known here"
  if version["how"] == served.ROLLED_BACK:
    again = f"rolled back to version {version['rollback_of']}"
    return f"{again}, pushed by {run}"
  if version["how"] == served.PUSHED:
    return f"pushed by {run}"
  return "put there by something else than dlpipe"
