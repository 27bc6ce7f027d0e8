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


_SCHEMAS = pathlib.Path(__file__).resolve().parents[2] / "schemas"


def schema_path(name: str) -> pathlib.Path:
  """The task's reviewed schema: beside its `task.py`, else in `schemas/<name>/`.

  Raises:
    BadInputError: it is in neither place.
  """
  places = [pathlib.Path(root) / name / "schema.pbtxt" for root in __path__]
  places.append(_SCHEMAS / name / "schema.pbtxt")
  for place in places:
    if place.is_file():
      return place
  shown = " or ".join(repr(str(p)) for p in (places[-2], places[-1]))
  raise BadInputError(f"The task {name} has no reviewed schema. Expected {shown}.")


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
