"""`dlpipe predict`: asks the pushed model in this process, or a model server."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import click

from components.errors import BadInputError, DlpipeError
from components.versioned_pusher.publish import list_versions
from pipeline.cli.damaged import serving_dir, ways_out
from pipeline.cli.inputs import workspace_option
from pipeline.cli.task_argument import task_argument
from pipeline.runners.output import quieten_imports
from pipeline.runners.summary import one_line
from pipeline.sources import encoding, line_files, texts
from pipeline.sources.op_errors import words_of
from pipeline.task import Task
from pipeline.tasks import get_task

_STDIN = "-"
_SHOWN_CHARACTERS = 72
_NAMED = 5

# What the model says of one value: its outputs, or why it has none.
_Answer = dict[str, Any] | str


@click.command(short_help="Predict with the pushed model.")
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

  An INPUT of - stands for the lines of stdin. Where the model cannot read some of the inputs, the
  others are answered and the exit code is 1; where it can read none, it is 2.
  """
  known = get_task(task)
  arguments = list(_arguments(known, inputs))
  if input_file is not None:
    arguments += _lines(known, input_file)
  if sample:
    arguments.append(known.sample_input())
  if not arguments:
    raise BadInputError(f"dlpipe predict {task} needs at least one INPUT, or --sample.")
  values = [texts.as_bytes(known.request_value(a), "the input") for a in arguments]
  if endpoint is None:
    if token_file is not None or ca_file is not None:
      raise BadInputError("--token-file and --ca-file are for a server: give --endpoint, too.")
    answers, version = _ask(known, workspace, values)
  else:
    answers, version = _ask_server(
      known, endpoint, values, timeout_s=timeout_s, token_file=token_file, ca_file=ca_file
    )
  refused = [answer for answer in answers if isinstance(answer, str)]
  if len(refused) == len(answers):
    raise BadInputError(_none_answered(known, arguments, refused))
  rows = [
    {"input": argument, **({"error": answer} if isinstance(answer, str) else answer)}
    for argument, answer in zip(arguments, answers, strict=True)
  ]
  if as_json:
    click.echo(json.dumps({"task": task, "version": version, "predictions": rows}))
  else:
    click.echo(f"{task}, version {version}:")
    for row in rows:
      click.echo(f"  {_shown_input(known, row['input'])}: {', '.join(_shown_outputs(row))}")
  if refused:
    raise DlpipeError(f"The model could not answer {len(refused)} of {len(rows)} inputs.")


def _arguments(task: Task, inputs: Sequence[str]) -> Iterator[str]:
  for argument in inputs:
    if argument == _STDIN:
      yield from _lines(task, _STDIN)
    else:
      yield argument


def _lines(task: Task, file: str) -> Iterator[str]:
  """The lines of a file, or of stdin; bytes of a text that are no UTF-8 as an argument has them.

  Raises:
    BadInputError: they cannot be read, or should be paths and are no text.
  """
  for line in _read(file):
    try:
      if line.fault:
        raise encoding.UndecodableError(line.fault)
      if task.input_kind == "text":  # the model says what it refuses, of this line alone
        yield line.data.decode("utf-8", "surrogateescape")
      else:
        yield encoding.decode(line.data)
    except encoding.UndecodableError as err:
      name = "stdin" if file == _STDIN else repr(file)
      raise BadInputError(f"Line {line.number} of {name} is no input: {err}.") from err


def _read(file: str) -> Iterator[line_files.Line]:
  if file != _STDIN:
    if not os.path.isfile(file):
      raise BadInputError(f"--input-file takes a file of lines. There is none at {file!r}.")
    yield from line_files.read_lines(file)
    return
  lines = sys.stdin.buffer.read().removeprefix(encoding.BOM).split(b"\n")
  for number, line in enumerate(lines, 1):
    if line or number < len(lines):
      yield line_files.Line(number, line.removesuffix(b"\r"))


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
      lambda some: predictor.predict({task.input_key: some}, version=version),
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


def _none_answered(task: Task, arguments: Sequence[str], reasons: Sequence[str]) -> str:
  named = [
    f"{_shown_input(task, argument)!r}: {reason}"
    for argument, reason in zip(arguments, reasons, strict=True)
  ]
  if len(named) == 1:
    return f"The model could not answer {named[0]}"
  more = [f"and {len(named) - _NAMED:,} more"] if len(named) > _NAMED else []
  lines = [f"The model could answer none of {len(named):,} inputs:", *named[:_NAMED], *more]
  return "\n  ".join(lines)


def _shown_input(task: Task, argument: str) -> str:
  """The input on one line; a text that would fill the screen is cut, a path is not."""
  shown = one_line(argument)
  if task.input_kind == "text" and len(shown) > _SHOWN_CHARACTERS:
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
