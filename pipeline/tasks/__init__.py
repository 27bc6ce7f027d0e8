"""Finds tasks: every folder here that holds a `task.py`, and folders named by `DLPIPE_TASKS`.

`DLPIPE_TASKS` lists further folders (separated as `PATH` is) that each hold task folders; they join
this package's `__path__`, so a task of the user's own is `pipeline.tasks.<name>` everywhere.
"""

from __future__ import annotations

import difflib
import importlib
import os
import pathlib

from components.errors import BadInputError
from pipeline.task import Task

__path__ += [p for p in os.environ.get("DLPIPE_TASKS", "").split(os.pathsep) if p]


def task_names() -> tuple[str, ...]:
  """Names of all tasks, sorted."""
  return tuple(
    sorted({t.parent.name for root in __path__ for t in pathlib.Path(root).glob("*/task.py")})
  )


def get_task(name: str) -> Task:
  """The task called `name`.

  Raises:
    BadInputError: no folder of that name holds a `task.py`.
  """
  known = task_names()
  if name not in known:
    close = difflib.get_close_matches(name, known, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    raise BadInputError(f"Unknown task {name!r}.{hint} Known tasks: {', '.join(known)}.")
  return importlib.import_module(f"pipeline.tasks.{name}.task").TASK
