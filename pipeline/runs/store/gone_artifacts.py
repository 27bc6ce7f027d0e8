"""Tells the metadata store which artifacts have lost their files, after a run that needed none."""

from __future__ import annotations

import contextlib
import os
import pathlib

from ml_metadata import errors
from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration import metadata


def mark(handle: metadata.Metadata, pipeline_id: str, artifacts: pathlib.Path) -> None:
  """Marks artifacts without files as deleted, so that nothing looks for them again.

  Args:
    handle: the open store.
    pipeline_id: the pipeline's name.
    artifacts: the folder of the pipeline's artifacts; those elsewhere may be on other machines.
  """
  context = handle.store.get_context_by_type_and_name("pipeline", pipeline_id)
  known = handle.store.get_artifacts_by_context(context.id) if context else []
  gone = [
    artifact
    for artifact in known
    if artifact.state == metadata_store_pb2.Artifact.LIVE
    and artifact.uri.startswith(f"{artifacts}{os.sep}")
    and not os.path.exists(artifact.uri)
  ]
  for artifact in gone:
    artifact.state = metadata_store_pb2.Artifact.DELETED
  if gone:
    # Of a store that cannot be written now, the next run tells it.
    with contextlib.suppress(errors.StatusError):
      handle.store.put_artifacts(gone)
