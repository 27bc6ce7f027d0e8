"""What TFX calls its records in a metadata store, and how one execution of a node is read."""

from __future__ import annotations

from collections.abc import Mapping

from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2
from tfx.dsl.compiler import constants

# The property in which a failed execution keeps its exit code; TFX's own notes begin so, too.
EXIT_CODE = "__dlpipe_exit_code__"
# The properties in which it keeps its message, and an execution what it took.
ERROR = "__dlpipe_error__"
SECONDS = "__dlpipe_seconds__"
PEAK_RSS_MB = "__dlpipe_peak_rss_mb__"
# The type of executions that only look something up.
RESOLVER = "tfx.dsl.components.common.resolver.Resolver"
# The types of contexts.
PIPELINE = constants.PIPELINE_CONTEXT_TYPE_NAME
PIPELINE_RUN = constants.PIPELINE_RUN_CONTEXT_TYPE_NAME
NODE = constants.NODE_CONTEXT_TYPE_NAME
# The types of the events that name what an execution read and made.
INPUTS = (metadata_store_pb2.Event.INPUT, metadata_store_pb2.Event.INTERNAL_INPUT)
OUTPUTS = (metadata_store_pb2.Event.OUTPUT, metadata_store_pb2.Event.INTERNAL_OUTPUT)
# The states of executions whose outputs can be used.
ENDED = (metadata_store_pb2.Execution.COMPLETE, metadata_store_pb2.Execution.CACHED)


def contexts(store: MetadataStore, kind: str) -> list[metadata_store_pb2.Context]:
  """Returns all contexts of a type; a store that nothing was written to knows no type."""
  known = {each.name for each in store.get_context_types()}
  return list(store.get_contexts_by_type(kind)) if kind in known else []


def outputs(store: MetadataStore, execution_id: int) -> Mapping[str, metadata_store_pb2.Artifact]:
  """Returns the first artifact of each of an execution's outputs, by output name."""
  named: dict[str, int] = {}
  for event in store.get_events_by_execution_ids([execution_id]):
    if event.type in OUTPUTS:
      named.setdefault(event.path.steps[0].key, event.artifact_id)
  artifacts = {a.id: a for a in store.get_artifacts_by_id(list(named.values()))}
  return {name: artifacts[artifact_id] for name, artifact_id in named.items()}


def has_files(store: MetadataStore, execution: metadata_store_pb2.Execution) -> bool:
  """Returns whether none of an execution's outputs was deleted."""
  return all(
    artifact.state != metadata_store_pb2.Artifact.DELETED
    for artifact in outputs(store, execution.id).values()
  )


def note_cost(
  store: MetadataStore, execution_id: int, *, seconds: float, peak_rss_mb: float
) -> None:
  """Keeps what an execution took, for the report of its run; the first note stays."""
  [execution] = store.get_executions_by_id([execution_id])
  if SECONDS in execution.custom_properties:
    return
  execution.custom_properties[SECONDS].double_value = seconds
  execution.custom_properties[PEAK_RSS_MB].double_value = peak_rss_mb
  store.put_executions([execution])
