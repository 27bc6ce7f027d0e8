"""Partial runs: the nodes between two of them, with the rest taken from an earlier run."""

from __future__ import annotations

from tfx.orchestration import metadata
from tfx.orchestration.portable import partial_run_utils
from tfx.proto.orchestration import pipeline_pb2

from dlpipe.errors import BadInputError
from pipeline.execution import attempts, node
from pipeline.execution.options import RunOptions
from pipeline.runs.store import executions as executions_of

_REQUIRED = pipeline_pb2.NodeExecutionOptions.Skip.REQUIRED


def select(compiled: pipeline_pb2.Pipeline, handle: metadata.Metadata, options: RunOptions) -> None:
  """Marks the nodes that are not to run, and gives this run the results of theirs that it needs.

  Args:
    compiled: a pipeline with its run id; marked in place.
    handle: the open store.
    options: the first and the last node; neither leaves everything as it is.

  Raises:
    BadInputError: there is no such node, no node lies between the two, or no earlier run has what
      comes before the first.
  """
  if options.from_node is None and options.until_node is None:
    return
  for name in (options.from_node, options.until_node):
    if name is not None:
      node.find_node(compiled, name)
  partial_run_utils.mark_pipeline(
    compiled,
    from_nodes=[options.from_node] if options.from_node else None,
    to_nodes=[options.until_node] if options.until_node else None,
  )
  nodes = [each.pipeline_node for each in compiled.nodes]
  if all(each.execution_options.HasField("skip") for each in nodes):
    raise BadInputError(
      f"{options.until_node} does not come after {options.from_node}: nothing would be run. The "
      f"nodes in their order: {', '.join(node.node_ids(compiled))}."
    )
  needed = [each for each in nodes if each.execution_options.skip.reuse_artifacts_mode == _REQUIRED]
  if not needed:
    return
  partial_run_utils.snapshot(handle, compiled, base_run_id=_base_run(compiled, handle, needed))


def _base_run(
  compiled: pipeline_pb2.Pipeline,
  handle: metadata.Metadata,
  needed: list[pipeline_pb2.PipelineNode],
) -> str:
  """Returns the latest run in which every node succeeded whose results are needed."""
  this = compiled.runtime_spec.pipeline_run_id.field_value.string_value
  pipeline = handle.store.get_context_by_type_and_name(
    executions_of.PIPELINE, compiled.pipeline_info.id
  )
  # Every run is a child of its pipeline's context.
  runs = [
    run
    for run in (handle.store.get_children_contexts_by_context(pipeline.id) if pipeline else ())
    if run.type == executions_of.PIPELINE_RUN and run.name != this
  ]
  for run in sorted(runs, key=lambda run: run.create_time_since_epoch, reverse=True):
    executions = [attempts.earlier(handle, each, run_id=run.name) for each in needed]
    if all(
      each is not None and attempts.succeeded(each) and executions_of.has_files(handle.store, each)
      for each in executions
    ):
      return run.name
  names = ", ".join(each.node_info.id for each in needed)
  raise BadInputError(
    f"A run from there takes up an earlier run in which these nodes succeeded: {names}. There is "
    "none in this metadata store, or dlpipe clean deleted its files; run the pipeline without "
    "--from once."
  )
