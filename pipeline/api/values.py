"""Converts and checks the arguments of Python callers for a run's configuration."""

from __future__ import annotations

import difflib
import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dlpipe.errors import BadInputError
from dlpipe.local_paths import require_local, require_readable
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
  tells: bool = False,
) -> Inputs:
  """Turns the arguments of a public function into a run that can start.

  Args:
    function: the function; an error about an unknown argument lists its parameters.
    task: a task, or its name.
    data: the input, or None.
    workspace: folder that the run writes to, or None.
    config: a YAML file of settings, or None.
    settings: values by full name, or None.
    sections: values by section and name.
    tiny: whether the task's CI-sized overrides apply.
    beam: Beam's runner, or None.
    mlmd: the metadata store's connection file, or None.
    orchestrator: the orchestrator to compile for; None for a run on this machine.
    tells: whether those whom `notify` names are told of an input that cannot be used.

  Raises:
    BadInputError: an argument or the input cannot be used.
  """
  known = task_named(task)
  arguments = [
    name for name, each in inspect.signature(function).parameters.items() if each.kind != _REST
  ]
  return prepare(
    task=known.name,
    data=data_path("data", data),
    workspace=local_path("workspace", workspace),
    config_file=local_path("config", config),
    values=as_settings(known, settings, sections, arguments=arguments),
    tiny=tiny,
    beam=beam,
    mlmd=local_path("mlmd", mlmd),
    orchestrator=orchestrator,
    tells=tells,
  )


def task_named(task: str | Task) -> Task:
  """Returns the task.

  Args:
    task: the task, or its name.

  Raises:
    BadInputError: no task has this name; or `task` differs from the task of this name, which a
      run's nodes would load.
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
  """Returns the name of a task, which may be unknown here; None for all tasks.

  Raises:
    BadInputError: `task` is neither a name nor a task.
  """
  return task if task is None or isinstance(task, str) else task_named(task).name


def local_path(name: str, path: Path | None) -> str | None:
  """Returns a path on this machine as text, or None.

  Raises:
    BadInputError: `path` has another type, is empty, or is a URI such as `gs://bucket/data`.
  """
  given = _path_text(name, path)
  if given is not None:
    require_local(name, given)
  return given


def data_path(name: str, path: Path | None) -> str | None:
  """Returns a path on this machine, or the address of a store that can be read, as text, or None.

  Raises:
    BadInputError: `path` has another type, is empty, or is an address that cannot be read.
  """
  given = _path_text(name, path)
  if given is not None:
    require_readable(name, given)
  return given


def _path_text(name: str, path: Path | None) -> str | None:
  if path is None:
    return None
  if not isinstance(path, (str, os.PathLike)):
    raise BadInputError(f"{name} takes a path. Received: {name}={path!r}")
  given = os.fspath(path)
  if not isinstance(given, str):
    raise BadInputError(f"{name} takes a path as text. Received: {name}={path!r}")
  return given


def as_settings(
  task: Task,
  settings: Mapping[str, Any] | None,
  sections: Mapping[str, Any],
  *,
  arguments: Sequence[str],
) -> dict[str, Any]:
  """Returns the values of settings by full name.

  Args:
    task: the task.
    settings: values by full name, such as "train.epochs".
    sections: values by section and name, as in `{"train": {"epochs": 3}}`.
    arguments: the other parameters of the called function, for a hint.

  Raises:
    BadInputError: a section is not a mapping, a name is not text, or a setting is given twice.
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
  """Returns the error for a keyword argument that is neither a parameter nor a section."""
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
  """Converts paths, tuples and NumPy numbers to plain Python values."""
  if isinstance(value, os.PathLike):
    return os.fspath(value)
  if isinstance(value, Mapping):
    return {key: _plain(item) for key, item in value.items()}
  if isinstance(value, (list, tuple)):
    return [_plain(item) for item in value]
  if not isinstance(value, (str, bytes)) and getattr(value, "shape", None) == ():
    return value.item()
  return value
