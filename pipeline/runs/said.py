"""What two runs were told differently, in the user's words: `train.epochs: 12 -> 3`.

A metadata store has what TFX gave each node, where one setting may stand several times under names
of TFX's. The files of `run_files` have what was said.
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
  """The options and settings that differ, by the names that a user gives them."""
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
  """What a run was told beside its data and its workspace: the settings that are no defaults."""
  config = run.config
  usual = PipelineConfig(
    task=config.task, data_path=config.data_path, workspace=config.workspace, tiny=config.tiny
  )
  return differences(run.model_copy(update={"config": usual}), run, task)


def in_users_words(changes: Iterable[Change], said: Sequence[Change]) -> list[Change]:
  """A node's changes, with what was said in place of the parameters that follow from it."""
  kept: list[Change] = []
  words: list[Change] = []
  for change in changes:
    causes = [each for each in said if change.kind == SETTING and _follows(change, each)]
    words += [each for each in causes if each not in words]
    kept += [] if causes else [change]
  order = (CODE, DATA, SETTING, INPUT)
  return sorted(words + kept, key=lambda change: order.index(change.kind))


def _follows(change: Change, said: Change) -> bool:
  """Whether a parameter is what was said: by its name, or as the bound of a gate.

  TFMA's configuration has bounds under names of its own, and a fall as a negative number.
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
