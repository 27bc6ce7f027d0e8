"""Finds tasks: every folder here with a `task.py`, and folders that `DLPIPE_TASKS` names.

`DLPIPE_TASKS` lists more folders of task folders, separated as in `PATH`. They join this package's
`__path__`, so a user's task is `pipeline.tasks.<name>` everywhere.
"""

from __future__ import annotations

import difflib
import functools
import os
import pathlib

from dlpipe.errors import BadInputError
from pipeline.task import Task
from pipeline.task_loading import load_task

VARIABLE = "DLPIPE_TASKS"
_OWN = [os.path.abspath(p) for p in os.environ.get(VARIABLE, "").split(os.pathsep) if p]
__path__ += _OWN


_SCHEMAS = pathlib.Path(__file__).resolve().parents[2] / "schemas"
BEHAVIOUR_FILE = "behaviour.yaml"


def schema_path(name: str) -> pathlib.Path:
  """Returns the path of the task's reviewed schema: beside `task.py`, else in `schemas/<name>/`.

  Raises:
    BadInputError: the schema is in neither place.
  """
  places = [pathlib.Path(root) / name / "schema.pbtxt" for root in __path__]
  places.append(_SCHEMAS / name / "schema.pbtxt")
  for place in places:
    if place.is_file():
      return place
  shown = " or ".join(repr(str(p)) for p in (places[-2], places[-1]))
  raise BadInputError(f"The task {name} has no reviewed schema. Expected {shown}.")


def behaviour_path(name: str) -> pathlib.Path | None:
  """Returns the path of the task's tests of behaviour, beside its schema; None if it has none."""
  places = [pathlib.Path(root) / name / BEHAVIOUR_FILE for root in __path__]
  places.append(_SCHEMAS / name / BEHAVIOUR_FILE)
  return next((place for place in places if place.is_file()), None)


def task_names() -> tuple[str, ...]:
  """Returns the names of all tasks, sorted.

  Raises:
    BadInputError: `DLPIPE_TASKS` names a path without task folders.
  """
  return tuple(sorted(_folders()))


def get_task(name: str) -> Task:
  """Returns the task called `name`.

  Raises:
    BadInputError: no folder of that name has a `task.py`, or the task has a fault; the message
      names file and line.
  """
  folders = _folders()
  if name not in folders:
    close = difflib.get_close_matches(name, folders, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    raise BadInputError(f"Unknown task {name!r}.{hint} Known tasks: {', '.join(sorted(folders))}.")
  places = folders[name]
  if len(places) > 1:
    shown = " and ".join(repr(str(place)) for place in places)
    raise BadInputError(f"Two tasks are called {name!r}: in {shown}. Rename one of the folders.")
  return _loaded(name, places[0])


_loaded = functools.cache(load_task)


def _folders() -> dict[str, list[pathlib.Path]]:
  """Maps the name of a task to the folders with this name."""
  for root in map(pathlib.Path, _OWN):
    if not root.is_dir():
      raise BadInputError(
        f"{VARIABLE} must name folders that hold task folders. There is no folder {str(root)!r}."
      )
    if (root / "task.py").is_file():
      raise BadInputError(
        f"{VARIABLE} must name the folder that holds task folders: {str(root.parent)!r}. Received "
        f"a task's own folder: {str(root)!r}."
      )
  found: dict[str, list[pathlib.Path]] = {}
  # A folder that is named twice, or also by a link, counts once.
  for root in dict.fromkeys(pathlib.Path(path).resolve() for path in __path__):
    for file in root.glob("*/task.py"):
      found.setdefault(file.parent.name, []).append(file.parent)
  return found
