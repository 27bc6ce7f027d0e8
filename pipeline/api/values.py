"""What a caller in Python says, as the names and values that a run's configuration knows."""

from __future__ import annotations

import difflib
import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dlpipe.errors import BadInputError
from dlpipe.local_paths import require_local
from pipeline.api.inputs import Inputs, prepare
from pipeline.settings.known_settings import known_settings
from pipeline.settings.reading import nearest
from pipeline.task import Task
from pipeline.tasks import get_task

Path = str | os.PathLike[str]
_REST = inspect.Parameter.VAR_KEYWORD


def prepared(
  function: Callable[..., Any],
  task: str | Task,
  *,
  data: Path | None,
  workspace: Path | None,
  config: Path | None,
  settings: Mapping[str, Any] | None,
  sections: Mapping[str, Any],
  tiny: bool,
  beam: str | None,
  mlmd: Path | None,
  orchestrator: str | None = None,
) -> Inputs:
  """What a public function was given, as a run that can start.

  Args:
    function: the function, whose parameters are named where an argument is none of them.
    task: a task, or its name.
    data: the input, or None.
    workspace: where the run writes, or None.
    config: a YAML file of settings, or None.
    settings: full names to values, or None.
    sections: sections to names to values.
    tiny: whether the task's CI-sized overrides apply.
    beam: where Beam runs, or None.
    mlmd: the metadata store's connection file, or None.
    orchestrator: what is compiled for; None for a run on this machine.

  Raises:
    BadInputError: anything about them, or about the input, that cannot work.
  """
  known = task_named(task)
  arguments = [
    name for name, each in inspect.signature(function).parameters.items() if each.kind != _REST
  ]
  return prepare(
    task=known.name,
    data=local_path("data", data),
    workspace=local_path("workspace", workspace),
    config_file=local_path("config", config),
    values=as_settings(known, settings, sections, arguments=arguments),
    tiny=tiny,
    beam=beam,
    mlmd=local_path("mlmd", mlmd),
    orchestrator=orchestrator,
  )


def task_named(task: str | Task) -> Task:
  """The task.

  Args:
    task: its name, or the task itself.

  Raises:
    BadInputError: there is none of this name; or it is another one than its folder holds, which a
      run's nodes read by name.
  """
  if isinstance(task, str):
    return get_task(task)
  if not isinstance(task, Task):
    raise BadInputError(f"task must be a task's name or a dlpipe.Task. Received: {task!r}")
  known = get_task(task.name)
  if known != task:
    raise BadInputError(
      f"This Task {task.name!r} is not the one that its folder holds, and a run's nodes read the "
      "one of the folder. Change its task.py, or set what differs, as in train={'epochs': 3}."
    )
  return known


def task_name(task: str | Task | None) -> str | None:
  """The name of a task that need not be known here; None for all.

  Raises:
    BadInputError: it is neither a name nor a task.
  """
  return task if task is None or isinstance(task, str) else task_named(task).name


def local_path(name: str, path: Path | None) -> str | None:
  """A path on this machine as it was given; None stands for none.

  Raises:
    BadInputError: it is no path, it is empty, or an address of something elsewhere.
  """
  if path is None:
    return None
  if not isinstance(path, (str, os.PathLike)):
    raise BadInputError(f"{name} takes a path. Received: {name}={path!r}")
  given = os.fspath(path)
  if not isinstance(given, str):
    raise BadInputError(f"{name} takes a path as text. Received: {name}={path!r}")
  require_local(name, given)
  return given


def as_settings(
  task: Task,
  settings: Mapping[str, Any] | None,
  sections: Mapping[str, Any],
  *,
  arguments: Sequence[str],
) -> dict[str, Any]:
  """Full names of settings to their values.

  Args:
    task: whose settings they are.
    settings: full names such as "train.epochs" to values.
    sections: sections to names to values, as in `{"train": {"epochs": 3}}`.
    arguments: what the function that was called takes beside sections, for a hint.

  Raises:
    BadInputError: a section is no mapping, a name no text, or a setting is there twice.
  """
  if settings is not None and not isinstance(settings, Mapping):
    raise BadInputError(
      "settings takes a dictionary of full names, such as settings={'train.epochs': 3}. Received: "
      f"{settings!r}"
    )
  found = dict(settings or {})
  for section, values in sections.items():
    if not isinstance(values, Mapping):
      raise BadInputError(_no_section(task, section, values, arguments))
    for name, value in values.items():
      key = f"{section}.{name}"
      if key in found:
        raise BadInputError(f"{key} stands in settings and in {section}, too. Leave one out.")
      found[key] = value
  for key in found:
    if not isinstance(key, str):
      raise BadInputError(f"A setting's name must be text. Received: {key!r}")
  return {key: _plain(value) for key, value in found.items()}


def _no_section(task: Task, name: str, value: Any, arguments: Sequence[str]) -> str:
  """Why an argument that is none, and no section either, is refused."""
  known = [setting.key for setting in known_settings(task)]
  names = [*arguments, *dict.fromkeys(key.partition(".")[0] for key in known)]
  if name in names:
    return f"{name} takes a dictionary of settings. Received: {name}={value!r}"
  said = f"There is no argument {name!r}."
  if close := difflib.get_close_matches(name, names, n=1, cutoff=0.7):
    return f"{said} Did you mean {close[0]!r}?"
  if near := nearest(name, known):
    section, _, key = near[0].partition(".")
    return f"{said} Did you mean {section}={{{key!r}: {value!r}}}?"
  return f"{said} Known: {', '.join(names)}."


def _plain(value: Any) -> Any:
  """Python's own value of what a notebook has: paths, tuples, numbers of numpy."""
  if isinstance(value, os.PathLike):
    return os.fspath(value)
  if isinstance(value, Mapping):
    return {key: _plain(item) for key, item in value.items()}
  if isinstance(value, (list, tuple)):
    return [_plain(item) for item in value]
  if not isinstance(value, (str, bytes)) and getattr(value, "shape", None) == ():
    return value.item()
  return value
