"""`Watched` keeps what the events of a run say, for the page that shows it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from dlpipe import nodes
from dlpipe.artifact_files import finite
from pipeline.execution import events
from pipeline.execution.events import Event
from pipeline.execution.memory import family_mb
from pipeline.execution.terminal import RUNNING, Board


class Watched:
  """A listener that keeps the state of a run. Events may come from any thread."""

  def __init__(self, clock: Callable[[], float] = time.monotonic):
    self._board = Board(clock)
    self._lock = threading.Lock()
    self._epochs: list[dict[str, Any]] = []
    self._learning: str | None = None
    self._now: dict[str, Any] = {}
    self._ended = False
    self._state: str | None = None
    self._report: str | None = None

  def __call__(self, event: Event) -> None:
    with self._lock:
      self._board.apply(event)
      if isinstance(event, events.Progress):
        self._learn(event.component, event.fields)
      elif isinstance(event, events.ComponentFinished):
        if event.id == self._learning:
          self._now = {}
      elif isinstance(event, events.RunFinished):
        self._state, self._report = event.result.state, event.result.report

  def end(self) -> None:
    """Takes in that nothing more will be told: the run has ended, well or not."""
    with self._lock:
      self._ended = True

  def snapshot(self) -> dict[str, Any]:
    """Returns the state as JSON.

    Returns:
      `run_id`, `task`, `seconds`; `nodes` [{id, state, seconds, peak_rss_mb, message}]; `epochs`, a
      row an epoch as the training reports it; `now`, the latest progress of training: `phase`,
      `epoch`, `epochs`, `step`, `steps`, `examples_per_s`, `left_s`; `memory_mb`, of this process
      and those that it started; `ended`, whether nothing more will come; `state` and `report` of a
      run that told its end, else None.
    """
    with self._lock:
      board = self._board
      now = board.clock()
      shown = [
        {
          "id": node.id,
          "state": node.state,
          "seconds": round(now - node.started if node.state == RUNNING else node.seconds, 1),
          "peak_rss_mb": node.peak_rss_mb,
          "message": node.message,
        }
        for node in board.rows.values()
      ]
      told: dict[str, Any] = finite(
        {
          "run_id": board.run.run_id if board.run else "",
          "task": board.run.task if board.run else "",
          "seconds": round(now - board.started, 1),
          "nodes": shown,
          "epochs": list(self._epochs),
          "now": dict(self._now),
          "memory_mb": family_mb(),
          "ended": self._ended,
          "state": self._state,
          "report": self._report,
        }
      )
      return told

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
