"""Compares the settings of two runs in the user's words: `train.epochs: 12 -> 3`.

A metadata store has the parameters of each node, in which one setting may occur several times under
names of TFX. The files of `run_files` have the settings as the user gave them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from pipeline.runs.changes import CODE, DATA, INPUT, SETTING, Change
from pipeline.runs.run_files import RunFile
from pipeline.settings.config import PipelineConfig
from pipeline.settings.known_settings import known_settings, value_of
from pipeline.task import Task

_OPTIONS = {"--data": "data_path", "--tiny": "tiny"}
_GATES, _EVALUATION = "gates.", "eval_config."


def differences(before: RunFile, after: RunFile, task: Task) -> list[Change]:
  """Returns the options and settings that differ, by the names that a user gives them."""
  first, second = before.config, after.config
  found = [
    Change(SETTING, option, *values)
    for option, *values in (
      ("--data", first.data_path, second.data_path),
      ("--tiny", first.tiny, second.tiny),
    )
    if values[0] != values[1]
  ]
  for setting in known_settings(task):
    was, now = (value_of(setting, task, config) for config in (first, second))
    if was != now:
      found.append(Change(SETTING, setting.key, was, now))
  return found


def told(run: RunFile, task: Task) -> list[Change]:
  """Returns the settings of a run that differ from the defaults, without its data and workspace."""
  config = run.config
  usual = PipelineConfig(
    task=config.task, data_path=config.data_path, workspace=config.workspace, tiny=config.tiny
  )
  return differences(run.model_copy(update={"config": usual}), run, task)


def in_users_words(changes: Iterable[Change], said: Sequence[Change]) -> list[Change]:
  """Returns a node's changes, with the user's settings instead of parameters that follow them."""
  kept: list[Change] = []
  words: list[Change] = []
  for change in changes:
    causes = [each for each in said if change.kind == SETTING and _follows(change, each)]
    words += [each for each in causes if each not in words]
    kept += [] if causes else [change]
  order = (CODE, DATA, SETTING, INPUT)
  return sorted(words + kept, key=lambda change: order.index(change.kind))


def _follows(change: Change, said: Change) -> bool:
  """Returns whether a parameter follows from a setting: by its name, or as the bound of a gate.

  TFMA's configuration has its own names for bounds, and a fall is a negative number there.
  """
  name = _OPTIONS.get(said.name, said.name.partition(".")[2])
  if change.name.rpartition(".")[2] == name:
    return True
  if not said.name.startswith(_GATES) or not change.name.startswith(_EVALUATION):
    return False
  return [_size(change.before), _size(change.after)] == [_size(said.before), _size(said.after)]


def _size(value: Any) -> float | None:
  try:
    return abs(float(value))
  except (TypeError, ValueError):
    return None
