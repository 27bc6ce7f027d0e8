"""`RunFile`: the settings of a run, kept in the workspace.

`dlpipe runs reproduce` reads it. Imports neither TensorFlow nor TFX.
"""

from __future__ import annotations

import datetime
import importlib.metadata
import pathlib
import re
from collections.abc import Container, Iterable, Iterator

import pydantic

from components.spans import pattern, window
from dlpipe.disk.whole_files import write_whole
from dlpipe.errors import BadInputError
from dlpipe.workspace import TaskFolder, Workspace
from pipeline.settings.config import PipelineConfig

_PACKAGES = ("dlpipe", "tfx", "tensorflow", "keras", "tensorflow-transform", "apache-beam")

# Names of runs of `dlpipe run`; those that an orchestrator gives tell nothing about a clock.
_BEGAN = re.compile(r"(\d{8}-\d{6})-[0-9a-f]{4}")
_LEAST_BEHIND = datetime.timedelta(minutes=1)  # clocks are also set right


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
  """Returns the installed versions of the packages that determine the model."""
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
  run = RunFile(
    run_id=run_id, config=config, versions=package_versions(), last_span=_last_span(config)
  )
  write_whole(path, run.model_dump_json(indent=2) + "\n")
  return path


def _last_span(config: PipelineConfig) -> str | None:
  if config.spans is None:
    return None
  return window.choose(pattern.Pattern(config.data_path), config.spans).spans[-1].name


def clock_behind(folder: TaskFolder, run_id: str) -> str | None:
  """Says that an earlier run of the folder began later than this one, so that a clock is wrong.

  Args:
    folder: that of the task.
    run_id: the name of the run that begins.

  Returns:
    A sentence; None if there is no such run.
  """
  now = _began(run_id)
  known = {
    began: p.stem for p in folder.run_file("*").parent.glob("*.json") if (began := _began(p.stem))
  }
  latest = max(known, default=None)
  if now is None or latest is None or latest - now < _LEAST_BEHIND:
    return None
  return (
    f"The clock is wrong, or was: this run began at {now:%Y-%m-%d %H:%M} UTC, and the earlier run "
    f"{known[latest]} {latest - now} later. Until it is past that, runs are not listed, taken for "
    "the latest and cleaned in the order in which they were made."
  )


def was_ended(folder: TaskFolder, run_id: str) -> bool:
  """Returns whether a run came to its end, which leaves a report; False for one that was killed.

  A run without a file, such as one of `dlpipe check`, leaves no report: it is taken for ended.

  Args:
    folder: that of the task.
    run_id: the run's name.
  """
  return folder.report(run_id).exists() or not folder.run_file(run_id).exists()


def never_begun(
  folder: TaskFolder, known: Container[str]
) -> Iterator[tuple[str, datetime.datetime]]:
  """Yields runs of `dlpipe run` that were killed before a node of theirs began.

  No metadata store has them.

  Args:
    folder: that of the task.
    known: the names of the runs that the metadata store of the folder has.

  Yields:
    The run's name, and when it began, in UTC.
  """
  for path in sorted(folder.run_file("*").parent.glob("*.json")):
    run_id, began = path.stem, _began(path.stem)
    if began is None or run_id in known or was_ended(folder, run_id):
      continue
    run = told(folder, run_id)
    if run is not None and run.config.metadata.connection_file is None:
      yield run_id, began


def _began(run_id: str) -> datetime.datetime | None:
  named = _BEGAN.fullmatch(run_id)
  if named is None:
    return None
  try:
    return datetime.datetime.strptime(f"{named[1]}+0000", "%Y%m%d-%H%M%S%z")
  except ValueError:  # no moment
    return None


def told(folder: TaskFolder, run_id: str | None) -> RunFile | None:
  """Returns the settings of a run; None if it left no file, or one of another release.

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
  """Returns the file of a run.

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
