"""Explains why nodes ran: compares two executions of a node in a metadata store.

A node runs again if its parameters or the artifacts that it reads differ from those before. The
fingerprints of code and data are among the parameters; see docs/architecture.md.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tfx.orchestration import metadata

from pipeline.runs.store import executions

CODE, DATA, SETTING, INPUT = "code", "data", "setting", "input"

_KINDS = {"code_fingerprint": CODE, "input_fingerprint": DATA}
# Custom properties that TFX adds to the parameters, and names of runs.
_NO_PARAMETERS = ("__", "tfx_", "span", "version")


@dataclasses.dataclass(frozen=True)
class Change:
  """One thing that differs.

  Attributes:
    kind: code, data, setting or input.
    name: the parameter's, with dots, or the input's.
    before: its value; of an input the URIs; None if there was none.
    after: the same, later.
  """

  kind: str
  name: str
  before: Any
  after: Any


@dataclasses.dataclass(frozen=True)
class Execution:
  """The inputs of a node.

  Attributes:
    parameters: by name; those in JSON leaf by leaf, with dots.
    inputs: the URIs of the artifacts, by input.
  """

  parameters: Mapping[str, Any]
  inputs: Mapping[str, Sequence[str]]


@dataclasses.dataclass(frozen=True)
class Reason:
  """Why a node of a run was executed or taken from the cache.

  Attributes:
    node: its id.
    state: COMPLETE, CACHED, FAILED or RUNNING.
    compared_with: if it is cached, the run whose result it took, None if it only looks something
      up; else the last run before in which it succeeded, None if there is no such run.
    changes: the differences from that run; none if it is cached.
  """

  node: str
  state: str
  compared_with: str | None
  changes: Sequence[Change]

  def to_json(self) -> dict[str, Any]:
    """Returns the object `--json` prints."""
    return dataclasses.asdict(self)


def reasons(handle: metadata.Metadata, nodes: Sequence[Mapping[str, Any]]) -> list[Reason]:
  """Explains for each node of a run why it was executed or taken from the cache.

  Args:
    handle: the open store.
    nodes: those of a `PastRun`.
  """
  found = []
  for each in nodes:
    execution_id, state = each["execution_id"], each["state"]
    if _is_resolver(handle, execution_id):
      found.append(Reason(each["id"], "CACHED", None, ()))
      continue
    if state == "CACHED":
      origin = _run(handle, _origin(handle, execution_id))
      found.append(Reason(each["id"], state, origin, ()))
      continue
    earlier = _earlier(handle, execution_id)
    if earlier is None:
      found.append(Reason(each["id"], state, None, ()))
      continue
    changes = between(read(handle, earlier), read(handle, execution_id))
    found.append(Reason(each["id"], state, _run(handle, earlier), changes))
  return found


def compare(
  handle: metadata.Metadata,
  before: Sequence[Mapping[str, Any]],
  after: Sequence[Mapping[str, Any]],
) -> dict[str, list[Change]]:
  """Compares the inputs of nodes that both runs executed; returns the differences by node.

  Args:
    handle: the open store of both.
    before: the nodes of one `PastRun`.
    after: those of another.
  """
  earlier = {each["id"]: each["execution_id"] for each in before}
  return {
    each["id"]: between(read(handle, earlier[each["id"]]), read(handle, each["execution_id"]))
    for each in after
    if each["id"] in earlier
  }


def read(handle: metadata.Metadata, execution_id: int) -> Execution:
  """Reads the inputs of an execution.

  An execution that took a cached result has the inputs that the result was made from: they have the
  same cache key, and TFX does not record all of them again.
  """
  execution_id = _origin(handle, execution_id)
  [execution] = handle.store.get_executions_by_id([execution_id])
  parameters: dict[str, Any] = {}
  for name, value in execution.custom_properties.items():
    if not name.startswith(_NO_PARAMETERS):
      parameters.update(_leaves(name, getattr(value, value.WhichOneof("value"))))
  found: dict[str, list[int]] = {}
  for event in handle.store.get_events_by_execution_ids([execution_id]):
    if event.type in executions.INPUTS:
      found.setdefault(event.path.steps[0].key, []).append(event.artifact_id)
  ids = sorted({each for group in found.values() for each in group})
  uris = {artifact.id: artifact.uri for artifact in handle.store.get_artifacts_by_id(ids)}
  return Execution(parameters, {key: [uris[i] for i in group] for key, group in found.items()})


def between(before: Execution, after: Execution) -> list[Change]:
  """Returns the differences: code and data first, then settings, then inputs."""
  found = [
    Change(_KINDS.get(name.rpartition(".")[2], SETTING), name, *values)
    for name, *values in _different(before.parameters, after.parameters)
  ]
  order = (CODE, DATA, SETTING)
  found.sort(key=lambda change: (order.index(change.kind), change.name))
  return found + [
    Change(INPUT, name, *values) for name, *values in _different(before.inputs, after.inputs)
  ]


def _is_resolver(handle: metadata.Metadata, execution_id: int) -> bool:
  [execution] = handle.store.get_executions_by_id([execution_id])
  return execution.type == executions.RESOLVER


def _earlier(handle: metadata.Metadata, execution_id: int) -> int | None:
  """Returns the last execution before, of the same node, that succeeded in another run."""
  run = _run(handle, execution_id)
  found = []
  for context in handle.store.get_contexts_by_execution(execution_id):
    if context.type == executions.NODE:
      found = handle.store.get_executions_by_context(context.id)
  ids = [e.id for e in found if e.id < execution_id and e.last_known_state in executions.ENDED]
  return next((each for each in sorted(ids, reverse=True) if _run(handle, each) != run), None)


def _origin(handle: metadata.Metadata, execution_id: int) -> int:
  """Returns the execution that made the outputs: itself, unless it took a cached result."""
  events = handle.store.get_events_by_execution_ids([execution_id])
  artifacts = [event.artifact_id for event in events if event.type in executions.OUTPUTS]
  if not artifacts:
    return execution_id
  made = handle.store.get_events_by_artifact_ids(artifacts[:1])
  return min(each.execution_id for each in made if each.type in executions.OUTPUTS)


def _run(handle: metadata.Metadata, execution_id: int) -> str | None:
  contexts = handle.store.get_contexts_by_execution(execution_id)
  return next((each.name for each in contexts if each.type == executions.PIPELINE_RUN), None)


def _different(
  before: Mapping[str, Any], after: Mapping[str, Any]
) -> Iterator[tuple[str, Any, Any]]:
  for name in sorted({*before, *after}):
    if before.get(name) != after.get(name):
      yield name, before.get(name), after.get(name)


def _leaves(name: str, value: Any) -> Iterator[tuple[str, Any]]:
  """Yields a parameter; of one that contains JSON, each value in it."""
  if isinstance(value, str) and value.startswith(("{", "[")):
    # Text may only look like it, such as a message in text format.
    with contextlib.suppress(ValueError):
      value = json.loads(value)
  if isinstance(value, (dict, list)) and value:
    for key, each in value.items() if isinstance(value, dict) else enumerate(value):
      yield from _leaves(f"{name}.{key}", each)
  else:
    yield name, value
