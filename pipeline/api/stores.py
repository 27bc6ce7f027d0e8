"""Where earlier runs are looked for: the stores and tasks of a workspace."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dlpipe.workspace import Workspace
from pipeline.tasks import get_task, task_names


def tasks_in(workspace: str | None) -> list[str]:
  """Tasks that have run in a workspace, or whose models are served from it; known here or not."""
  return [folder.task for folder in Workspace.of(workspace).tasks()]


def strangers_in(workspace: str | None) -> list[str]:
  """Tasks of a workspace that are not known here, such as without DLPIPE_TASKS."""
  return [name for name in tasks_in(workspace) if name not in task_names()]


def checked(task: str | None, workspace: str | None) -> str | None:
  """A task's name.

  Raises:
    BadInputError: no task is called so, here or in the workspace.
  """
  if task is None or task in tasks_in(workspace):
    return task
  return get_task(task).name


def stores(task: str | None, workspace: str | None, mlmd: str | None) -> Iterator[Any]:
  """The connections of the store that is named, or of those in the workspace."""
  from pipeline.runs.store.metadata_stores import read_connection, sqlite_connection

  if mlmd is not None:
    yield read_connection(mlmd)
    return
  for name in [task] if task is not None else tasks_in(workspace):
    path = Workspace.of(workspace).task(name).metadata
    if path.exists():
      yield sqlite_connection(path)
