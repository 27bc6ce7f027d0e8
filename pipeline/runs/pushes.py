"""Reads what VersionedPusher recorded: the version it pushed, or that the model was refused."""

from __future__ import annotations

import os
from collections.abc import Iterable

from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration import metadata
from tfx.proto.orchestration import pipeline_pb2
from tfx.types import standard_artifacts

from components.versioned_pusher.candidates import CANDIDATES
from components.versioned_pusher.executor import DESTINATION, IS_PUSHED, SERVING_DIR, VERSION
from components.versioned_pusher.version_folders import (
  is_whole,
  list_versions,
  version_record,
)


def pushed_version(artifact: metadata_store_pb2.Artifact) -> int | None:
  """Returns the version that a PushedModel artifact stands for; None if the model was refused."""
  if artifact.custom_properties[IS_PUSHED].int_value != 1:
    return None
  return int(artifact.custom_properties[VERSION].string_value)


def was_refused(artifacts: Iterable[metadata_store_pb2.Artifact]) -> bool:
  """Returns whether a PushedModel that was not pushed is among the artifacts."""
  return any(
    artifact.type == standard_artifacts.PushedModel.TYPE_NAME and pushed_version(artifact) is None
    for artifact in artifacts
  )


def last_push_is_gone(
  handle: metadata.Metadata, pipeline_id: str, node: pipeline_pb2.PipelineNode
) -> bool:
  """Returns whether a pusher's last version is gone from the served directory, or damaged there.

  A push is cached by its inputs; if its result is gone, it has to run again.

  Args:
    handle: the open store.
    pipeline_id: the pipeline's name.
    node: any node; only one that pushes can have lost something.
  """
  if SERVING_DIR not in node.parameters.parameters:
    return False
  served = node.parameters.parameters[SERVING_DIR].field_value.string_value
  context = handle.store.get_context_by_type_and_name("pipeline", pipeline_id)
  pushed = [
    (destination, version)
    for artifact in sorted(
      handle.store.get_artifacts_by_context(context.id) if context else (), key=lambda a: a.id
    )
    if artifact.type == standard_artifacts.PushedModel.TYPE_NAME
    and (destination := os.path.dirname(artifact.custom_properties[DESTINATION].string_value))
    in (served, os.path.join(served, CANDIDATES))
    and (version := pushed_version(artifact)) is not None
  ]
  if not pushed:
    return False
  destination, version = pushed[-1]
  if is_whole(destination, version):
    return False
  # A candidate that was promoted since has left its place.
  return destination == served or not any(
    version_record(served, number).get("first_version") == version and is_whole(served, number)
    for number in list_versions(served)
  )
