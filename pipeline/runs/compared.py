"""Tells whether DriftGate has something to compare with, so that its last result is not kept."""

from __future__ import annotations

from ml_metadata.proto import metadata_store_pb2
from tfx.proto.orchestration import pipeline_pb2

from components.drift_gate import REFERENCE
from components.versioned_pusher.version_folders import list_versions

_SERVED_FROM = "served_from"


def compares_anew(last: metadata_store_pb2.Artifact, node: pipeline_pb2.PipelineNode) -> bool:
  """Whether a gate compares with what is served, now or when it ran last.

  A comparison would be cached by the data alone, and what is served changes.

  Args:
    last: what the node made last.
    node: any node.
  """
  if _SERVED_FROM not in node.parameters.parameters:
    return False
  directory = node.parameters.parameters[_SERVED_FROM].field_value.string_value
  return bool(list_versions(directory) or last.custom_properties[REFERENCE].string_value)
