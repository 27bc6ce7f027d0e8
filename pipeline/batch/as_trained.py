"""Reads the input of a batch with the data options that its model was trained with.

The version's record holds the data options of its training, such as `data.text_column`, so the user
need not repeat them. If the input is another kind of table, they do not apply.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from components.versioned_pusher.version_folders import version_record
from dlpipe.errors import BadInputError
from pipeline.batch import input_columns
from pipeline.batch.inputs import InputPlan, plan_input
from pipeline.settings.config import PipelineConfig
from pipeline.settings.known_settings import in_yaml
from pipeline.task import Task


def read_options(task: Task) -> tuple[str, ...]:
  """Returns the names of the data options that apply to the input of a batch."""
  return "separator", "header", f"{input_columns.role(task)}_column"


def plan(
  task: Task, config: PipelineConfig, version: int, *, column: str | None, **named: Any
) -> tuple[InputPlan, list[str]]:
  """Plans the input, with the options of the model's training if they fit.

  Args:
    task: the task of the model.
    config: the batch's configuration; its options override those of the training.
    version: the model's version.
    column: the table's column with the inputs, if the user named it.
    **named: further arguments of `plan_input`.

  Returns:
    The plan, and sentences on options and columns that the user did not choose.

  Raises:
    BadInputError: the input does not exist, or cannot be read.
  """
  options, path = config.data_options(task), config.data_path
  learned = _learned(task, config, version, has_column=column is not None)
  if not learned:
    found = plan_input(task, path, options=options, column=column, **named)
    return found, _guessed(found)
  try:
    found = plan_input(task, path, options={**options, **learned}, column=column, **named)
  except BadInputError as as_trained:
    try:
      found = plan_input(task, path, options=options, column=column, **named)
    except BadInputError:
      # The options of the training are more likely to be right, so their error is shown.
      raise as_trained from None
    return found, [
      f"Not read as in the training of version {version}, {_told(learned)}: that does not fit.",
      *_guessed(found),
    ]
  if found.kind != "table":
    return found, _guessed(found)
  said = f"Read as in the training of version {version}: {_told(learned)}."
  return found, [f"{said} --set or --column says otherwise.", *_guessed(found)]


def _learned(
  task: Task, config: PipelineConfig, version: int, *, has_column: bool
) -> dict[str, Any]:
  """Returns the data options of the version's training that the user does not override."""
  recorded = version_record(config.folder.serving, version).get("data_options")
  if not isinstance(recorded, Mapping):
    return {}
  said = {name for name, value in config.data.options.items() if value is not None}
  if has_column:
    said.add(f"{input_columns.role(task)}_column")
  return {n: recorded[n] for n in read_options(task) if n in recorded and n not in said}


def _told(learned: Mapping[str, Any]) -> str:
  return ", ".join(
    f"data.{name}={value if isinstance(value, str) else in_yaml(value)}"
    for name, value in learned.items()
  )


def _guessed(found: InputPlan) -> list[str]:
  if not found.guess:
    return []
  return [
    f"Inputs are in the column {found.input_column!r}: {found.guess}. --column names another."
  ]
