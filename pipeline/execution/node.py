"""Runs one node of a compiled pipeline in this process, and returns its outcome."""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
import time

from ml_metadata.proto import metadata_store_pb2
from tfx.dsl.compiler import compiler, constants
from tfx.orchestration import metadata
from tfx.orchestration.local import runner_utils
from tfx.orchestration.pipeline import Pipeline
from tfx.orchestration.portable import runtime_parameter_utils
from tfx.proto.orchestration import pipeline_pb2

from components.artifacts import TRY_AGAIN
from dlpipe import nodes
from dlpipe.causes import is_interrupt, user_error
from dlpipe.errors import BadInputError, BusyError, DlpipeError
from pipeline.execution import attempts
from pipeline.runs.pushes import last_push_is_gone
from pipeline.runs.store import executions
from pipeline.runs.store.compared import compares_anew
from pipeline.runs.store.metadata_stores import ConnectionConfig, open_store

_NODE_CONTEXT = "node"
_LONGEST_MESSAGE = 4000  # characters
_STATES = {
  metadata_store_pb2.Execution.COMPLETE: nodes.COMPLETE,
  metadata_store_pb2.Execution.CACHED: nodes.CACHED,
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class NodeOutcome:
  """The outcome of a node.

  Attributes:
    state: COMPLETE, CACHED, FAILED or SKIPPED, as in `events`.
    execution_id: the execution in the metadata store; None if it has none.
    seconds: wall time.
    peak_rss_mb: the most memory the process held meanwhile, in MB of 10^6 bytes.
    error: its exception, if it failed.
  """

  state: str
  execution_id: int | None
  seconds: float
  peak_rss_mb: float
  error: BaseException | None = None


def compile_pipeline(pipeline: Pipeline, run_id: str) -> pipeline_pb2.Pipeline:
  """Compiles a pipeline for one run."""
  compiled = compiler.Compiler().compile(pipeline)
  runtime_parameter_utils.substitute_runtime_parameter(
    compiled, {constants.PIPELINE_RUN_ID_PARAMETER_NAME: run_id}
  )
  return compiled


def node_ids(compiled: pipeline_pb2.Pipeline) -> tuple[str, ...]:
  """Returns the ids of all nodes, each after those it depends on."""
  return tuple(node.pipeline_node.node_info.id for node in compiled.nodes)


def without_cache(compiled: pipeline_pb2.Pipeline) -> None:
  """Makes every node run even if a cached result fits."""
  for node in compiled.nodes:
    node.pipeline_node.execution_options.caching_options.enable_cache = False


def find_node(compiled: pipeline_pb2.Pipeline, node_id: str) -> pipeline_pb2.PipelineNode:
  """Returns the node with this id.

  Raises:
    BadInputError: there is none.
  """
  for node in compiled.nodes:
    if node.pipeline_node.node_info.id == node_id:
      return node.pipeline_node
  raise BadInputError(
    f"The pipeline has no node {node_id!r}. Its nodes: {', '.join(node_ids(compiled))}."
  )


def is_to_run(compiled: pipeline_pb2.Pipeline, node_id: str) -> bool:
  """Returns whether the pipeline has this node, and no partial run leaves it out."""
  return node_id in node_ids(compiled) and not find_node(
    compiled, node_id
  ).execution_options.HasField("skip")


def connection(compiled: pipeline_pb2.Pipeline) -> ConnectionConfig:
  """Returns where the pipeline keeps its metadata by itself."""
  config = runner_utils.extract_local_deployment_config(compiled).metadata_connection_config
  return getattr(config, config.WhichOneof("connection_config"))


def run_node(
  compiled: pipeline_pb2.Pipeline,
  node_id: str,
  store_config: ConnectionConfig | None = None,
) -> NodeOutcome:
  """Runs a node: resolves its inputs, takes the cached result or executes, records the outcome.

  A node that has already succeeded in the same run is left alone.

  Args:
    compiled: a pipeline whose runtime parameters are bound.
    node_id: which of its nodes.
    store_config: the metadata store; None for the one that the pipeline names.

  Raises:
    BadInputError: there is no such node.
    KeyboardInterrupt: Ctrl-C, however wrapped.
  """
  node = find_node(compiled, node_id)
  if store_config is None:
    store_config = connection(compiled)
  _reset_peak_memory()
  started = time.monotonic()
  error: BaseException | None = None
  execution_id = None
  try:
    with attempts.alone(compiled, node_id):
      execution_id = _launch(compiled, node, store_config)
    state = _state(store_config, node, execution_id)
  except Exception as err:
    if is_interrupt(err):
      raise KeyboardInterrupt from err
    state, error = nodes.FAILED, err
    _note_failure(store_config, node, err)
  return NodeOutcome(
    state=state,
    execution_id=execution_id,
    seconds=time.monotonic() - started,
    peak_rss_mb=_peak_memory_mb(),
    error=error,
  )


def _launch(
  compiled: pipeline_pb2.Pipeline,
  node: pipeline_pb2.PipelineNode,
  store_config: ConnectionConfig,
) -> int | None:
  """Runs a node that has not succeeded in this run yet; returns its execution, if it has one."""
  with open_store(store_config) as handle:
    earlier = attempts.earlier(handle, node)
    if earlier is not None and attempts.succeeded(earlier):
      return earlier.id
    if node.execution_options.HasField("skip"):
      return None
    if last_push_is_gone(handle, compiled.pipeline_info.id, node) or _asks_for_another_try(
      handle, node
    ):
      node.execution_options.caching_options.enable_cache = False
  deployment = runner_utils.extract_local_deployment_config(compiled)
  node_id = node.node_info.id
  info = attempts.CleanLauncher(
    pipeline_node=node,
    mlmd_connection=open_store(store_config),
    pipeline_info=compiled.pipeline_info,
    pipeline_runtime_spec=compiled.runtime_spec,
    executor_spec=runner_utils.extract_executor_spec(deployment, node_id),
    custom_driver_spec=runner_utils.extract_custom_driver_spec(deployment, node_id),
  ).launch()
  if info is None or info.execution_id is None:
    return None
  if earlier is not None:
    with open_store(store_config) as handle:
      attempts.complete_inputs(handle, info)
  return info.execution_id


def _asks_for_another_try(handle: metadata.Metadata, node: pipeline_pb2.PipelineNode) -> bool:
  """Returns whether the node's last result must not be reused: it says so, or is out of date."""
  for named in node.contexts.contexts:
    if named.type.name != _NODE_CONTEXT:
      continue
    name = named.name.field_value.string_value
    context = handle.store.get_context_by_type_and_name(_NODE_CONTEXT, name)
    made = handle.store.get_artifacts_by_context(context.id) if context else []
    last = max(made, key=lambda artifact: artifact.id, default=None)
    tries_again = last is not None and last.custom_properties[TRY_AGAIN].int_value == 1
    return tries_again or compares_anew(handle, made, node)
  return False


def _note_failure(
  store_config: ConnectionConfig, node: pipeline_pb2.PipelineNode, error: Exception
) -> None:
  """Keeps exit code and message with a failed execution: a refusal is not taken for a crash.

  TFX does not end the execution of a node whose driver fails.
  """
  known = user_error(error)
  if isinstance(known, BusyError):
    return  # the execution is that of another process
  # If the store itself failed, it cannot keep the code.
  with contextlib.suppress(Exception), open_store(store_config) as handle:
    execution = attempts.earlier(handle, node)
    if execution is not None and not attempts.succeeded(execution):
      code = known.exit_code if known is not None else DlpipeError.exit_code
      message = str(known) if known is not None else f"{type(error).__name__}: {error}"
      execution.last_known_state = metadata_store_pb2.Execution.FAILED
      execution.custom_properties[executions.EXIT_CODE].int_value = code
      execution.custom_properties[executions.ERROR].string_value = message[:_LONGEST_MESSAGE]
      handle.store.put_executions([execution])


def _state(
  store_config: ConnectionConfig,
  node: pipeline_pb2.PipelineNode,
  execution_id: int | None,
) -> str:
  if execution_id is None:
    return nodes.SKIPPED
  with open_store(store_config) as handle:
    [execution] = handle.store.get_executions_by_id([execution_id])
  return state_of(node, execution)


def state_of(node: pipeline_pb2.PipelineNode, execution: metadata_store_pb2.Execution) -> str:
  """Returns what became of an execution that nobody works on: COMPLETE, CACHED or FAILED."""
  if node.node_info.type.name == executions.RESOLVER:
    # A Resolver only looks up what earlier nodes made. To find nothing is no failure: a node that
    # needs the missing artifact says so.
    return nodes.CACHED
  # The launcher swallows errors in input resolution: only the store knows.
  return _STATES.get(execution.last_known_state, nodes.FAILED)


def _reset_peak_memory() -> None:
  # Without this file (not Linux, or a locked-down container) the peak is that of the whole run.
  with contextlib.suppress(OSError):
    pathlib.Path("/proc/self/clear_refs").write_text("5")


def _peak_memory_mb() -> float:
  try:
    status = pathlib.Path("/proc/self/status").read_text()
  except OSError:
    return 0.0
  [line] = [line for line in status.splitlines() if line.startswith("VmHWM:")]
  return round(int(line.split()[1]) * 1024 / 1e6, 1)
