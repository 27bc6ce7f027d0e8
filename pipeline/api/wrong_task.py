"""Suggests another task if an input does not fit the given one."""

from __future__ import annotations

import shlex

from dlpipe.errors import BadInputError
from pipeline.task import Task
from pipeline.tasks import get_task, task_names


def explain(err: BadInputError, task: Task, path: str) -> BadInputError:
  """Returns the error to raise: it suggests another task if one can read the input.

  Args:
    err: why the task cannot use the input; returned unchanged if no other task can.
    task: the task.
    path: the input.
  """
  for name in task_names():
    if name == task.name:
      continue
    words = _read_as(name, path)
    if words:
      return BadInputError(
        f"{path!r} looks like an input of the task {name}, not of {task.name}. Try: dlpipe check "
        f"{name} --data {shlex.quote(path)}\nAs {name}: {words}\nAs {task.name}: {err}"
      )
  return err


def _read_as(name: str, path: str) -> str:
  """Describes in a sentence how the task reads the input; empty if it cannot."""
  try:
    task = get_task(name)
    source = next((s for s in task.sources.values() if s.matches(path)), None)
    plan = source.plan(path, task.data_options.defaults()) if source else None
  except (BadInputError, ImportError):
    return ""
  if plan is None or plan.recognized is None or not plan.recognized.certain:
    return ""
  return plan.sentences()[0]
