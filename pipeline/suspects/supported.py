"""Says where wrong labels can be looked for. Imports no framework."""

from __future__ import annotations

from dlpipe.errors import BadInputError
from pipeline.task import Task


def require_classes(task: Task) -> None:
  """Checks that a row of the task has one class of several.

  Raises:
    BadInputError: it has not.
  """
  if not task.problem.has_one_class:
    raise BadInputError(
      "Wrong labels are looked for where an answer is one class of several. The answers of task "
      f"{task.name} are of the kind {task.problem.name!r}."
    )
