"""One node of a compiled pipeline, as an orchestrator has it run: from a file to an exit code."""

from __future__ import annotations

import dataclasses
import json
import logging
import pathlib
import sys
from collections.abc import Mapping
from typing import Any

from absl import logging as absl_logging
from tfx.proto.orchestration import pipeline_pb2

from dlpipe import nodes
from dlpipe.causes import user_error
from dlpipe.errors import DlpipeError, ModelRefusedError
from pipeline.execution import attempts, ir, node
from pipeline.execution.output import LOG_FORMAT
from pipeline.execution.single_node import compiled_file
from pipeline.execution.single_node.node_request import NodeRequest
from pipeline.runs.pushes import was_refused
from pipeline.runs.store import executions
from pipeline.runs.store.metadata_stores import ConnectionConfig, open_store, read_connection

SKIPPED = 99


@dataclasses.dataclass(frozen=True, kw_only=True)
class SingleResult:
  """The result of a node.

  Attributes:
    node: the node's id.
    run_id: the run's name.
    state: COMPLETE, CACHED, FAILED or SKIPPED.
    execution_id: the execution in the metadata store; None if it has none.
    seconds: wall time, without imports.
    peak_rss_mb: the most memory its process held, in MB of 10^6 bytes; 0.0 if unknown.
    exit_code: 0 done or cached, 1 failed, 2 bad input, 3 data and 4 model refused, 75 busy, 99
      skipped.
    error: the message, if the exit code is neither 0 nor 99.
  """

  node: str
  run_id: str
  state: str
  execution_id: int | None
  seconds: float
  peak_rss_mb: float
  exit_code: int
  error: str | None = None

  def to_json(self) -> dict[str, Any]:
    """Returns the object `dlpipe node --json` prints."""
    return dataclasses.asdict(self)


def run_single(
  ir_file: str,
  node_id: str,
  run_id: str,
  *,
  mlmd: str | None = None,
  parameters: Mapping[str, str] | None = None,
) -> SingleResult:
  """Runs one node.

  Args:
    ir_file: a file of `dlpipe compile --for ir`.
    node_id: which node.
    run_id: the run's name: the same for all nodes of a run, and for every attempt.
    mlmd: the metadata store's connection file; None for the store that the pipeline names.
    parameters: runtime parameters by name.

  Raises:
    BadInputError: a file cannot be read; there is no such node or parameter.
  """
  compiled = ir.read_ir(compiled_file.of_run(compiled_file.read(ir_file), run_id))
  ir.bind(compiled, run_id, parameters)
  spec = node.find_node(compiled, node_id)
  store = read_connection(mlmd) if mlmd is not None else node.connection(compiled)
  outcome = node.run_node(compiled, node_id, store)
  if outcome.execution_id is not None:
    with open_store(store) as handle:
      executions.note_cost(
        handle.store,
        outcome.execution_id,
        seconds=round(outcome.seconds, 2),
        peak_rss_mb=outcome.peak_rss_mb,
      )
  code, error = _judged(outcome, compiled, spec, store)
  return SingleResult(
    node=node_id,
    run_id=run_id,
    state=outcome.state,
    execution_id=outcome.execution_id,
    seconds=round(outcome.seconds, 2),
    peak_rss_mb=outcome.peak_rss_mb,
    exit_code=code,
    error=error,
  )


def carry_out(request: NodeRequest) -> int:
  """Runs a node, logs to stderr, prints its result to stdout, and returns the exit code.

  Raises:
    BadInputError: as `run_single`.
  """
  if request.node_id is None:
    raise ValueError(f"Expected a node. Received: {request}")
  log_to_stderr(request.ir_file, request.run_id)
  result = run_single(
    request.ir_file,
    request.node_id,
    request.run_id,
    mlmd=request.mlmd,
    parameters=request.parameters,
  )
  if result.error is not None:
    sys.stderr.write(f"Error: {result.error}\n")
  if request.as_json:
    sys.stdout.write(json.dumps(result.to_json()) + "\n")
  else:
    sys.stdout.write(
      f"{result.node}: {result.state} after {result.seconds:.1f} s, "
      f"peak {result.peak_rss_mb:.0f} MB\n"
    )
  sys.stdout.flush()
  sys.stderr.flush()
  return result.exit_code


def log_to_stderr(ir_file: str, run_id: str) -> pathlib.Path | None:
  """Sends Python's logging to stderr, for the orchestrator, and to the log of the run.

  Returns:
    The log of the run; None if the pipeline does not say where that is, or it cannot be written.

  Raises:
    BadInputError: the file of the pipeline cannot be read.
  """
  # absl, which TFX logs with, would otherwise put a second handler beside this one.
  absl_logging.use_python_logging()
  logging.basicConfig(level=logging.INFO, format=LOG_FORMAT, stream=sys.stderr, force=True)
  for name in ("absl", "dlpipe"):
    logging.getLogger(name).setLevel(logging.INFO)
  compiled = compiled_file.read(ir_file)
  if compiled.told is None:
    return None
  path = compiled.config.folder.log(run_id)
  try:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Nodes of a run append side by side, each a line at a time.
    handler = logging.FileHandler(path, mode="a", encoding="utf-8")
  except OSError as err:
    logging.getLogger("dlpipe").warning("The run's log %s cannot be written: %s", path, err)
    return None
  handler.setFormatter(logging.Formatter(LOG_FORMAT))
  logging.getLogger().addHandler(handler)
  return path


def _judged(
  outcome: node.NodeOutcome,
  compiled: pipeline_pb2.Pipeline,
  spec: pipeline_pb2.PipelineNode,
  store: ConnectionConfig,
) -> tuple[int, str | None]:
  """Returns the exit code, and the message that goes with it."""
  if outcome.state == nodes.SKIPPED:
    return SKIPPED, None
  if outcome.error is not None:
    logging.getLogger("dlpipe").error("%s failed.", spec.node_info.id, exc_info=outcome.error)
    known = user_error(outcome.error)
    if known is not None:
      return known.exit_code, str(known)
    return DlpipeError.exit_code, f"{type(outcome.error).__name__}: {outcome.error}"
  if outcome.state == nodes.FAILED:
    return DlpipeError.exit_code, _unresolved(compiled, spec, store)
  with open_store(store) as handle:
    made = executions.outputs(handle.store, outcome.execution_id) if outcome.execution_id else {}
  if was_refused(made.values()):
    return ModelRefusedError.exit_code, "The model was refused; nothing was pushed."
  return 0, None


def _unresolved(
  compiled: pipeline_pb2.Pipeline, spec: pipeline_pb2.PipelineNode, store: ConnectionConfig
) -> str:
  """Returns why a node's inputs could not be found: which node before it has not done its part."""
  run_id = compiled.runtime_spec.pipeline_run_id.field_value.string_value
  waiting = []
  with open_store(store) as handle:
    for name in spec.upstream_nodes:
      execution = attempts.earlier(handle, node.find_node(compiled, name))
      if execution is None:
        waiting.append(f"{name} has not run")
      elif not attempts.succeeded(execution):
        waiting.append(f"{name} has not succeeded")
  reason = "; ".join(waiting) or "the log says which"
  return (
    f"The inputs of {spec.node_info.id} could not be found in the run {run_id}: {reason}. Run the "
    "nodes before it with the same --run-id and the same metadata store."
  )
