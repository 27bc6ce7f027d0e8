"""Advice of `dlpipe predict` and `dlpipe batch` if a pushed version cannot be loaded."""

from __future__ import annotations

import shlex

from components.versioned_pusher.version_folders import is_damaged, list_versions
from dlpipe.workspace import Workspace


def ways_out(task: str, workspace: str | None, version: int, *, can_choose: bool = False) -> str:
  """Returns a sentence on how to get predictions in spite of a damaged version.

  Args:
    task: name of the task.
    workspace: the workspace as the user gave it, for commands to copy.
    version: number of the damaged version.
    can_choose: whether the current command has `--version`.
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
