"""`Watched` keeps what the events of a run say, for the page that shows it."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pathlib
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from dlpipe import nodes, words
from dlpipe.artifact_files import finite
from pipeline.execution import events
from pipeline.execution.events import Event

_RUNNING, _WAITING = "RUNNING", "WAITING"
_MB = 1000  # kB


@dataclasses.dataclass
class _Node:
  id: str
  state: str = _WAITING
  started: float = 0.0
  seconds: float = 0.0
  peak_rss_mb: float = 0.0
  message: str = ""


class Watched:
  """A listener that keeps the state of a run. Events may come from any thread."""

  def __init__(self, clock: Callable[[], float] = time.monotonic):
    self._clock = clock
    self._lock = threading.Lock()
    self._started = clock()
    self._run: events.RunStarted | None = None
    self._nodes: dict[str, _Node] = {}
    self._epochs: list[dict[str, Any]] = []
    self._learning: str | None = None
    self._now: dict[str, Any] = {}
    self._state: str | None = None
    self._report: str | None = None

  def __call__(self, event: Event) -> None:
    with self._lock:
      if isinstance(event, events.RunStarted):
        self._run, self._started = event, self._clock()
        self._nodes = {name: _Node(name) for name in event.components}
      elif isinstance(event, events.ComponentStarted):
        node = self._node(event.id)
        node.state, node.started = _RUNNING, self._clock()
      elif isinstance(event, events.Progress):
        self._node(event.component).message = words.one_line(event.message)
        self._learn(event.component, event.fields)
      elif isinstance(event, events.ComponentFinished):
        node = self._node(event.id)
        node.state, node.seconds, node.peak_rss_mb = event.state, event.seconds, event.peak_rss_mb
        if event.error:
          node.message = words.one_line(event.error.strip().split("\n")[0])
        if event.id == self._learning:
          self._now = {}
      else:
        self._state, self._report = event.result.state, event.result.report

  def snapshot(self) -> dict[str, Any]:
    """Returns the state as JSON.

    Returns:
      `run_id`, `task`, `seconds`; `nodes` [{id, state, seconds, peak_rss_mb, message}]; `epochs`, a
      row an epoch as the training reports it; `now`, the latest progress of training: `phase`,
      `epoch`, `epochs`, `step`, `steps`, `examples_per_s`, `left_s`; `memory_mb`, of this process
      and those that it started; `state` and `report` of a run that has ended.
    """
    with self._lock:
      now = self._clock()
      shown = [
        {
          "id": node.id,
          "state": node.state,
          "seconds": round(now - node.started if node.state == _RUNNING else node.seconds, 1),
          "peak_rss_mb": node.peak_rss_mb,
          "message": node.message,
        }
        for node in self._nodes.values()
      ]
      told: dict[str, Any] = finite(
        {
          "run_id": self._run.run_id if self._run else "",
          "task": self._run.task if self._run else "",
          "seconds": round(now - self._started, 1),
          "nodes": shown,
          "epochs": list(self._epochs),
          "now": dict(self._now),
          "memory_mb": memory_mb(),
          "state": self._state,
          "report": self._report,
        }
      )
      return told

  def _node(self, name: str) -> _Node:
    return self._nodes.setdefault(name, _Node(name))

  def _learn(self, component: str, fields: Mapping[str, Any]) -> None:
    """Takes the progress of a training: a step, or the row of an epoch."""
    if component not in (nodes.TRAINER.id, nodes.TUNER.id) or "left_s" not in fields:
      return
    if "step" in fields:
      self._now = dict(fields)
      return
    last = self._epochs[-1] if self._epochs else None
    again = last is not None and last["phase"] == fields["phase"]
    # Another training has begun: the next trial, or the Trainer after the Tuner.
    if component != self._learning or (again and last and fields["epoch"] <= last["epoch"]):
      self._epochs = []
    self._learning = component
    self._epochs.append(dict(fields))
    self._now = {**self._now, **fields}


def memory_mb() -> float:
  """Returns the resident memory of this process and of all that it started, in MB; 0 if unknown."""
  resident: dict[int, float] = {}
  parents: dict[int, int] = {}
  for folder in pathlib.Path("/proc").glob("[0-9]*"):
    with contextlib.suppress(OSError, ValueError, KeyError):
      lines = (folder / "status").read_text().splitlines()
      facts = dict(line.split(":", 1) for line in lines if ":" in line)
      process = int(facts["Pid"])
      parents[process] = int(facts["PPid"])
      resident[process] = int(facts["VmRSS"].split()[0]) / _MB
  return round(_of_family(resident, parents), 1)


def _of_family(resident: Mapping[int, float], parents: Mapping[int, int]) -> float:
  mine, waiting, total = {os.getpid()}, [os.getpid()], 0.0
  while waiting:
    process = waiting.pop()
    total += resident.get(process, 0.0)
    children = [child for child, parent in parents.items() if parent == process]
    waiting += [child for child in children if child not in mine]
    mine.update(children)
  return total
