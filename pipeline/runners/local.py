"""Runs a pipeline on this machine, node after node in this process, and tells listeners."""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import logging
import pathlib
import shutil
from collections.abc import Iterator, Mapping
from typing import Any

from components import progress
from components.errors import BadInputError
from pipeline.assembly import create_pipeline
from pipeline.config import PipelineConfig
from pipeline.report.render import write_report
from pipeline.runners import events, node, record
from pipeline.runners.causes import user_error
from pipeline.runners.metadata_stores import ConnectionConfig, connection, open_store
from pipeline.runners.result import ComponentResult, RunResult
from pipeline.task import Source, Task


def run(
  task: Task,
  config: PipelineConfig,
  *,
  source: Source,
  hyperparameters: Mapping[str, Any],
  run_id: str,
  log_file: str,
  listener: events.Listener,
  train_and_push: bool = True,
) -> RunResult:
  """Runs the pipeline and writes the report.

  A node that failed or was refused ends the run; what needs it is SKIPPED.

  Args:
    task: what is learnt.
    config: this run's configuration.
    source: how the input is read.
    hyperparameters: the merged hyperparameters.
    run_id: the run's name in the metadata store.
    log_file: named in events, for people.
    listener: receives every event, in order.
    train_and_push: False runs only the nodes that read and check the data.

  Returns:
    What came of it; a run that fails returns too.

  Raises:
    BadInputError: another run is at work in the same workspace.
  """
  with _locked(config.root):
    started = datetime.datetime.now(datetime.timezone.utc)
    pipeline = create_pipeline(
      task,
      config,
      source=source,
      hyperparameters=hyperparameters,
      train_and_push=train_and_push,
    )
    compiled = node.compile_pipeline(pipeline, run_id)
    store = connection(config)
    ids = node.node_ids(compiled)
    listener(events.RunStarted(run_id, task.name, ids, log_file))
    outcomes: dict[str, node.NodeOutcome] = {}
    for node_id in ids:
      listener(events.ComponentStarted(node_id))
      with _progress_to(listener, node_id):
        outcome = node.run_node(compiled, node_id, store)
      outcomes[node_id] = outcome
      listener(_finished(node_id, outcome))
      if outcome.state == events.COMPONENT_FAILED:
        logging.getLogger("dlpipe").error("%s failed.", node_id, exc_info=outcome.error)
        break
    for node_id in ids[len(outcomes) :]:
      outcomes[node_id] = node.NodeOutcome(
        state=events.SKIPPED, execution_id=None, seconds=0.0, peak_rss_mb=0.0
      )
      listener(_finished(node_id, outcomes[node_id]))
    result = _conclude(task, config, store, outcomes, run_id, started)
  listener(events.RunFinished(result))
  return result


def _conclude(
  task: Task,
  config: PipelineConfig,
  store: ConnectionConfig,
  outcomes: Mapping[str, node.NodeOutcome],
  run_id: str,
  started: datetime.datetime,
) -> RunResult:
  with open_store(store) as handle:
    artifacts = {
      node_id: node.outputs(handle.store, outcome.execution_id)
      for node_id, outcome in outcomes.items()
      if outcome.execution_id is not None
    }
  components = [
    ComponentResult(
      id=node_id,
      state=outcome.state,
      seconds=round(outcome.seconds, 2),
      peak_rss_mb=outcome.peak_rss_mb,
    )
    for node_id, outcome in outcomes.items()
  ]
  error = next((o.error for o in outcomes.values() if o.error is not None), None)
  found = record.collect(
    task, config, artifacts=artifacts, components=components, error=error, run_id=run_id
  )
  _show_quarantine(config, found.quarantine_dir, run_id)
  report = config.root / "reports" / f"{run_id}.html"
  data = found.report_data(report=str(report), started=started.isoformat(timespec="seconds"))
  write_report(data, report)
  return data.result


def _show_quarantine(config: PipelineConfig, source: pathlib.Path | None, run_id: str) -> None:
  """Copies what was rejected to where people look; artifacts stay as the store knows them."""
  if source is None or not (source / "rejected.jsonl").exists():
    return
  if (source / "rejected.jsonl").stat().st_size:
    shutil.copytree(source, config.root / "quarantine" / run_id, dirs_exist_ok=True)


def _finished(node_id: str, outcome: node.NodeOutcome) -> events.ComponentFinished:
  error = None
  if outcome.error is not None:
    known = user_error(outcome.error)
    error = str(known or f"{type(outcome.error).__name__}: {outcome.error}").split("\n", 1)[0]
  return events.ComponentFinished(
    node_id, outcome.state, outcome.seconds, outcome.peak_rss_mb, error
  )


@contextlib.contextmanager
def _progress_to(listener: events.Listener, node_id: str) -> Iterator[None]:
  """Turns what `components.progress` logs into events while a node runs."""

  class Forward(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
      fields = getattr(record, progress.FIELDS, {})
      listener(events.Progress(node_id, record.getMessage(), fields))

  logger = logging.getLogger(progress.LOGGER_NAME)
  handler = Forward()
  level = logger.level
  logger.addHandler(handler)
  logger.setLevel(logging.INFO)
  try:
    yield
  finally:
    logger.removeHandler(handler)
    logger.setLevel(level)


@contextlib.contextmanager
def _locked(root: pathlib.Path) -> Iterator[None]:
  """Holds the workspace of a task; the lock dies with the process."""
  root.mkdir(parents=True, exist_ok=True)
  with (root / ".lock").open("a+") as file:
    try:
      fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
      raise BadInputError(
        f"Another run is at work in {str(root)!r}. Wait for it, or choose another --workspace."
      ) from None
    yield
