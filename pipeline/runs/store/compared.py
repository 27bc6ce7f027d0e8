"""Tells whether a cached verdict of DriftGate holds for the version that is served now."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence

from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration import metadata
from tfx.proto.orchestration import pipeline_pb2

from components.drift_gate import DATA, DRIFTED, REFERENCE
from dlpipe import nodes
from pipeline.drift import served
from pipeline.drift.profile import Profile
from pipeline.runs.store import executions

_SERVED_FROM = "served_from"


def compares_anew(
  handle: metadata.Metadata,
  made: Sequence[metadata_store_pb2.Artifact],
  node: pipeline_pb2.PipelineNode,
) -> bool:
  """Returns whether a node compares with what is served, and its cached result used other data.

  A comparison is cached by the data alone; what is served changes meanwhile. Where these are the
  data of the served version, a result that found nothing still holds.

  Args:
    handle: the open store.
    made: what the node has made in all runs.
    node: any node.
  """
  if _SERVED_FROM not in node.parameters.parameters:
    return False
  data = _data_of_run(handle, node)
  if not data:
    return True
  cached = [each for each in made if each.custom_properties[DATA].string_value == data]
  if not cached:
    return False
  last = max(cached, key=lambda artifact: artifact.id)
  directory = node.parameters.parameters[_SERVED_FROM].field_value.string_value
  version = served.find(pathlib.Path(directory))
  now = version.profile.data if version is not None and version.profile is not None else ""
  if now == last.custom_properties[REFERENCE].string_value:
    return False
  return now != data or last.custom_properties[DRIFTED].int_value > 0


def _data_of_run(handle: metadata.Metadata, node: pipeline_pb2.PipelineNode) -> str:
  """Returns the text that tells the data of the node's run apart; empty if it is unknown."""
  for named in node.contexts.contexts:
    if named.type.name != executions.PIPELINE_RUN:
      continue
    name = named.name.field_value.string_value
    context = handle.store.get_context_by_type_and_name(executions.PIPELINE_RUN, name)
    for execution in handle.store.get_executions_by_context(context.id) if context else ():
      if execution.type.endswith(nodes.DATA_PROFILE.id):
        found = executions.outputs(handle.store, execution.id).get(nodes.PROFILE.name)
        profile = Profile.read(pathlib.Path(found.uri)) if found is not None else None
        if profile is not None:
          return profile.data
  return ""
