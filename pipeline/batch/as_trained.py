"""Reads the input of a batch as the data was read that its model learned from.

What a user said of the data at training, such as `data.text_column`, stands in the version's
record. It need not be said again; where the input is another kind of table, it does not hold.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from components.versioned_pusher.publish import version_record
from dlpipe.errors import BadInputError
from pipeline.batch import input_columns
from pipeline.batch.inputs import InputPlan, plan_input
from pipeline.settings.config import PipelineConfig
from pipeline.settings.known_settings import in_yaml
from pipeline.task import Task


def read_options(task: Task) -> tuple[str, ...]:
  """The data options that say how an input of a batch is read."""
  return "separator", "header", f"{input_columns.role(task)}_column"


def plan(
  task: Task, config: PipelineConfig, version: int, *, column: str | None, **named: Any
) -> tuple[InputPlan, list[str]]:
  """What is predicted, and sentences on how it is read where nobody said so for this input.

  Args:
    task: whose inputs they are.
    config: the batch's configuration; what it says wins over the record.
    version: the version that is asked.
    column: the table's column with the inputs, where it was named.
    named: further arguments of `plan_input`.

  Raises:
    BadInputError: there is no such input, or it cannot be read.
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
      # What held for the training data is the likelier thing to be right.
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
  """What the version's record says of the data, and nobody says otherwise for this input."""
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
