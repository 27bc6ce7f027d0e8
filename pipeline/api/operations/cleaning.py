"""Deletes files of earlier runs by the bounds of `keep`, and says how much a workspace holds."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from dlpipe.errors import BadInputError, BusyError
from dlpipe.workspace import TaskFolder, Workspace
from pipeline.api.quiet_screen import quieten_screen
from pipeline.api.stores import checked
from pipeline.runs import run_files
from pipeline.settings.keep import KeepConfig

if TYPE_CHECKING:
  from pipeline.runs.retention.planning import Plan

_COMMAND = "dlpipe clean"


def clean(
  task: str,
  workspace: str | None,
  mlmd: str | None,
  *,
  keep: KeepConfig,
  dry_run: bool,
) -> tuple[Plan, KeepConfig]:
  """Deletes what the bounds let go.

  Args:
    task: name of the task.
    workspace: the workspace as the user gave it; None takes the environment's, or the default.
    mlmd: a metadata store's connection file, in addition to those that the runs were told.
    keep: the bounds; without any, those of the latest run.
    dry_run: whether to delete nothing.

  Returns:
    What went, or would go, and the bounds.

  Raises:
    BadInputError: no task has this name, or nothing of it is in the workspace.
    BusyError: a run is at work in the folder.
    DlpipeError: a metadata store is damaged, or the file system refused.
  """
  name = checked(task, workspace)
  folder = Workspace.of(workspace).task(name or task)
  if not folder.is_used:
    raise BadInputError(
      f"Nothing of {folder.task} is in {str(folder.root.parent)!r}. Name the workspace of its runs "
      "with --workspace."
    )
  bounds = keep if keep.is_set else _of_latest_run(folder)
  quieten_screen()
  from pipeline.runs.retention import cleaning

  stores = cleaning.stores_of(folder, mlmd)
  with contextlib.nullcontext() if dry_run else _alone(folder):
    return cleaning.clean(folder, stores, bounds, dry_run=dry_run), bounds


def _of_latest_run(folder: TaskFolder) -> KeepConfig:
  """Returns the bounds that the latest run was told."""
  for path in sorted(folder.run_file("*").parent.glob("*.json"), reverse=True):
    told = run_files.told(folder, path.stem)
    if told is not None:
      return told.config.keep
  return KeepConfig()


@contextlib.contextmanager
def _alone(folder: TaskFolder) -> Iterator[None]:
  from pipeline.execution import at_work

  with at_work.alone(folder, _COMMAND):
    others = at_work.run_ids(folder) - {_COMMAND}
    if others:
      raise BusyError(
        f"A run is at work in {str(folder.root)!r}: {', '.join(sorted(others))}. Clean when it is "
        "done."
      )
    yield
