"""Finds the metadata stores and the tasks of a workspace."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dlpipe.workspace import Workspace
from pipeline.tasks import get_task, task_names


def tasks_in(workspace: str | None) -> list[str]:
  """Returns all tasks that have run in a workspace or are served from it, known here or not."""
  return [folder.task for folder in Workspace.of(workspace).tasks()]


def strangers_in(workspace: str | None) -> list[str]:
  """Returns tasks of a workspace that are unknown here, such as if DLPIPE_TASKS is not set."""
  return [name for name in tasks_in(workspace) if name not in task_names()]


def checked(task: str | None, workspace: str | None) -> str | None:
  """Returns the task's name, or None for all tasks, after checking that the task exists.

  Raises:
    BadInputError: no task has this name, here or in the workspace.
  """
  if task is None or task in tasks_in(workspace):
    return task
  return get_task(task).name


def stores(task: str | None, workspace: str | None, mlmd: str | None) -> Iterator[Any]:
  """Yields connections to the store that `mlmd` names, or to those in the workspace."""
  from pipeline.runs.store.metadata_stores import read_connection, sqlite_connection

  if mlmd is not None:
    yield read_connection(mlmd)
    return
  for name in [task] if task is not None else tasks_in(workspace):
    path = Workspace.of(workspace).task(name).metadata
    if path.exists():
      yield sqlite_connection(path)
