"""`RunFile`: the settings of a run, kept in the workspace.

`dlpipe runs reproduce` reads it. Imports neither TensorFlow nor TFX.
"""

from __future__ import annotations

import importlib.metadata
import os
import pathlib
from collections.abc import Iterable

import pydantic

from components.spans import pattern, window
from dlpipe.errors import BadInputError
from dlpipe.workspace import TaskFolder, Workspace
from pipeline.settings.config import PipelineConfig

_PACKAGES = ("dlpipe", "tfx", "tensorflow", "keras", "tensorflow-transform", "apache-beam")


class RunFile(pydantic.BaseModel):
  """A run as it began.

  Attributes:
    run_id: the run's name.
    config: its configuration, with every default that held then.
    versions: of the packages that determine the model.
    last_span: the last span that it saw; None for data without spans.
  """

  model_config = pydantic.ConfigDict(frozen=True)

  run_id: str
  config: PipelineConfig
  versions: dict[str, str]
  last_span: str | None = None


def package_versions() -> dict[str, str]:
  """The installed versions of the packages that determine the model."""
  found = {}
  for name in _PACKAGES:
    try:
      found[name] = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:  # a checkout that is not installed
      continue
  return found


def write(config: PipelineConfig, run_id: str) -> pathlib.Path:
  """Writes a run's file, whole or not at all; returns its path."""
  path = config.folder.run_file(run_id)
  path.parent.mkdir(parents=True, exist_ok=True)
  run = RunFile(
    run_id=run_id, config=config, versions=package_versions(), last_span=_last_span(config)
  )
  half = path.with_suffix(".json.tmp")
  half.write_text(run.model_dump_json(indent=2) + "\n", encoding="utf-8")
  os.replace(half, path)
  return path


def _last_span(config: PipelineConfig) -> str | None:
  if config.spans is None:
    return None
  return window.choose(pattern.Pattern(config.data_path), config.spans).spans[-1].name


def told(folder: TaskFolder, run_id: str | None) -> RunFile | None:
  """The settings of a run; None if it left no file, or one of another release.

  Args:
    folder: that of its task.
    run_id: the run's name; None for no run.
  """
  if run_id is None:
    return None
  try:
    text = folder.run_file(run_id).read_text(encoding="utf-8")
    return RunFile.model_validate_json(text)
  except (OSError, ValueError):
    return None


def find(workspace: Workspace, run_id: str, tasks: Iterable[str]) -> RunFile:
  """The file of a run.

  Args:
    workspace: where it ran.
    run_id: the run's name.
    tasks: the tasks to look at.

  Raises:
    BadInputError: there is none, there are several, or it cannot be read.
  """
  paths = [workspace.task(task).run_file(run_id) for task in tasks]
  found = [path for path in paths if path.is_file()]
  if not found:
    raise BadInputError(
      f"{str(workspace.path)!r} does not say what the run {run_id!r} was told. `dlpipe runs list` "
      "lists the runs; those of `dlpipe check`, of an orchestrator and of older releases cannot be "
      "repeated."
    )
  if len(found) > 1:
    raise BadInputError(f"Several tasks have a run {run_id!r}. Choose one with --task.")
  try:
    return RunFile.model_validate_json(found[0].read_text(encoding="utf-8"))
  except (OSError, ValueError) as err:
    raise BadInputError(f"{found[0]} cannot be used: {err}") from err
