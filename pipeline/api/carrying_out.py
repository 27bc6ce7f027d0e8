"""Carries out a run that was prepared: its noise goes to its log, what ends it is one message."""

from __future__ import annotations

import datetime
import os
import pathlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any

from dlpipe.causes import user_error
from dlpipe.errors import DlpipeError
from dlpipe.records import Record, Rejected
from pipeline.api.inputs import Inputs
from pipeline.beam.engines import check_engine
from pipeline.execution.events import Listener
from pipeline.execution.options import RunOptions
from pipeline.execution.output import RealStreams, quiet_output, quieten_imports
from pipeline.runs.result import RunResult

Examine = Callable[[str], "Mapping[str, Any] | None"]
_WHOLE_RUN = RunOptions()


def carry_out(
  inputs: Inputs,
  *,
  run_id: str,
  show: Callable[[RealStreams], AbstractContextManager[Listener]],
  train_and_push: bool,
  how: RunOptions = _WHOLE_RUN,
  examine: Examine | None = None,
) -> RunResult:
  """Runs what was prepared.

  Args:
    inputs: the run.
    run_id: its name, as `new_run_id` makes one.
    show: from the streams that a person still sees to the listener, for the length of the run.
    train_and_push: False runs only the nodes that read and check the data.
    how: which nodes, and how they are carried out.
    examine: from the run's id to what is found in its data; shown in the report.

  Raises:
    DlpipeError: what ended it before it came to a result, in one message; the traceback of what was
      not foreseen is in the log that the message names.
  """
  check_engine(inputs.config.beam, os.environ)
  quieten_imports()
  log = log_file(inputs, run_id)
  try:
    with quiet_output(log) as streams, show(streams) as listener:
      from pipeline.execution import local

      return local.run(
        inputs.task,
        inputs.config,
        source=inputs.source,
        params=inputs.params,
        run_id=run_id,
        log_file=str(log),
        listener=listener,
        train_and_push=train_and_push,
        options=how,
        examine=examine,
      )
  except DlpipeError:
    raise
  except Exception as err:
    raise user_error(err) or DlpipeError(
      f"{type(err).__name__}: {err}\nThis was not foreseen; the traceback is in {log}"
    ) from err


def examine(inputs: Inputs, run_id: str) -> dict[str, Any] | None:
  """What there is to know about the data that a run has read; None where it did not come so far."""
  from pipeline.checks.report import check_data
  from pipeline.gates import gate_facts
  from pipeline.runs.data_artifacts import data_artifacts

  found = data_artifacts(inputs.config, run_id)
  if found is None:
    return None
  return check_data(
    inputs.task,
    examples=found.examples,
    quarantine=found.quarantine,
    data_path=inputs.config.data_path,
    records=lambda: _records(inputs),
    gates=gate_facts(inputs.task, inputs.config.gates.bounds),
    kept=inputs.config.folder.checks,
  )


def _records(inputs: Inputs) -> Iterator[Record | Rejected]:
  options = inputs.config.data_options(inputs.task)
  for shard in inputs.source.plan(inputs.config.data_path, options).shards:
    yield from inputs.source.read(shard, options)


def log_file(inputs: Inputs, run_id: str) -> pathlib.Path:
  """Where a run's noise goes."""
  return inputs.config.folder.log(run_id)


def new_run_id() -> str:
  """A name for a run: names sort by time."""
  now = datetime.datetime.now(datetime.timezone.utc)
  return f"{now:%Y%m%d-%H%M%S}-{os.urandom(2).hex()}"
