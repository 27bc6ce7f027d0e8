"""`dlpipe predict`: asks the pushed model, in this process."""

from __future__ import annotations

import json
import os
import pathlib
from typing import Any

import click

from components.errors import BadInputError
from components.versioned_pusher.publish import list_versions
from pipeline.cli.inputs import workspace_option
from pipeline.config import PipelineConfig, from_env
from pipeline.task import Task
from pipeline.tasks import get_task


@click.command(short_help="Predict with the pushed model.")
@click.argument("task")
@click.argument("inputs", nargs=-1, metavar="INPUT...")
@workspace_option
@click.option("--sample", is_flag=True, help="Predict one input of the task's shipped data.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def predict(
  task: str, inputs: tuple[str, ...], workspace: str | None, sample: bool, as_json: bool
) -> None:
  """Predict each INPUT (a file, or text, as TASK has it) with the newest pushed version."""
  known = get_task(task)
  if sample:
    inputs = (*inputs, known.sample_input())
  if not inputs:
    raise BadInputError(f"dlpipe predict {task} needs at least one INPUT, or --sample.")
  values = [known.request_value(argument) for argument in inputs]
  root = PipelineConfig(
    task=known.name, data_path="", workspace=os.path.abspath(workspace or from_env())
  ).serving_dir
  outputs, version = _ask(known, root, values)
  rows = [
    {"input": argument, **{name: column[index] for name, column in outputs.items()}}
    for index, argument in enumerate(inputs)
  ]
  if as_json:
    click.echo(json.dumps({"task": task, "version": version, "predictions": rows}))
    return
  click.echo(f"{task}, version {version}:")
  for row in rows:
    shown = [
      f"{name} {_shown(row[name])}" for name in row if _is_scalar(row[name]) and name != "input"
    ]
    click.echo(f"  {row['input']}: {', '.join(shown)}")


def _ask(task: Task, root: pathlib.Path, values: list[Any]) -> tuple[dict[str, list[Any]], int]:
  os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
  if not list_versions(root):
    raise BadInputError(
      f"No model is pushed in {str(root)!r}. Run `dlpipe run {task.name}` first, or name the "
      "workspace of that run with --workspace."
    )
  from serving.errors import ServingError
  from serving.model_store import ModelStore
  from serving.predictor import Predictor

  try:
    store = ModelStore(root)
    version = max(store.versions())
    predicted = Predictor(store).predict({task.input_key: values}, version=version)
  except ServingError as err:
    raise BadInputError(f"The model could not answer: {err}") from err
  return {name: _plain(predicted[name].tolist()) for name in sorted(predicted)}, version


def _plain(value: Any) -> Any:
  """Strings for bytes, at any depth."""
  if isinstance(value, list):
    return [_plain(item) for item in value]
  return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _is_scalar(value: Any) -> bool:
  return not isinstance(value, list)


def _shown(value: Any) -> str:
  return f"{value:.4f}" if isinstance(value, float) else str(value)
