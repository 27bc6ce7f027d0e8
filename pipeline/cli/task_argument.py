"""TASK, as every command takes it: which tasks there are is said wherever one is missing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import click

from dlpipe.errors import BadInputError
from pipeline.tasks import get_task, task_names


class _TaskName(click.ParamType):
  name = "task"

  def get_missing_message(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
    """What follows "Missing argument 'TASK'."."""
    del param, ctx
    return f"Known tasks: {', '.join(task_names())}."


def task_argument(command: Callable[..., Any]) -> Callable[..., Any]:
  """The argument TASK."""
  return click.argument("task", type=_TaskName())(command)


def settings_of(args: Sequence[str]) -> list[str]:
  """Full names of what may be set for the task that a command line names; none where it has none.

  Args:
    args: the command line, which need not be readable otherwise.
  """
  from pipeline.settings.known_settings import known_settings

  try:
    named = [arg for arg in args if arg in task_names()]
    return [each.key for each in known_settings(get_task(named[0]))] if named else []
  except BadInputError:  # a broken task is told where it is used
    return []
