"""Deletes versions so that each is there whole or not at all."""

from __future__ import annotations

import os
import pathlib
import shutil

from components.versioned_pusher import publish
from components.versioned_pusher.candidates import CANDIDATES
from components.versioned_pusher.publish import PathLike, list_versions


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
  with publish._locked(base):
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
  path = pathlib.Path(base_dir, CANDIDATES, str(version))
  if path.is_dir():
    with publish._locked(path.parent):
      discard(path)


def discard(version_dir: pathlib.Path) -> None:
  """Deletes a version's folder; the caller holds the lock of the folder that it is in."""
  # A name that servers ignore, and that the next publisher clears if this process is killed.
  going = version_dir.with_name(f"{publish._STAGING_PREFIX}{version_dir.name}")
  os.rename(version_dir, going)
  publish._flush(version_dir.parent)
  shutil.rmtree(going, ignore_errors=True)
