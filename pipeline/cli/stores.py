"""Where `dlpipe runs` and `dlpipe status` look: the stores and tasks of a workspace."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import click

from dlpipe.workspace import Workspace
from pipeline.cli.inputs import workspace_option
from pipeline.cli.local_path import LocalPath
from pipeline.tasks import get_task, task_names


def store_options(command: Callable[..., Any]) -> Callable[..., Any]:
  """Where the runs are looked for, and how they are printed."""
  options = (
    workspace_option,
    click.option(
      "--mlmd",
      type=LocalPath(),
      metavar="FILE",
      help="A metadata store's connection file. Default: the SQLite files of the workspace.",
    ),
    click.option("--json", "as_json", is_flag=True, help="Print one JSON object."),
  )
  for option in reversed(options):
    command = option(command)
  return command


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
