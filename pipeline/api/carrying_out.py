"""Executes a prepared run: sends frameworks' output to its log, turns errors into one message."""

from __future__ import annotations

import contextlib
import datetime
import os
import pathlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from dlpipe.causes import user_error
from dlpipe.errors import DlpipeError
from dlpipe.remote import publishing
from pipeline.api.inputs import Inputs
from pipeline.beam.engines import check_engine
from pipeline.execution.events import Listener
from pipeline.execution.options import WHOLE_RUN, Examine, RunOptions
from pipeline.execution.output import RealStreams, quiet_output, quieten_imports
from pipeline.runs.result import RunResult


def carry_out(
  inputs: Inputs,
  *,
  run_id: str,
  show: Callable[[RealStreams], AbstractContextManager[Listener]],
  train_and_push: bool,
  how: RunOptions = WHOLE_RUN,
  examine: Examine | None = None,
) -> RunResult:
  """Executes a prepared run.

  Args:
    inputs: the prepared run.
    run_id: name of the run, from `new_run_id`.
    show: receives the streams of the terminal; its context yields the listener of the run.
    train_and_push: False runs only the nodes that read and check the data.
    how: which nodes to run, and how.
    examine: receives the run's id and returns findings about its data, for the report.

  Raises:
    DlpipeError: the run ended without a result. If the error was unexpected, the message names the
      log that holds the traceback.
  """
  check_engine(inputs.config.beam, os.environ)
  quieten_imports()
  log = log_file(inputs, run_id)
  told: AbstractContextManager[None] = contextlib.nullcontext()
  if train_and_push:
    from pipeline.announcing.announce import failures_told

    told = failures_told(inputs.config, run_id, os.environ)
  with told:
    if train_and_push and how.until_node is None and inputs.config.push.copy_to is not None:
      publishing.require_writable(inputs.config.push.copy_to)
    return _carried_out(
      inputs, run_id, show, log, train_and_push=train_and_push, how=how, examine=examine
    )


def _carried_out(
  inputs: Inputs,
  run_id: str,
  show: Callable[[RealStreams], AbstractContextManager[Listener]],
  log: pathlib.Path,
  *,
  train_and_push: bool,
  how: RunOptions,
  examine: Examine | None,
) -> RunResult:
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


def examine(inputs: Inputs, run_id: str, *, labels: bool = False) -> dict[str, Any] | None:
  """Checks the data that a run has read, and writes the page on it.

  Args:
    inputs: the prepared run.
    run_id: the run's name.
    labels: whether to look for labels that are likely wrong.

  Returns:
    As `check_data`, with `page`, the path of the page, for `look`; None if the run ended before it
    read all.
  """
  from pipeline.checks.report import check_data
  from pipeline.gates import gate_facts
  from pipeline.report.data_page import DataPage, render_data
  from pipeline.report.render import write_page
  from pipeline.runs.data_artifacts import data_artifacts

  found = data_artifacts(inputs.config, run_id)
  if found is None:
    return None
  check = check_data(
    inputs.task,
    examples=found.examples,
    quarantine=found.quarantine,
    gates=gate_facts(inputs.task, inputs.config.gates.bounds),
    kept=inputs.config.folder.checks,
    labels=labels,
  )
  if found.drift is not None:
    check["findings"] = [*found.drift.shown_findings, *check["findings"]]
  page = inputs.config.folder.data_page(found.examples)
  data = DataPage(
    task=inputs.task.name,
    data_path=inputs.config.data_path,
    recognized=inputs.recognized,
    check=check,
    is_text=inputs.task.input.kind == "text",
  )
  write_page(render_data(data), page)
  return {**{key: value for key, value in check.items() if key != "look"}, "page": str(page)}


def log_file(inputs: Inputs, run_id: str) -> pathlib.Path:
  """Returns the path of a run's log."""
  return inputs.config.folder.log(run_id)


def new_run_id() -> str:
  """Returns a new name for a run; names sort by time."""
  now = datetime.datetime.now(datetime.timezone.utc)
  return f"{now:%Y%m%d-%H%M%S}-{os.urandom(2).hex()}"
