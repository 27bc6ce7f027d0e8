"""`dlpipe log` picks logged requests to label, and makes data of labels."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import Any

import click

from dlpipe.workspace import Workspace
from pipeline.api.operations import logged_requests
from pipeline.cli.json_output import echo_json
from pipeline.cli.local_path import LocalPath
from pipeline.cli.options import json_option, log_option, workspace_option
from pipeline.cli.task_argument import task_argument
from pipeline.tasks import get_task


def _output_option(help_text: str) -> Callable[[Any], Any]:
  return click.option(
    "-o", "--output", required=True, type=LocalPath(), metavar="FILE", help=help_text
  )


def _tell(said: str) -> None:
  click.echo(said, err=True)


@click.group(short_help="Pick logged requests to label; join labels to them.")
def log() -> None:
  """The requests that `dlpipe serve TASK --log-requests`, or --request_log_dir, wrote."""


@log.command("pick", short_help="Write rows that are worth a label.")
@task_argument
@click.option(
  "--by",
  type=click.Choice([logged_requests.UNSURE, logged_requests.RANDOM, logged_requests.DISAGREEMENT]),
  default=logged_requests.UNSURE,
  show_default=True,
  help="The lowest scores; a random sample of the traffic; or where another version differs.",
)
@click.option("--count", type=click.IntRange(min=1), default=100, show_default=True, metavar="N")
@_output_option("A .csv with an empty column for the label, or .json for Label Studio.")
@click.option(
  "--version",
  type=click.IntRange(min=1),
  metavar="V",
  help="With --by disagreement: the version to compare with. Default: the one before.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="With --by random.")
@log_option
@workspace_option
@json_option
def pick(
  task: str,
  by: str,
  count: int,
  output: str,
  version: int | None,
  seed: int,
  log_dir: str | None,
  workspace: str | None,
  as_json: bool,
) -> None:
  """Write logged rows of TASK to label, each with the model's answer and score.

  Equal inputs count once. Fill in the column of the label and the CSV is data for `dlpipe run
  TASK --data`; or label the JSON in Label Studio, and join its export with `dlpipe log join`.

  \b
  Examples:
    dlpipe log pick sentiment --count 200 -o unsure.csv
    dlpipe log pick images --by random --count 500 -o tasks.json
  """
  if version is not None and by != logged_requests.DISAGREEMENT:
    raise click.UsageError("--version holds for --by disagreement.")
  known = get_task(task)
  written = logged_requests.pick(
    known,
    output,
    by=by,
    count=count,
    log=log_dir,
    workspace=workspace,
    version=version,
    seed=seed,
    tell=_tell,
  )
  if as_json:
    echo_json({"task": known.name, "by": by, "rows": written, "output": output})
    return
  click.echo(f"Wrote {written:,} rows to {output}")
  if output.endswith(".csv"):
    click.echo(
      f"Next: fill in the column {known.label_key}, then dlpipe run {known.name} "
      f"--data {shlex.quote(output)}{Workspace.of(workspace).option}"
    )


@log.command("join", short_help="Make data of labels and logged requests.")
@task_argument
@click.option(
  "--labels",
  required=True,
  type=LocalPath(),
  metavar="FILE",
  help="A .csv with the columns id and label, or Label Studio's export as .json.",
)
@_output_option("The .csv to write, which `dlpipe run TASK --data` reads.")
@click.option(
  "--label-column", metavar="NAME", help="The column of the labels. Default: the task's."
)
@log_option
@workspace_option
@json_option
def join(
  task: str,
  labels: str,
  output: str,
  label_column: str | None,
  log_dir: str | None,
  workspace: str | None,
  as_json: bool,
) -> None:
  """Join labels to the logged requests of TASK by id: that of a row, or the caller's own.

  A caller names its request by the header x-request-id (--request_log_id_header); so what became
  of an order later can be the label of the request about it.

  \b
  Example:
    dlpipe log join sentiment --labels labels.csv -o new_data.csv
  """
  known = get_task(task)
  written, strangers = logged_requests.join(
    known,
    labels,
    output,
    column=label_column or known.label_key,
    log=log_dir,
    workspace=workspace,
    tell=_tell,
  )
  if as_json:
    found = {"task": known.name, "rows": written, "unknown_ids": len(strangers), "output": output}
    echo_json(found)
    return
  click.echo(f"Wrote {written:,} labelled rows to {output}")
  if strangers:
    click.echo(
      f"{len(strangers):,} ids are of no request whose input was logged, such as "
      f"{', '.join(strangers[:3])}",
      err=True,
    )
