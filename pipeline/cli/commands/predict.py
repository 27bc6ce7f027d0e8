"""`dlpipe predict`: asks the pushed model in this process, or a model server."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import click

from components.versioned_pusher.publish import list_versions
from dlpipe.errors import BadInputError, DlpipeError
from dlpipe.words import one_line
from pipeline.api.damaged import serving_dir, ways_out
from pipeline.cli.options import workspace_option
from pipeline.cli.predict_inputs import Input, InputsCommand, read_inputs
from pipeline.cli.task_argument import task_argument
from pipeline.execution.output import quieten_imports
from pipeline.sources.tfrecord.op_errors import words_of
from pipeline.task import Task
from pipeline.tasks import get_task

_SHOWN_CHARACTERS = 72
_NAMED = 5
_BATCH = 128  # inputs asked at once

# What the model says of one value: its outputs, or why it has none.
_Answer = dict[str, Any] | str


@click.command(cls=InputsCommand, short_help="Predict with the pushed model.")
@task_argument
@click.argument("inputs", nargs=-1, metavar="INPUT...")
@workspace_option
@click.option(
  "--input-file", metavar="FILE", help="A file with one more INPUT a line; - reads stdin."
)
@click.option("--sample", is_flag=True, help="Predict one input of the task's shipped data.")
@click.option(
  "--endpoint", metavar="URL", help="Ask a server: http://HOST:PORT or grpc://HOST:PORT."
)
@click.option("--token-file", metavar="FILE", help="A bearer token for the server.")
@click.option(
  "--ca-file", metavar="FILE", help="Who signed the certificate of an https or grpcs URL."
)
@click.option(
  "--timeout",
  "timeout_s",
  type=click.FloatRange(min=0, min_open=True),
  default=60.0,
  show_default=True,
  help="Seconds to wait for the server.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def predict(
  task: str,
  inputs: tuple[str, ...],
  workspace: str | None,
  input_file: str | None,
  sample: bool,
  endpoint: str | None,
  token_file: str | None,
  ca_file: str | None,
  timeout_s: float,
  as_json: bool,
) -> None:
  """Predict each INPUT (a file, or text, as TASK has it) with the newest pushed version.

  With --endpoint a model server is asked, TensorFlow Serving or `dlpipe serve`; no workspace is
  needed.

  An INPUT of - stands for the lines of stdin; one that may be taken for an option goes behind --.
  Where the model cannot read some of the inputs, the others are answered and the exit code is 1;
  where it can read none, it is 2.
  """
  known = get_task(task)
  asked = read_inputs(known, inputs, input_file, sample=sample)
  values = [each.value for each in asked if each.value is not None]
  if endpoint is None and (token_file is not None or ca_file is not None):
    raise BadInputError("--token-file and --ca-file are for a server: give --endpoint, too.")
  if not values:
    raise BadInputError(_none_read(known, asked))
  if endpoint is None:
    found, version = _ask(known, workspace, values)
  else:
    found, version = _ask_server(
      known, endpoint, values, timeout_s=timeout_s, token_file=token_file, ca_file=ca_file
    )
  answered = iter(found)
  answers = [next(answered) if each.value is not None else each.error or "" for each in asked]
  refused = [answer for answer in answers if isinstance(answer, str)]
  if len(refused) == len(answers):
    raise BadInputError(_none_answered(known, asked, refused))
  rows = [
    {"input": each.shown, **({"error": answer} if isinstance(answer, str) else answer)}
    for each, answer in zip(asked, answers, strict=True)
  ]
  if as_json:
    click.echo(json.dumps({"task": task, "version": version, "predictions": rows}))
  else:
    click.echo(f"{task}, version {version}:")
    for row in rows:
      click.echo(f"  {_shown_input(known, row['input'])}: {', '.join(_shown_outputs(row))}")
  if refused:
    raise DlpipeError(f"The model could not answer {len(refused)} of {len(rows)} inputs.")


def _ask(task: Task, workspace: str | None, values: list[Any]) -> tuple[list[_Answer], int]:
  root = serving_dir(task.name, workspace)
  if not list_versions(root):
    raise BadInputError(
      f"No model is pushed in {str(root)!r}. Run `dlpipe run {task.name}` first, or name the "
      "workspace of that run with --workspace."
    )
  # TensorFlow's advice to programmers would stand among the answers.
  quieten_imports(on_screen=True)
  from serving.errors import InvalidArgument, ServingError
  from serving.model_store import ModelStore
  from serving.predictor import Predictor

  store = ModelStore(root)
  version = max(store.versions(), default=max(list_versions(root)))
  predictor = Predictor(store)
  try:
    store.get(version)
  except ServingError as err:
    raise DlpipeError(f"{err.message}\n{ways_out(task.name, workspace, version)}") from err
  try:
    return _answers(
      lambda some: predictor.predict({task.input.key: some}, version=version),
      values,
      InvalidArgument,
    ), version
  except ServingError as err:
    raise DlpipeError(f"The model could not answer: {err}") from err


def _ask_server(
  task: Task, endpoint: str, values: list[Any], **options: Any
) -> tuple[list[_Answer], int]:
  from pipeline.cli.endpoint import EndpointModel
  from serving.client import BadRequest

  model = EndpointModel(task, endpoint, **options)
  try:
    return _answers(model.predict, values, BadRequest), model.version
  finally:
    model.close()


def _answers(
  predict_values: Callable[[Sequence[Any]], dict[str, Any]],
  values: Sequence[Any],
  refusal: type[Exception],
) -> list[_Answer]:
  from pipeline.batch.values import plain_values

  if len(values) > _BATCH:
    return [
      answer
      for start in range(0, len(values), _BATCH)
      for answer in _answers(predict_values, values[start : start + _BATCH], refusal)
    ]
  try:
    found = predict_values(values)
  except refusal as err:
    if len(values) == 1:
      return [words_of(str(err))]
    # One value that the model cannot read costs no other its answer.
    middle = len(values) // 2
    return [
      answer
      for some in (values[:middle], values[middle:])
      for answer in _answers(predict_values, some, refusal)
    ]
  # Words before numbers: a translation before its score.
  names = sorted(found, key=lambda name: (found[name].dtype != object, name))
  plain = {name: plain_values(found[name]) for name in names}
  return [{name: column[i] for name, column in plain.items()} for i in range(len(values))]


def _none_read(task: Task, asked: Sequence[Input]) -> str:
  if len(asked) == 1:
    return asked[0].error or ""
  title = f"None of {len(asked):,} inputs can be read:"
  return _listed(title, task, asked, [each.error or "" for each in asked])


def _none_answered(task: Task, asked: Sequence[Input], reasons: Sequence[str]) -> str:
  if len(asked) == 1:
    return f"The model could not answer {_shown_input(task, asked[0].shown)!r}: {reasons[0]}"
  title = f"The model could answer none of {len(asked):,} inputs:"
  return _listed(title, task, asked, reasons)


def _listed(title: str, task: Task, asked: Sequence[Input], reasons: Sequence[str]) -> str:
  named = [
    f"{_shown_input(task, each.shown)!r}: {reason}"
    for each, reason in zip(asked[:_NAMED], reasons, strict=False)
  ]
  more = [f"and {len(asked) - _NAMED:,} more"] if len(asked) > _NAMED else []
  return "\n  ".join([title, *named, *more])


def _shown_input(task: Task, argument: str) -> str:
  """The input on one line; a text that would fill the screen is cut, a path is not."""
  shown = one_line(argument)
  if task.input.kind == "text" and len(shown) > _SHOWN_CHARACTERS:
    return shown[: _SHOWN_CHARACTERS - 3] + "..."
  return shown


def _shown_outputs(row: dict[str, Any]) -> list[str]:
  return [
    f"{name} {_shown(value)}"
    for name, value in row.items()
    if not isinstance(value, list) and name != "input"
  ]


def _shown(value: Any) -> str:
  return f"{value:.4f}" if isinstance(value, float) else one_line(str(value))
