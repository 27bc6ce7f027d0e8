"""Writes what a watch found in Prometheus's text format, for node_exporter's textfile collector."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator, Mapping

from dlpipe.disk.whole_files import FOR_OTHERS, write_whole
from pipeline.batch.requests.watching import Watched

_HELP = {
  "dlpipe_watch_requests": "Sampled requests in the watched window.",
  "dlpipe_watch_refused_requests": "Logged requests in the watched window that were refused.",
  "dlpipe_watch_alarms": "Changes found; the exit code is 3 if there is one.",
  "dlpipe_watch_version": "Version that the requests are compared with.",
  "dlpipe_watch_until_timestamp_seconds": "End of the watched window.",
  "dlpipe_drift_bits": "Jensen-Shannon divergence of a feature.",
  "dlpipe_drift_bound_bits": "Divergence beyond which a feature has changed.",
  "dlpipe_drift_changed": "Whether a feature has changed.",
  "dlpipe_live_accuracy": "Share of right answers among the labelled requests.",
  "dlpipe_live_labelled_requests": "Requests whose label is known.",
}


def write(found: Watched, task: str, path: pathlib.Path) -> None:
  """Writes the file, whole or not at all, because the collector may read it at any time."""
  write_whole(path, text(found, task), mode=FOR_OTHERS)


def text(found: Watched, task: str) -> str:
  """Returns the content of the file."""
  lines = []
  for name, about in _HELP.items():
    samples = [each for each in _samples(found, task) if each[0] == name]
    if samples:
      lines += [f"# HELP {name} {about}", f"# TYPE {name} gauge"]
      lines += [f"{name}{_labels(labels)} {value:.10g}" for _, labels, value in samples]
  return "\n".join(lines) + "\n"


def _samples(found: Watched, task: str) -> Iterator[tuple[str, Mapping[str, str], float]]:
  own = {"task": task}
  yield "dlpipe_watch_requests", own, found.requests
  yield "dlpipe_watch_refused_requests", own, found.refused
  yield "dlpipe_watch_alarms", own, len(found.alarms)
  yield "dlpipe_watch_version", own, found.version
  yield "dlpipe_watch_until_timestamp_seconds", own, found.until
  for each in found.compared:
    for change in each.changes:
      labels = {**own, "about": each.about, "feature": change.feature}
      yield "dlpipe_drift_bits", labels, change.value
      yield "dlpipe_drift_bound_bits", labels, change.bound
      yield "dlpipe_drift_changed", labels, change.drifted
  if found.live is not None:
    yield "dlpipe_live_accuracy", own, found.live.accuracy
    yield "dlpipe_live_labelled_requests", own, found.live.rows


def _labels(labels: Mapping[str, str]) -> str:
  return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(value: str) -> str:
  return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
