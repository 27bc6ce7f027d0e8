"""`dlpipe predict` predicts inputs with the pushed model in this process, or on a model server."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import click

from dlpipe.errors import BadInputError, DlpipeError
from dlpipe.words import one_line
from pipeline.api.asking import require_readable, rows, shown_input
from pipeline.api.models import Loaded, loaded
from pipeline.cli.json_output import echo_json
from pipeline.cli.options import FiniteRange, json_option, workspace_option
from pipeline.cli.predict_inputs import InputsCommand, read_inputs
from pipeline.cli.task_argument import task_argument
from pipeline.cli.why import explained, why_lines
from pipeline.problem import usual_words
from pipeline.task import Task
from pipeline.tasks import get_task

if TYPE_CHECKING:
  from pipeline.cli.endpoint import EndpointModel


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
  type=FiniteRange(min=0, min_open=True),
  default=60.0,
  show_default=True,
  help="Seconds to wait for the server.",
)
@click.option("--why", is_flag=True, help="Say what in each INPUT speaks for its answer.")
@json_option
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
  why: bool,
  as_json: bool,
) -> None:
  """Predict each INPUT (a file, or text, as TASK has it) with the newest pushed version.

  With --endpoint a model server is asked, TensorFlow Serving or `dlpipe serve`; no workspace is
  needed.

  An INPUT of - stands for the lines of stdin; one that may be taken for an option goes behind --.
  Where the model cannot read some of the inputs, the others are answered and the exit code is 1;
  where it can read none, it is 2.

  With --why each answer is explained: of a text by what each word adds, of a translation by the
  words that each word attends to, of a picture by a map, which is drawn into the current folder.
  """
  known = get_task(task)
  asked = read_inputs(known, inputs, input_file, sample=sample)
  if endpoint is None and (token_file is not None or ca_file is not None):
    raise BadInputError("--token-file and --ca-file are for a server: give --endpoint, too.")
  require_readable(known, asked)
  model: Loaded | EndpointModel
  if endpoint is None:
    model = loaded(known, place=workspace)
  else:
    model = _connected(known, endpoint, timeout_s=timeout_s, token_file=token_file, ca_file=ca_file)
  with contextlib.closing(model):
    answered = rows(known, asked, model.answers)
    reasons = explained(asked, answered, model.explanations) if why else [None] * len(asked)
  if as_json:
    shown = [
      {"input": each.shown, **row, **({} if reason is None else {"why": reason})}
      for each, row, reason in zip(asked, answered, reasons, strict=True)
    ]
    echo_json({"task": task, "version": model.version, "predictions": shown})
  else:
    click.echo(f"{task}, version {model.version}:")
    for each, row, reason in zip(asked, answered, reasons, strict=True):
      words = usual_words if "error" in row else known.problem.words
      said = ", ".join(one_line(word) for word in words(row))
      click.echo(f"  {shown_input(known, each.shown)}: {said}")
      for line in [] if reason is None else why_lines(reason):
        click.echo(f"    {line}")
  if refused := sum("error" in row for row in answered):
    raise DlpipeError(f"The model could not answer {refused} of {len(answered)} inputs.")


def _connected(task: Task, endpoint: str, **options: Any) -> EndpointModel:
  from pipeline.cli.endpoint import EndpointModel

  return EndpointModel(task, endpoint, **options)
