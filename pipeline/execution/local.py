"""Runs a pipeline on this machine and tells listeners what happens."""

from __future__ import annotations

import dataclasses
import datetime
import os
import pathlib
import shutil
from collections.abc import Mapping
from typing import Any

from components.source_example_gen.summary import REJECTED_FILE
from components.spans import kept
from dlpipe import nodes
from dlpipe.errors import DlpipeError
from pipeline.announcing.announce import announce
from pipeline.assembly import create_pipeline
from pipeline.execution import at_work, events, node, node_events, partial, processes, sequential
from pipeline.execution.options import WHOLE_RUN, Examine, RunOptions
from pipeline.params import Params
from pipeline.report.render import write_report
from pipeline.runs import record, run_files
from pipeline.runs.report_data import ReportData
from pipeline.runs.result import Cleaned, ComponentResult, RunResult
from pipeline.runs.retention import cleaning
from pipeline.runs.shown.previous import Previous, previous_predictions
from pipeline.runs.store import executions, gone_artifacts
from pipeline.runs.store.metadata_stores import ConnectionConfig, connection, open_store
from pipeline.settings.config import PipelineConfig
from pipeline.task import Source, Task

# What a run waits for between nodes, by its name on the screen.
_STORE = "metadata store"


def run(
  task: Task,
  config: PipelineConfig,
  *,
  source: Source,
  params: Params,
  run_id: str,
  log_file: str,
  listener: events.Listener,
  train_and_push: bool = True,
  options: RunOptions = WHOLE_RUN,
  examine: Examine | None = None,
) -> RunResult:
  """Runs the pipeline; writes the run's settings and its report.

  A node that fails or refuses ends the run; the nodes after it are SKIPPED.

  Args:
    task: the task.
    config: this run's configuration.
    source: how the input is read.
    params: the settings of the run's model.
    run_id: the run's name in the metadata store.
    log_file: named in events, for people.
    listener: receives every event, in order.
    train_and_push: False runs only the nodes that read and check the data.
    options: how the nodes are carried out, and which.
    examine: from the run's id to the findings of `dlpipe check`, None if the data was not read.

  Returns:
    The result, also of a run that failed.

  Raises:
    BadInputError: the options name a node that is not there, or need an earlier run that is not
      there.
    BusyError: another run is at work in the same workspace, or another program locks the metadata
      store.
  """
  with at_work.alone(config.folder, run_id):
    started = datetime.datetime.now(datetime.timezone.utc)
    pipeline = create_pipeline(
      task,
      config,
      source=source,
      params=params,
      train_and_push=train_and_push,
    )
    compiled = node.compile_pipeline(pipeline, run_id)
    if not options.use_cache:
      node.without_cache(compiled)
    store = connection(config)
    with node_events.progress_to(listener, _STORE), open_store(store) as handle:
      partial.select(compiled, handle, options)
    if not options.use_cache and node.is_to_run(compiled, nodes.TRAINER.id):
      # A checkpoint and a trial are results of an earlier run, too.
      shutil.rmtree(config.folder.checkpoints, ignore_errors=True)
      shutil.rmtree(config.folder.trials, ignore_errors=True)
    if not options.use_cache and node.is_to_run(compiled, nodes.SOURCE_EXAMPLE_GEN.id):
      kept.Store(str(config.folder.spans)).forget()
    if train_and_push:
      run_files.write(config, run_id)
    listener(events.RunStarted(run_id, task.name, node.node_ids(compiled), log_file))
    if options.processes:
      outcomes = processes.run_nodes(
        compiled, store, listener=listener, options=options, folder=config.folder
      )
    else:
      outcomes = sequential.run_nodes(compiled, store, listener=listener, options=options)
    data = _conclude(task, config, store, outcomes, run_id, started, listener, examine)
    if train_and_push:
      data = cleaned(config, data)
    if (said := run_files.clock_behind(config.folder, run_id)) is not None:
      warned = [*data.result.model_warnings, said]
      data = dataclasses.replace(
        data, result=dataclasses.replace(data.result, model_warnings=warned)
      )
  result = announced(config, data) if train_and_push else data.result
  listener(events.RunFinished(result))
  return result


def _conclude(
  task: Task,
  config: PipelineConfig,
  store: ConnectionConfig,
  outcomes: Mapping[str, node.NodeOutcome],
  run_id: str,
  started: datetime.datetime,
  listener: events.Listener,
  examine: Examine | None,
) -> ReportData:
  with node_events.progress_to(listener, _STORE), open_store(store) as handle:
    artifacts = {
      node_id: executions.outputs(handle.store, outcome.execution_id)
      for node_id, outcome in outcomes.items()
      if outcome.execution_id is not None
    }
    gone_artifacts.mark(handle, task.pipeline_name, config.folder.artifacts)
    before = previous_predictions(handle.store, artifacts)
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
  check = examine(run_id) if examine else None
  return conclude(
    task,
    config,
    artifacts=artifacts,
    components=components,
    error=error,
    run_id=run_id,
    started=started,
    check=check,
    previous=before,
  )


def conclude(
  task: Task,
  config: PipelineConfig,
  *,
  artifacts: record.Artifacts,
  components: list[ComponentResult],
  error: BaseException | None,
  run_id: str,
  started: datetime.datetime,
  check: Mapping[str, Any] | None = None,
  previous: Previous | None = None,
) -> ReportData:
  """Ends a run, whoever carried out its nodes: reads its artifacts, writes report and quarantine.

  Args:
    task: the task.
    config: the run's configuration.
    artifacts: node id to output name to artifact, for the nodes that ran.
    components: the result of each node.
    error: the exception that ended the run early; None if there was none.
    run_id: the run's name.
    started: when it began.
    check: the findings of `dlpipe check`.
    previous: the predictions of the model before; None if there are none.
  """
  found = record.collect(
    task,
    config,
    artifacts=artifacts,
    components=components,
    error=error,
    run_id=run_id,
    previous=previous,
  )
  report = config.folder.report(run_id)
  data = found.report_data(
    report=str(report), started=started.isoformat(timespec="seconds"), check=check
  )
  try:
    _show_quarantine(config, found.quarantine_dir, run_id)
    write_report(data, report)
  except OSError as err:
    # The push or the refusal holds without a report, too.
    said = f"The report could not be written: {err.strerror or err}. What the run came to stands."
    warned = [*data.result.model_warnings, said]
    ended = dataclasses.replace(data.result, report=None, model_warnings=warned)
    return dataclasses.replace(data, result=ended)
  return data


def cleaned(config: PipelineConfig, data: ReportData) -> ReportData:
  """Deletes what `keep` lets go; the result says how much, or why it did not work."""
  return dataclasses.replace(data, result=_cleaned(config, data.result))


def announced(config: PipelineConfig, data: ReportData) -> RunResult:
  """Tells of the run whom `notify` and `tracking` name; the result says who could not be told."""
  said = announce(data, config, os.environ)
  if not said:
    return data.result
  return dataclasses.replace(data.result, model_warnings=[*data.result.model_warnings, *said])


def _cleaned(config: PipelineConfig, result: RunResult) -> RunResult:
  if not config.keep.is_set:
    return result
  others = at_work.run_ids(config.folder) - {result.run_id}
  if others:
    said = f"Nothing was cleaned: {', '.join(sorted(others))} is at work in the workspace, too."
    return dataclasses.replace(result, model_warnings=[*result.model_warnings, said])
  try:
    plan = cleaning.clean(
      config.folder,
      cleaning.stores_of(config.folder),
      config.keep,
      at_work={result.run_id},
    )
  except (DlpipeError, OSError) as err:
    # What the run came to stands.
    said = f"Earlier runs could not be cleaned: {err}"
    return dataclasses.replace(result, model_warnings=[*result.model_warnings, said])
  return dataclasses.replace(
    result,
    cleaned=Cleaned(
      runs=tuple(plan.runs), freed_bytes=plan.freed, left_bytes=plan.left, over_bytes=plan.over
    ),
  )


def _show_quarantine(config: PipelineConfig, source: pathlib.Path | None, run_id: str) -> None:
  """Copies the rejected records to the folder for people; the artifact stays in its place."""
  if source is None or not (source / REJECTED_FILE).exists():
    return
  if (source / REJECTED_FILE).stat().st_size:
    shutil.copytree(source, config.folder.quarantine(run_id), dirs_exist_ok=True)
