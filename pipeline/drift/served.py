"""Finds the profile of what a served version was trained on: its `data_profile.json`."""

from __future__ import annotations

import dataclasses
import functools
import pathlib
from collections.abc import Callable

from components.versioned_pusher.version_folders import list_versions
from pipeline.drift.profile import Profile


@dataclasses.dataclass(frozen=True, kw_only=True)
class Served:
  """A served version.

  Attributes:
    version: its number.
    profile: what its data look like, and its answers to eval; None if nothing says.
    others: returns the profile of another version by its number; None if nothing says.
  """

  version: int
  profile: Profile | None
  others: Callable[[int], Profile | None] = dataclasses.field(
    default=lambda version: None, compare=False, repr=False
  )

  def profile_of(self, version: int) -> Profile | None:
    """Returns the profile of this version or another one; None if nothing says."""
    return self.profile if version == self.version else self.others(version)


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
  others = functools.cache(functools.partial(_profile, serving_dir))
  return Served(version=number, profile=others(number), others=others)


def _profile(serving_dir: pathlib.Path, version: int) -> Profile | None:
  try:
    return Profile.read(serving_dir / str(version))
  except ValueError:  # damaged, or of a later release
    return None
