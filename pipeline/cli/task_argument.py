"""The argument TASK of every command; if it is missing, the error lists the known tasks."""

from __future__ import annotations

from collections.abc import Sequence

import click

from dlpipe.errors import BadInputError
from pipeline.tasks import get_task, task_names


class _TaskName(click.ParamType):
  name = "task"

  def get_missing_message(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
    """Returns the text after "Missing argument 'TASK'."."""
    del param, ctx
    return f"Known tasks: {', '.join(task_names())}."


task_argument = click.argument("task", type=_TaskName())


def settings_of(args: Sequence[str]) -> list[str]:
  """Returns the full names of the settings of the command line's task; empty if it names none.

  Args:
    args: the command line; the rest of it may be invalid.
  """
  from pipeline.settings.known_settings import known_settings

  try:
    named = [arg for arg in args if arg in task_names()]
    return [each.key for each in known_settings(get_task(named[0]))] if named else []
  except BadInputError:  # the command that uses a broken task reports it
    return []
