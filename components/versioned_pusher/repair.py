"""Finds the commands that help if the newest version, which servers take, is damaged.

Whoever names a way out asks here, so that none is named that would be refused or change nothing.
"""

from __future__ import annotations

import dataclasses

from components.versioned_pusher.version_folders import (
  PathLike,
  is_damaged,
  list_versions,
  turn,
  version_record,
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Repair:
  """The ways to a whole version under the next number.

  Attributes:
    by_run: whether a run with the data and settings of before publishes the model again.
    rollback_to: the version to roll back to; None if none is whole.
  """

  by_run: bool
  rollback_to: int | None

  def commands(self, task: str, place: str) -> list[str]:
    """Returns the commands, the better one first; at least one.

    Args:
      task: its name.
      place: ` --workspace DIR`, if it is not the default.
    """
    found = []
    if self.by_run:
      found.append(f"dlpipe run {task}{place}")
    if self.rollback_to is not None:
      found.append(f"dlpipe rollback {task} --to {self.rollback_to}{place}")
    return found


def repair_of(base_dir: PathLike) -> Repair:
  """Returns how to get a whole version in place of the newest, which is damaged.

  Args:
    base_dir: the served directory, which has versions.
  """
  versions = list_versions(base_dir)
  damaged = versions[-1]
  record = version_record(base_dir, damaged)
  whole = [n for n in versions if n != damaged and not is_damaged(base_dir, n)]
  live = [n for n in whole if turn(version_record(base_dir, n), n)]
  same = [n for n in whole if version_record(base_dir, n).get("sha256") == record.get("sha256")]
  return Repair(
    # A run does not replace a rollback, nor versions of other programs, as long as one is whole.
    by_run=("sha256" in record and "rollback_of" not in record) or not whole,
    rollback_to=max(same or live or whole, default=None),
  )
