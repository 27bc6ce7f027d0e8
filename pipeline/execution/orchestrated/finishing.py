"""Ends a run whose nodes an orchestrator started: its report, settings, quarantine, exit code.

The store says what became of each node; `local.conclude` does the rest, as for `dlpipe run`. It may
be called again: after nodes that had failed were repeated, the files are written anew.
"""

from __future__ import annotations

import datetime
import json
import sys
import time
from collections.abc import Mapping
from typing import Any

from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration import metadata as tfx_metadata
from tfx.proto.orchestration import pipeline_pb2

from dlpipe import nodes
from dlpipe.errors import (
  BadInputError,
  BusyError,
  DataRefusedError,
  DlpipeError,
  ModelRefusedError,
)
from pipeline.execution import at_work, attempts, ir, local, node
from pipeline.execution.single_node import compiled_file
from pipeline.execution.single_node.node_request import NodeRequest
from pipeline.execution.single_node.single import log_to_stderr
from pipeline.runs import run_files
from pipeline.runs.result import ComponentResult, RunResult
from pipeline.runs.shown.previous import previous_predictions
from pipeline.runs.store import executions, gone_artifacts
from pipeline.runs.store.metadata_stores import open_store, read_connection
from pipeline.runs.summary import summary_lines
from pipeline.settings import run_parameters
from pipeline.settings.config import PipelineConfig
from pipeline.tasks import get_task

_ERRORS = {
  kind.exit_code: kind for kind in (BadInputError, DataRefusedError, ModelRefusedError, BusyError)
}
_WIDTH = 100
_Executions = Mapping[str, metadata_store_pb2.Execution | None]


def finish(
  ir_file: str,
  run_id: str,
  *,
  mlmd: str | None = None,
  parameters: Mapping[str, str] | None = None,
) -> RunResult:
  """Ends a run.

  Args:
    ir_file: the compiled pipeline.
    run_id: the run's name, as its nodes were given it.
    mlmd: the metadata store's connection file; None for the store that the pipeline names.
    parameters: runtime parameters by name, as its nodes were given them.

  Returns:
    The result, also of a run that failed. A node that was killed, or that the orchestrator never
    started although nothing before it failed, has FAILED.

  Raises:
    BadInputError: a file cannot be read, a parameter is none, or no node of the run was started.
    BusyError: a node of the run is at work.
  """
  file = compiled_file.read(ir_file)
  compiled = ir.read_ir(compiled_file.of_run(file, run_id))
  ir.bind(compiled, run_id, parameters)
  config = _config(file.config, run_id, mlmd, parameters or {})
  if run_id in at_work.run_ids(config.folder):
    raise BusyError(f"A node of the run {run_id} is still at work. Finish the run when it is done.")
  task = get_task(config.task)
  store = read_connection(mlmd) if mlmd is not None else node.connection(compiled)
  with open_store(store) as handle:
    found = _executions(handle, compiled)
    done = {
      node_id: execution
      for node_id, execution in found.items()
      if execution is not None and attempts.succeeded(execution)
    }
    artifacts = {
      node_id: executions.outputs(handle.store, execution.id) for node_id, execution in done.items()
    }
    gone_artifacts.mark(handle, task.pipeline_name, config.folder.artifacts)
    before = previous_predictions(handle.store, artifacts)
  began = [e.create_time_since_epoch for e in found.values() if e is not None]
  if not began:
    raise BadInputError(
      f"No node of the run {run_id} was started, so there is nothing to report. The log of the "
      "orchestrator says why."
    )
  error, culprit = _failure(compiled, found)
  begun = run_files.told(config.folder, run_id)
  if begun is None or begun.config.model_dump() != config.model_dump():
    run_files.write(config, run_id)
  data = local.conclude(
    task,
    config,
    artifacts=artifacts,
    components=[
      _component(node.find_node(compiled, node_id), execution, failed=node_id == culprit)
      for node_id, execution in found.items()
    ],
    error=error,
    run_id=run_id,
    started=datetime.datetime.fromtimestamp(min(began) / 1000, datetime.timezone.utc),
    previous=before,
  )
  if config.keep.is_set:
    with at_work.alone(config.folder, run_id):
      data = local.cleaned(config, data)
  return local.announced(config, data)


def carry_out(request: NodeRequest) -> int:
  """Ends a run, logs to stderr, prints its result to stdout, and returns the exit code.

  Raises:
    DlpipeError: as `finish`.
  """
  started = time.monotonic()
  log = log_to_stderr(request.ir_file, request.run_id)
  result = finish(request.ir_file, request.run_id, mlmd=request.mlmd, parameters=request.parameters)
  if request.as_json:
    sys.stdout.write(json.dumps(result.to_json()) + "\n")
  else:
    seconds = time.monotonic() - started
    lines = summary_lines(result, log_file=str(log or ""), seconds=seconds, width=_WIDTH)
    sys.stdout.writelines(f"{line.text}\n" for line in lines)
  sys.stdout.flush()
  sys.stderr.flush()
  return result.exit_code


def _config(
  compiled: PipelineConfig, run_id: str, mlmd: str | None, parameters: Mapping[str, str]
) -> PipelineConfig:
  """Returns the configuration of a run: as begun, or as compiled, with the run's parameters."""
  begun = run_files.told(compiled.folder, run_id)
  told = begun.config if begun is not None else compiled
  config = run_parameters.replaced(told, parameters)
  if mlmd is None:
    return config
  metadata = config.metadata.model_copy(update={"connection_file": mlmd})
  return config.model_copy(update={"metadata": metadata})


def _executions(handle: tfx_metadata.Metadata, compiled: pipeline_pb2.Pipeline) -> _Executions:
  return {
    node_id: attempts.earlier(handle, node.find_node(compiled, node_id))
    for node_id in node.node_ids(compiled)
  }


def _failure(
  compiled: pipeline_pb2.Pipeline, found: _Executions
) -> tuple[BaseException | None, str | None]:
  """Returns what ended the run early, and the node; None, None if all nodes succeeded."""
  left = [n for n, e in found.items() if e is None or not attempts.succeeded(e)]
  began = [node_id for node_id in left if found[node_id] is not None]
  if not left:
    return None, None
  # Where two ended badly, the one that says why comes first.
  culprit = next((n for n in began if _says_why(found[n])), None)
  if culprit is not None:
    properties = _properties(found[culprit])
    kind = _ERRORS.get(properties[executions.EXIT_CODE].int_value, DlpipeError)
    return kind(properties[executions.ERROR].string_value), culprit
  if began:
    first = began[0]
    return DlpipeError(_without_words(found[first])), first
  return DlpipeError("it was never started; the log of the orchestrator says why"), left[0]


def _says_why(execution: metadata_store_pb2.Execution | None) -> bool:
  # A try that was killed keeps the message of the one before.
  return (
    execution is not None
    and execution.last_known_state == metadata_store_pb2.Execution.FAILED
    and executions.ERROR in execution.custom_properties
  )


def _without_words(execution: metadata_store_pb2.Execution | None) -> str:
  """Returns what became of a node that began and left no message."""
  assert execution is not None
  if execution.last_known_state == metadata_store_pb2.Execution.FAILED:
    return "it failed, perhaps for want of its inputs; the log says why"
  return "it was killed, or its machine was lost; the log ends there"


def _properties(execution: metadata_store_pb2.Execution | None) -> Mapping[str, Any]:
  return execution.custom_properties if execution is not None else {}


def _component(
  spec: pipeline_pb2.PipelineNode,
  execution: metadata_store_pb2.Execution | None,
  *,
  failed: bool,
) -> ComponentResult:
  if execution is None:
    state = nodes.FAILED if failed else nodes.SKIPPED
    return ComponentResult(id=spec.node_info.id, state=state, seconds=0.0, peak_rss_mb=0.0)
  spent = execution.last_update_time_since_epoch - execution.create_time_since_epoch
  noted = executions.SECONDS in execution.custom_properties
  properties = execution.custom_properties
  return ComponentResult(
    id=spec.node_info.id,
    state=node.state_of(spec, execution),
    seconds=properties[executions.SECONDS].double_value if noted else round(spent / 1000, 2),
    peak_rss_mb=properties[executions.PEAK_RSS_MB].double_value if noted else 0.0,
  )
