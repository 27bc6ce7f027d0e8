"""Cached results that are found wherever the workspace lies.

TFX's key of a cached result is a hash over inputs and parameters with their absolute paths. Here
it is a hash with the paths as the metadata store names them.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from tfx import types
from tfx.orchestration import metadata
from tfx.orchestration.portable import cache_utils

from pipeline.runs.store.metadata_stores import rewrite_texts, stored_paths

_context_of = cache_utils.get_cache_context


def install() -> None:
  """Makes TFX's launcher look up results by these keys."""
  cache_utils.get_cache_context = get_cache_context


def get_cache_context(
  metadata_handle: metadata.Metadata,
  *,
  input_artifacts: Mapping[str, Sequence[types.Artifact]] | None = None,
  parameters: Mapping[str, Any] | None = None,
  **rest: Any,
) -> Any:
  """Replaces TFX's function of this name, for paths as `stored_paths` has them."""
  paths = stored_paths(metadata_handle)
  if paths is not None:
    input_artifacts = copy.deepcopy(dict(input_artifacts or {}))
    for artifacts in input_artifacts.values():
      for artifact in artifacts:
        rewrite_texts(artifact.mlmd_artifact, paths.key)
    parameters = {name: paths.key(str(value)) for name, value in (parameters or {}).items()}
  return _context_of(
    metadata_handle=metadata_handle,
    input_artifacts=input_artifacts,
    parameters=parameters,
    **rest,
  )
