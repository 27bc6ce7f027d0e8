"""The events of a run, as values: `pipeline.execution` emits them, listeners show or keep them.

A run is one `RunStarted`, then for each node a `ComponentStarted`, any number of `Progress` and a
`ComponentFinished`, then one `RunFinished`. A node that never starts may finish as SKIPPED.
Imports neither TensorFlow nor TFX.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from pipeline.runs.result import RunResult


@dataclasses.dataclass(frozen=True)
class RunStarted:
  """A run begins.

  Attributes:
    run_id: the run's name in the metadata store.
    task: the task's name.
    components: ids of all nodes, in the order the pipeline draws them.
    log_file: receives all output that is not on the screen.
  """

  run_id: str
  task: str
  components: tuple[str, ...]
  log_file: str


@dataclasses.dataclass(frozen=True)
class ComponentStarted:
  """The node `id` begins."""

  id: str


@dataclasses.dataclass(frozen=True)
class ComponentFinished:
  """A node ended, or will not run.

  Attributes:
    id: the node's id.
    state: COMPLETE, CACHED, FAILED or SKIPPED.
    seconds: wall time.
    peak_rss_mb: the most memory its process held, in MB; 0.0 if unknown.
    error: the first line of the message, if it failed.
  """

  id: str
  state: str
  seconds: float
  peak_rss_mb: float
  error: str | None = None


@dataclasses.dataclass(frozen=True)
class Progress:
  """How far a running node is, as `dlpipe.progress.report` reports it.

  Attributes:
    component: the node's id.
    message: one line for a person.
    fields: the same facts for a program, such as `epoch`, `epochs`, `records`.
  """

  component: str
  message: str
  fields: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class RunFinished:
  """The run ended, well or not."""

  result: RunResult


Event = RunStarted | ComponentStarted | ComponentFinished | Progress | RunFinished
Listener = Callable[[Event], None]
