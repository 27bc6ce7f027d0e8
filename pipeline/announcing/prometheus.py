"""Writes the numbers of a run for the textfile collector of Prometheus' node_exporter."""

from __future__ import annotations

import math
import pathlib
import re
import time
from collections.abc import Iterator

from components.versioned_pusher.version_folders import list_versions
from dlpipe.disk.whole_files import FOR_OTHERS, write_whole
from dlpipe.workspace import TaskFolder
from pipeline.announcing.notices import NotToldError
from pipeline.runs.result import EXIT_CODES, FAILED, REFUSED_DATA, REFUSED_MODEL, RunResult

_SUCCESS = "dlpipe_last_success_timestamp_seconds"
_HELP = {
  "dlpipe_run_timestamp_seconds": "When the latest run ended.",
  _SUCCESS: "When the latest run that pushed, or had nothing to do, ended.",
  "dlpipe_run_exit_code": "0 pushed or nothing to do, 1 failed, 2 bad input, 3 and 4 refused.",
  "dlpipe_run_state": "1 for the state of the latest run.",
  "dlpipe_run_metric": "The metrics of the latest evaluation.",
  "dlpipe_run_gate_passed": "Whether a bound held.",
  "dlpipe_run_examples": "Examples by split, and quarantined records.",
  "dlpipe_run_warnings": "Warnings about the data and the model.",
  "dlpipe_run_node_seconds": "Wall time of each node.",
  "dlpipe_run_node_peak_rss_bytes": "The most memory that each node held.",
  "dlpipe_served_version": "The version that servers take.",
}
_Sample = tuple[str, dict[str, str], float]


def write(result: RunResult, folder: str) -> None:
  """Writes `dlpipe_<task>.prom`, whole or not at all.

  Args:
    result: the run.
    folder: the collector's folder.

  Raises:
    NotToldError: the file cannot be written.
  """
  path = pathlib.Path(folder) / f"dlpipe_{result.task}.prom"
  try:
    path.parent.stat()  # raises if it is gone: the collector's folder is not made here
    write_whole(path, _text(result, time.time(), _last_success(path)), mode=FOR_OTHERS)
  except OSError as err:
    raise NotToldError(f"{path} cannot be written: {err.strerror or err}") from err


def _text(result: RunResult, now: float, last_success: float | None) -> str:
  lines = []
  told = ""
  for name, labels, value in _samples(result, now, last_success):
    if name != told:
      lines += [f"# HELP {name} {_HELP[name]}", f"# TYPE {name} gauge"]
      told = name
    shown = ",".join(f'{key}="{_escaped(each)}"' for key, each in labels.items())
    lines.append(f"{name}{{{shown}}} {_number(value)}")
  return "\n".join(lines) + "\n"


def _samples(result: RunResult, now: float, last_success: float | None) -> Iterator[_Sample]:
  task = {"task": result.task}
  yield "dlpipe_run_timestamp_seconds", task, now
  succeeded = result.state not in (FAILED, REFUSED_DATA, REFUSED_MODEL)
  if succeeded or last_success is not None:
    yield _SUCCESS, task, now if succeeded or last_success is None else last_success
  yield "dlpipe_run_exit_code", task, result.exit_code
  for state in EXIT_CODES:
    yield "dlpipe_run_state", {**task, "state": state}, state == result.state
  for name, value in result.metrics.items():
    yield "dlpipe_run_metric", {**task, "metric": name}, value
  gates: dict[tuple[str, str], bool] = {}  # each series once
  for gate in result.gates:
    key = (gate.metric, str(gate.bound))
    gates[key] = gates.get(key, True) and gate.passed
  for (metric, bound), passed in gates.items():
    yield "dlpipe_run_gate_passed", {**task, "metric": metric, "bound": bound}, passed
  for split, count in result.examples.items():
    yield "dlpipe_run_examples", {**task, "split": split}, count
  yield "dlpipe_run_warnings", task, len(result.warnings)
  for each in result.components:
    yield "dlpipe_run_node_seconds", {**task, "node": each.id}, each.seconds
  for each in result.components:
    labels = {**task, "node": each.id}
    yield "dlpipe_run_node_peak_rss_bytes", labels, each.peak_rss_mb * 1e6
  versions = list_versions(TaskFolder.of_serving(result.serving_dir).serving)
  if versions:
    yield "dlpipe_served_version", task, versions[-1]


def _last_success(path: pathlib.Path) -> float | None:
  """Returns the time that the file of the run before has; None if it has none."""
  try:
    text = path.read_text(encoding="utf-8")
  except (OSError, UnicodeDecodeError):
    return None
  found = re.search(rf"^{_SUCCESS}\{{.*\}} ([0-9.e+]+)$", text, re.MULTILINE)
  return float(found[1]) if found else None


def _number(value: float) -> str:
  value = float(value)
  if math.isnan(value):
    return "NaN"
  if math.isinf(value):
    return "+Inf" if value > 0 else "-Inf"
  return repr(int(value)) if value.is_integer() else repr(value)


def _escaped(value: str) -> str:
  return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
