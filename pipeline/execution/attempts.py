"""Makes it safe to run a node again under the same run id, whatever became of it before.

An orchestrator repeats a node that failed, that was killed, or of which it only believes so. TFX
takes up the execution of the earlier attempt, but leaves the files in its folders, and
registers the inputs only with an execution that is new.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
from collections.abc import Iterator

from ml_metadata.proto import metadata_store_pb2
from tfx.dsl.io import fileio
from tfx.orchestration import metadata
from tfx.orchestration.portable import data_types, launcher
from tfx.orchestration.portable.mlmd import event_lib, execution_lib
from tfx.proto.orchestration import execution_result_pb2, pipeline_pb2

from dlpipe.errors import BusyError
from pipeline.execution import at_work
from pipeline.runs.store import executions
from pipeline.runs.store.cache_keys import install as install_cache_keys

install_cache_keys()


def earlier(
  handle: metadata.Metadata, node: pipeline_pb2.PipelineNode, *, run_id: str | None = None
) -> metadata_store_pb2.Execution | None:
  """Returns a node's execution in its run: the successful one, else the last, else None.

  Args:
    handle: the open store.
    node: the node, with its run id.
    run_id: another run to look in.
  """
  contexts = []
  for spec in node.contexts.contexts:
    name = spec.name.field_value.string_value
    if run_id is not None and spec.type.name == executions.PIPELINE_RUN:
      name = run_id
    context = handle.store.get_context_by_type_and_name(spec.type.name, name)
    if context is None:
      return None
    contexts.append(context)
  found = execution_lib.get_executions_associated_with_all_contexts(handle, contexts)
  done = [e for e in found if execution_lib.is_execution_successful(e)]
  return max(done or found, key=lambda execution: execution.id, default=None)


def succeeded(execution: metadata_store_pb2.Execution) -> bool:
  """Returns whether an execution's outputs can be used."""
  return execution_lib.is_execution_successful(execution)


class CleanLauncher(launcher.Launcher):
  """Empties an execution's folders before its executor writes into them.

  They are named by the execution's number. An earlier attempt has the same, and so has an execution
  of a metadata store that is there no longer, because a new one counts from 1 again.
  """

  def _run_executor(
    self, execution_info: data_types.ExecutionInfo
  ) -> execution_result_pb2.ExecutorOutput:
    for artifacts in execution_info.output_dict.values():
      for artifact in artifacts:
        if not artifact.is_external:
          _remove(artifact.uri)
    if execution_info.tmp_dir:
      _remove(execution_info.tmp_dir)
      fileio.makedirs(execution_info.tmp_dir)
    return super()._run_executor(execution_info)


def _remove(uri: str) -> None:
  if fileio.isdir(uri):
    fileio.rmtree(uri)
  elif fileio.exists(uri):  # a value's file
    fileio.remove(uri)


def complete_inputs(handle: metadata.Metadata, info: data_types.ExecutionInfo) -> None:
  """Adds the inputs to the lineage if the execution was registered before they were known."""
  known = handle.store.get_events_by_execution_ids([info.execution_id])
  if any(event.type in executions.INPUTS for event in known):
    return
  events = []
  for key, artifacts in (info.input_dict or {}).items():
    for index, artifact in enumerate(artifacts):
      event = event_lib.generate_event(
        event_type=metadata_store_pb2.Event.INPUT,
        key=key,
        index=index,
        artifact_id=artifact.id,
        execution_id=info.execution_id,
      )
      events.append(event)
  if events:
    handle.store.put_events(events)


@contextlib.contextmanager
def alone(compiled: pipeline_pb2.Pipeline, node_id: str) -> Iterator[None]:
  """Holds a node of a run against a second process on this machine; dies with its process.

  Raises:
    BusyError: another process is at work on the same node of the same run.
  """
  root = compiled.runtime_spec.pipeline_root.field_value.string_value
  if "://" in root:
    # Object stores have no locks; there an orchestrator must not start a node twice.
    yield
    return
  run_id = compiled.runtime_spec.pipeline_run_id.field_value.string_value
  path = at_work.node_file(pathlib.Path(root), run_id, node_id)
  with path.open("a+", encoding="utf-8") as file:
    if not at_work.take(file):
      raise BusyError(
        f"{node_id} of the run {run_id} is at work in another process. Wait until it ends, or end "
        "it, and run the node again."
      )
    try:
      yield
    finally:
      # Before the lock is released, so that nobody else's is removed.
      with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
