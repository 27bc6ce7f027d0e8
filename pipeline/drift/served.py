"""Finds the profile of what a served version was trained on: its `data_profile.json`."""

from __future__ import annotations

import dataclasses
import pathlib

from components.versioned_pusher.version_folders import list_versions
from pipeline.drift.profile import Profile


@dataclasses.dataclass(frozen=True, kw_only=True)
class Served:
  """A served version.

  Attributes:
    version: its number.
    profile: what its data look like, and its answers to eval; None if nothing says.
  """

  version: int
  profile: Profile | None


def find(serving_dir: pathlib.Path, version: int | None = None) -> Served | None:
  """Returns a version of a served directory; None if there is none.

  Args:
    serving_dir: the directory.
    version: its number; None takes the largest, which servers answer with.
  """
  versions = list_versions(serving_dir)
  number = max(versions, default=None) if version is None else version
  if number is None or number not in versions:
    return None
  try:
    profile = Profile.read(serving_dir / str(number))
  except ValueError:  # damaged, or of a later release
    profile = None
  return Served(version=number, profile=profile)
