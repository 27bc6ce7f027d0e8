"""Deletes versions so that each is there whole or not at all."""

from __future__ import annotations

import pathlib

from components.versioned_pusher.candidates import CANDIDATES, discard
from components.versioned_pusher.version_folders import PathLike, list_versions, locked


def remove_version(base_dir: PathLike, version: int) -> bool:
  """Deletes a version. The newest stays, because servers take it; its number is not given again.

  Returns:
    Whether it was deleted.

  Raises:
    DlpipeError: the file system refused.
  """
  base = pathlib.Path(base_dir)
  if not base.is_dir():
    return False
  with locked(base):
    versions = list_versions(base)
    if version not in versions or version == versions[-1]:
      return False
    discard(base / str(version))
  return True


def remove_candidate(base_dir: PathLike, version: int) -> None:
  """Deletes a candidate.

  Raises:
    DlpipeError: the file system refused.
  """
  base = pathlib.Path(base_dir)
  path = base / CANDIDATES / str(version)
  if not base.is_dir():
    return
  with locked(base):  # whoever promotes it holds this one, too
    if path.is_dir():
      discard(path)
