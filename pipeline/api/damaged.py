"""What `dlpipe predict` and `dlpipe batch` advise where a pushed version cannot be loaded."""

from __future__ import annotations

import shlex

from components.versioned_pusher.publish import is_damaged, list_versions
from dlpipe.workspace import Workspace


def ways_out(task: str, workspace: str | None, version: int, *, can_choose: bool = False) -> str:
  """A sentence on how to get answers all the same.

  Args:
    task: its name.
    workspace: as given, for the command to copy.
    version: which one is damaged.
    can_choose: whether the command at hand has `--version`.
  """
  where = f" --workspace {shlex.quote(workspace)}" if workspace else ""
  base = Workspace.of(workspace).task(task).serving
  others = [n for n in list_versions(base) if n != version and not is_damaged(base, n)]
  if not others:
    return (
      f"There is no other whole version to go back to: `dlpipe run {task} --no-cache{where}`, with "
      "the data and settings of before, pushes a new one."
    )
  newest = max(others)
  ways = []
  if version > newest:
    ways.append(f"`dlpipe rollback {task} --to {newest}{where}` serves version {newest} again")
  if can_choose:
    ways.append(f"`--version {newest}` asks version {newest}")
  return f"{'; '.join(ways)}."
