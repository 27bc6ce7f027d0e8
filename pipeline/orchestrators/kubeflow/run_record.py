"""Makes a run of a backend one of the workspace: its executions in the store, its report.

The notes of its containers say what became of its nodes. `dlpipe runs list` and the report then
tell of it as of any other run.
"""

from __future__ import annotations

import datetime
import pathlib
from collections.abc import Mapping

from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2

from components.versioned_pusher.executor import DESTINATION
from components.versioned_pusher.version_folders import read_record
from dlpipe import nodes
from dlpipe.errors import BadInputError, BusyError, DataRefusedError, DlpipeError
from pipeline.execution import local
from pipeline.orchestrators.kubeflow import run_notes
from pipeline.orchestrators.kubeflow.run_notes import Kept, Note, Place
from pipeline.runs import run_files
from pipeline.runs.result import ComponentResult, RunResult
from pipeline.runs.store import executions
from pipeline.runs.store.metadata_stores import connection, open_store
from pipeline.settings import run_parameters
from pipeline.settings.config import PipelineConfig
from pipeline.tasks import get_task

_ERRORS = {kind.exit_code: kind for kind in (BadInputError, DataRefusedError, BusyError)}
_PROPERTY_KINDS = {bool: "int_value", int: "int_value", float: "double_value", str: "string_value"}
_Artifacts = dict[str, dict[str, metadata_store_pb2.Artifact]]
# A blessing names its model by the backend's number, which stands for another model here.
_NOT_STORED = ("ModelBlessing",)


def conclude(place: Place, run_id: str) -> RunResult:
  """Writes report, settings and quarantine of a run, as far as it has come, and stores it.

  Args:
    place: that of the node that ended the run: the last one, or one that failed.
    run_id: the run's name.
  """
  notes = run_notes.read(place.config, run_id)
  given = {name: value for note in notes for name, value in note.parameters.items()}
  config = run_parameters.replaced(place.config, given)
  task = get_task(config.task)
  artifacts = _artifacts([*notes, *_of_cached(place.config, notes)])
  failed = next((note for note in notes if note.error is not None), None)
  components = _components(place, notes, artifacts, is_whole=failed is None)
  error = None
  if failed is not None:
    error = _ERRORS.get(failed.exit_code, DlpipeError)(failed.error)
  began = min(note.started for note in notes)
  run_files.write(config, run_id)
  with open_store(connection(config)) as handle:
    _store(handle.store, task.pipeline_name, run_id, components, artifacts, notes)
  data = local.conclude(
    task,
    config,
    artifacts=artifacts,
    components=components,
    error=error,
    run_id=run_id,
    started=datetime.datetime.fromtimestamp(began, datetime.timezone.utc),
  )
  return local.announced(config, data)


def _of_cached(config: PipelineConfig, notes: list[Note]) -> list[Note]:
  """Returns the notes of earlier runs about the nodes whose results this run took from the cache.

  What a run has of such a node is what another node of it was given. Who made that made more, and
  was given something in turn.
  """
  makers = {
    (name, kept.path): note
    for note in run_notes.read_all(config)
    for name, kept in note.found.items()
    if kept.path and name.startswith(f"{note.node}/")
  }
  known = {note.node for note in notes}
  found: list[Note] = []
  left = list(notes)
  while left:
    for name, kept in left.pop().found.items():
      maker = makers.get((name, kept.path))
      if maker is not None and maker.node not in known:
        known.add(maker.node)
        found.append(maker)
        left.append(maker)
  return found


def _artifacts(notes: list[Note]) -> _Artifacts:
  """Returns the artifacts that the containers saw and that are kept, by node and output."""
  found: _Artifacts = {}
  for note in notes:
    for name, kept in note.found.items():
      node, _, output = name.partition("/")
      if kept.path:
        found.setdefault(node, {}).setdefault(output, _artifact(kept))
  return found


def _artifact(kept: Kept) -> metadata_store_pb2.Artifact:
  made = metadata_store_pb2.Artifact(
    uri=kept.path, type=kept.kind, state=metadata_store_pb2.Artifact.LIVE
  )
  for name, value in kept.properties.items():
    field = _PROPERTY_KINDS.get(type(value))
    if field == "double_value" and float(value).is_integer():
      # JSON of the backend has no whole numbers.
      made.custom_properties[name].int_value = int(value)
    elif field is not None:
      setattr(made.custom_properties[name], field, value)
  return made


def _components(
  place: Place, notes: list[Note], artifacts: Mapping[str, object], *, is_whole: bool
) -> list[ComponentResult]:
  by_node = {note.node: note for note in notes}
  found = []
  for node in place.node_ids:
    note = by_node.get(node)
    if note is not None:
      state = nodes.COMPLETE if note.error is None else nodes.FAILED
      if state == nodes.COMPLETE and _was_there(note):
        state = nodes.CACHED
      found.append(
        ComponentResult(id=node, state=state, seconds=note.seconds, peak_rss_mb=note.peak_rss_mb)
      )
      continue
    # It started no container: it came from the backend's cache, or its turn did not come.
    state = nodes.CACHED if is_whole or node in artifacts else nodes.SKIPPED
    found.append(ComponentResult(id=node, state=state, seconds=0.0, peak_rss_mb=0.0))
  return found


def _was_there(note: Note) -> bool:
  """Returns whether a node is the pusher, which always runs, and found its version published."""
  pushed = note.found.get(f"{note.node}/{nodes.PUSHED_MODEL.name}")
  place = pushed.properties.get(DESTINATION) if pushed is not None else None
  if place is None or note.node != nodes.VERSIONED_PUSHER.id:
    return False
  record = read_record(pathlib.Path(place))
  if "published_at" not in record:
    return False
  since = datetime.datetime.fromisoformat(record["published_at"])
  return since.timestamp() < int(note.started)


def _store(
  store: MetadataStore,
  pipeline: str,
  run_id: str,
  components: list[ComponentResult],
  artifacts: _Artifacts,
  notes: list[Note],
) -> None:
  """Stores the executions of a run as TFX does; those that are there already are brought up."""
  began = {note.node: int(note.started * 1000) for note in notes}
  errors = {note.node: note for note in notes if note.error is not None}
  shared = [
    _context(store, executions.PIPELINE, pipeline),
    _context(store, executions.PIPELINE_RUN, run_id),
  ]
  for component in components:
    if component.state == nodes.SKIPPED:
      continue
    contexts = [*shared, _context(store, executions.NODE, f"{pipeline}.{component.id}")]
    execution = _execution(store, component.id, contexts)
    execution.last_known_state = metadata_store_pb2.Execution.State.Value(component.state)
    if component.id in began:
      execution.create_time_since_epoch = began[component.id]
    execution.custom_properties[executions.SECONDS].double_value = component.seconds
    execution.custom_properties[executions.PEAK_RSS_MB].double_value = component.peak_rss_mb
    if note := errors.get(component.id):
      execution.custom_properties[executions.EXIT_CODE].int_value = note.exit_code
      execution.custom_properties[executions.ERROR].string_value = note.error or ""
    made = (
      []
      if execution.id and executions.outputs(store, execution.id)
      else _outputs(store, pipeline, artifacts.get(component.id, {}))
    )
    store.put_execution(execution, made, contexts, reuse_context_if_already_exist=True)


def _outputs(
  store: MetadataStore, pipeline: str, artifacts: Mapping[str, metadata_store_pb2.Artifact]
) -> list[tuple[metadata_store_pb2.Artifact, metadata_store_pb2.Event]]:
  made = []
  for name, artifact in artifacts.items():
    if artifact.type in _NOT_STORED:
      continue
    stored = metadata_store_pb2.Artifact()
    stored.CopyFrom(artifact)
    stored.type_id = store.put_artifact_type(
      metadata_store_pb2.ArtifactType(name=artifact.type), can_add_fields=True, can_omit_fields=True
    )
    same = [
      each for each in store.get_artifacts_by_uri(artifact.uri) if each.type_id == stored.type_id
    ]
    if same:
      stored = same[0]
    step = metadata_store_pb2.Event.Path.Step(key=name)
    event = metadata_store_pb2.Event(
      type=metadata_store_pb2.Event.OUTPUT, path=metadata_store_pb2.Event.Path(steps=[step])
    )
    made.append((stored, event))
  return made


def _context(store: MetadataStore, kind: str, name: str) -> metadata_store_pb2.Context:
  found = store.get_context_by_type_and_name(kind, name)
  if found is not None:
    return found
  type_id = store.put_context_type(
    metadata_store_pb2.ContextType(name=kind), can_add_fields=True, can_omit_fields=True
  )
  context = metadata_store_pb2.Context(type_id=type_id, name=name)
  [context.id] = store.put_contexts([context])
  return context


def _execution(
  store: MetadataStore, node: str, contexts: list[metadata_store_pb2.Context]
) -> metadata_store_pb2.Execution:
  """Returns a node's execution in a run, which is new unless the run was stored before."""
  shared = [
    {execution.id: execution for execution in store.get_executions_by_context(context.id)}
    for context in contexts
  ]
  for number in set.intersection(*map(set, shared)):
    return shared[0][number]
  type_id = store.put_execution_type(
    metadata_store_pb2.ExecutionType(name=node), can_add_fields=True, can_omit_fields=True
  )
  return metadata_store_pb2.Execution(type_id=type_id)
