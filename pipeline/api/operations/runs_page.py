"""Collects the runs of tasks, with what is served of them, for one page."""

from __future__ import annotations

import math
import os
import pathlib
import re
import urllib.parse
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from components.trials import Trials
from components.versioned_pusher import stages
from components.versioned_pusher.candidates import list_candidates
from dlpipe import nodes
from dlpipe.verdicts import Ruling
from dlpipe.workspace import TaskFolder, Workspace
from pipeline.api import history
from pipeline.runs import result as results
from pipeline.runs import run_files, served
from pipeline.runs.summary import gate_sentence
from pipeline.settings.known_settings import in_yaml
from pipeline.tasks import get_task, task_names

if TYPE_CHECKING:
  from pipeline.report.pages.trends import Point
  from pipeline.runs.facts import Facts
  from pipeline.runs.lineage import PastRun

_MOST_CHARTS = 6
_NUMBER = re.compile(r"(?:[<>]= )?(-?[0-9.]+(?:e-?\d+)?)$")
# The verdict of the metric's own bound, not of its change.
_NOT_SHOWN = ("example_count", "loss")
_GOOD = (results.PUSHED, results.CACHED)
_BAD = (results.FAILED, results.REFUSED_DATA, results.REFUSED_MODEL)


def write_page(
  task: str | None,
  output: pathlib.Path,
  *,
  workspace: str | None,
  mlmd: str | None,
  most: int,
) -> int:
  """Writes the page; returns the number of runs on it.

  Args:
    task: name of a task; None for all tasks of the workspace.
    output: the `.html` file.
    workspace: the workspace as the user gave it.
    mlmd: a metadata store's connection file; None takes the SQLite files of the workspace.
    most: the most runs of a task, the latest ones.

  Raises:
    BadInputError: there is no such task.
    DlpipeError: a metadata store is damaged.
  """
  found = history.past_runs(task, workspace, mlmd)
  from pipeline.report.pages import writing

  by_task: dict[str, list[PastRun]] = {}
  for run in found:
    by_task.setdefault(run.task, []).append(run)
  sections = [
    _section(name, by_task[name], Workspace.of(workspace).task(name), output.parent, most=most)
    for name in sorted(by_task)
  ]
  title = f"Runs of {task}" if task is not None else f"Runs in {Workspace.of(workspace).path}"
  writing.write("runs.html.j2", output, title=title, tasks=sections)
  return sum(len(section["runs"]) for section in sections)


def _section(
  task: str, past: Sequence[PastRun], folder: TaskFolder, place: pathlib.Path, *, most: int
) -> dict[str, Any]:
  """Returns what the page shows of a task; `past` has the latest run first."""
  versions = served.versions(folder.serving)
  staged = stages.read(folder)
  live = versions[0] if versions else None
  numbers = {each.version: each.first_version for each in versions}
  marks: dict[int, list[str]] = {}
  if live is not None:
    marks.setdefault(live.first_version, []).append("served")
  for name, version in staged.labels.items():
    if name != stages.STABLE:
      marks.setdefault(numbers.get(version, version), []).append(name)
  for version in staged.pins:
    marks.setdefault(numbers.get(version, version), []).append("pinned")
  for version in list_candidates(folder.serving):
    marks.setdefault(version, []).append("candidate")
  shown = past[:most]
  files = {run.run_id: run_files.told(folder, run.run_id) for run in past[: most + 1]}
  rows = [
    _row(run, folder, place, marks=marks, changed=_changed(task, run, past, files)) for run in shown
  ]
  return {
    "name": task,
    "live": live,
    "labels": staged.labels,
    "pins": staged.pins,
    "candidates": list_candidates(folder.serving),
    "changes": list(reversed(staged.changes[-10:])),
    "charts": _charts(task, rows),
    "runs": rows,
    "more": len(past) - len(shown),
  }


def _row(
  run: PastRun,
  folder: TaskFolder,
  place: pathlib.Path,
  *,
  marks: Mapping[int, Sequence[str]],
  changed: Sequence[str] | None,
) -> dict[str, Any]:
  facts, damaged = _facts(run, folder)
  pushed = run.pushed_version if run.state == results.PUSHED else None
  tuning = _tuning(run)
  judged = {gate.metric: gate.interval for gate in facts.rulings if gate.interval}
  intervals = {**run.intervals, **judged}
  order = _metric_names(run.task)
  return {
    "run_id": run.run_id,
    "started": run.started,
    "seconds": sum(node["seconds"] for node in run.nodes),
    "state": run.state,
    "tone": "good" if run.state in _GOOD else "bad" if run.state in _BAD else "quiet",
    "version": run.pushed_version,
    "marks": marks.get(pushed, ()) if pushed is not None else (),
    "metrics": [
      {"name": name, "value": value, "interval": intervals.get(name)}
      for name, value in sorted(
        run.metrics.items(), key=lambda each: (order.get(each[0], 99), each)
      )
      if not name.endswith("_diff")
    ],
    "rulings": facts.rulings,
    "failed": [gate_sentence(gate) for gate in facts.rulings if not gate.passed],
    "warnings": [
      *(
        f["what"]
        for f in results.told_findings(facts.data.findings, facts.rulings)
        if f["level"] == "warning"
      ),
      *facts.warnings,
      *([damaged] if damaged else []),
    ],
    "examples": facts.examples,
    "changed": changed,
    "cleaned": run.cleaned,
    "report": _link(folder.report(run.run_id), place),
    "tuning": tuning,
    "trial_columns": _columns(tuning),
  }


def _facts(run: PastRun, folder: TaskFolder) -> tuple[Facts, str]:
  """Returns what a run's artifacts say, and a sentence if they are damaged: one spoils no page."""
  from pipeline.runs.facts import Facts

  try:
    return history.facts_of(run, folder), ""
  except (OSError, ValueError) as err:
    return Facts(), f"What this run wrote cannot be read: {str(err).splitlines()[0]}"


def _changed(
  task: str,
  run: PastRun,
  past: Sequence[PastRun],
  files: Mapping[str, run_files.RunFile | None],
) -> list[str] | None:
  """Returns the settings that differ from the run before; of the first, from the defaults.

  None if what the run was told is unknown, as for a run of `dlpipe check`.
  """
  from pipeline.runs import said

  told = files.get(run.run_id)
  if told is None or task not in task_names():
    return None
  earlier = past[past.index(run) + 1 :]
  before = next((file for each in earlier if (file := files.get(each.run_id))), None)
  known = get_task(task)
  if before is None:
    return [f"{each.name}={in_yaml(each.after)}" for each in said.told(told, known)]
  return [
    f"{each.name}: {in_yaml(each.before)} -> {in_yaml(each.after)}"
    for each in said.differences(before, told, known)
  ]


def _metric_names(task: str) -> dict[str, int]:
  """Returns the metrics that the task's gates may bound, with their place."""
  gates = get_task(task).gates if task in task_names() else ()
  return {gate.metric: place for place, gate in enumerate(gates)}


def _charts(task: str, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
  """Returns a chart for each metric that a gate may bound; of an unknown task, for any."""
  from pipeline.report.pages.trends import trend_chart

  measured = [each["name"] for row in rows for each in row["metrics"]]
  names = _metric_names(task) or dict.fromkeys(n for n in measured if n not in _NOT_SHOWN)
  charts = []
  for name in names:
    points = [point for row in reversed(rows) if (point := _point(name, row)) is not None]
    if points:
      bound = _bound(name, rows)
      charts.append({"name": name, "bound": bound, "svg": trend_chart(name, points, bound=bound)})
  return charts[:_MOST_CHARTS]


def _point(name: str, row: Mapping[str, Any]) -> Point | None:
  from pipeline.report.pages.trends import Point

  for each in row["metrics"]:
    if each["name"] == name and math.isfinite(each["value"]):
      version = f", version {row['version']}" if row["version"] is not None else ""
      return Point(
        name=f"{row['run_id']}, {row['state']}{version}: {name} {each['value']:.4g}",
        value=each["value"],
        interval=each["interval"],
        passed=row["state"] not in _BAD,
        is_live="served" in row["marks"],
      )
  return None


def _bound(name: str, rows: Sequence[Mapping[str, Any]]) -> float | None:
  """Returns the metric's own bound in the latest run that judged it."""
  for row in rows:
    for ruling in row["rulings"]:
      if ruling.metric == name and (bound := _as_number(ruling)) is not None:
        return bound
  return None


def _as_number(ruling: Ruling) -> float | None:
  found = _NUMBER.match(str(ruling.bound))
  return float(found[1]) if found else None


def _tuning(run: PastRun) -> Trials | None:
  from pipeline.runs import trained

  uri = nodes.TUNER_RESULTS.find(history.outputs_of(run))
  try:
    trials = Trials.read(pathlib.Path(uri)) if uri is not None else None
  except (OSError, ValueError):  # cleaned, or damaged
    return None
  return trained.ranked(trials) if trials is not None else None


def _columns(tuning: Trials | None) -> list[str]:
  trials = tuning.trials if tuning is not None else ()
  return list(dict.fromkeys(name for trial in trials for name in trial.hyperparameters))


def _link(path: pathlib.Path, place: pathlib.Path) -> str | None:
  """Returns the address of a report as seen from the page; None if there is none."""
  if not path.is_file():
    return None
  return urllib.parse.quote(os.path.relpath(path, place))
