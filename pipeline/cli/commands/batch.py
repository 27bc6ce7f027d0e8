"""`dlpipe batch` predicts every row of an input with the pushed model, and writes one file."""

from __future__ import annotations

import contextlib
import datetime
import os
import pathlib
import sys
from collections.abc import Sequence
from typing import Any

import click

from components.versioned_pusher.version_folders import list_versions
from dlpipe.causes import user_error
from dlpipe.ending import end_now
from dlpipe.errors import BadInputError, DlpipeError
from dlpipe.progress import can_redraw
from dlpipe.workspace import Workspace
from pipeline.api.damaged import ways_out
from pipeline.beam.engines import check_engine
from pipeline.cli.json_output import echo_json
from pipeline.cli.local_path import LocalPath
from pipeline.cli.main import INTERRUPTED
from pipeline.cli.options import beam_option, config_option, json_last_option, workspace_option
from pipeline.cli.task_argument import task_argument
from pipeline.settings.config import PipelineConfig
from pipeline.settings.reading import make_config
from pipeline.tasks import get_task

BATCH_SIZE = 128


@click.command(short_help="Predict every row of an input into a file.")
@task_argument
@click.option(
  "--input",
  "input_path",
  type=LocalPath(),
  required=True,
  metavar="PATH",
  help="A table, a .txt, or a folder.",
)
@click.option(
  "--output",
  "output_path",
  type=LocalPath(),
  required=True,
  metavar="FILE",
  help="The file to write: .jsonl, .csv or .parquet.",
)
@workspace_option
@click.option(
  "--version",
  "version",
  type=click.IntRange(min=1),
  metavar="N",
  help="The model's version. Default: the newest pushed.",
)
@click.option(
  "--column",
  "--text-column",
  "column",
  metavar="NAME",
  help="The table's column with the inputs: texts, or paths of files.",
)
@click.option(
  "--id-column",
  metavar="NAME",
  help="The table's column with the ids. Default: id, or else rows are numbered.",
)
@click.option(
  "--keep", multiple=True, metavar="NAME", help="A column to keep; repeatable; '*' keeps all."
)
@click.option("--scores", is_flag=True, help="Also write outputs with several values a row.")
@click.option(
  "--shards",
  type=click.IntRange(min=1, max=99_999),
  metavar="N",
  help="Write N files, FILE-00000-of-0000N and so on, instead of one.",
)
@click.option("--overwrite", is_flag=True, help="Replace the output where it exists.")
@click.option(
  "--batch-size",
  type=click.IntRange(min=1),
  default=BATCH_SIZE,
  metavar="N",
  show_default=True,
  help="Rows that the model is asked about at once.",
)
@config_option
@click.option(
  "--set",
  "settings",
  multiple=True,
  metavar="KEY=VALUE",
  help="One setting, such as data.separator=semicolon or beam.options=[...]; repeatable.",
)
@beam_option
@json_last_option
def batch(
  task: str,
  input_path: str,
  output_path: str,
  workspace: str | None,
  version: int | None,
  column: str | None,
  id_column: str | None,
  keep: tuple[str, ...],
  shards: int | None,
  overwrite: bool,
  as_json: bool,
  **options: Any,
) -> None:
  """Predict every row of an input with a pushed model of TASK, and write the answers to a file.

  The input is a table (CSV, TSV, JSONL, Parquet), a .txt with one input a line, or, for tasks whose
  inputs are files, a folder. The output has a row for each row of the input, in its order: the id,
  the input, the columns to keep, what the model says, and an error where it can say nothing.

  \b
  Examples:
    dlpipe batch sentiment --input reviews.csv --output labels.csv --keep '*'
    dlpipe batch images --input pictures/ --output labels.jsonl
  """
  from pipeline.batch import as_trained
  from pipeline.batch.outputs import plan_output

  known = get_task(task)
  config = make_config(
    known,
    data_path=input_path,
    workspace=str(Workspace.of(workspace).path),
    config_file=options["config_file"],
    settings=options["settings"],
    beam=options["beam"],
  )
  _require_used(as_trained.read_options(known), options["settings"])
  check_engine(config.beam, os.environ)
  outputs = plan_output(output_path, input_path=input_path, shards=shards, overwrite=overwrite)
  number = _version(config, version)
  inputs, sentences = as_trained.plan(
    known, config, number, column=column, id_column=id_column, keep=keep
  )
  for sentence in sentences:
    click.echo(sentence, err=True)
  try:
    result, log_file = _run(
      config,
      number,
      as_json=as_json,
      inputs=inputs,
      outputs=outputs,
      batch_size=options["batch_size"],
      vectors=options["scores"],
    )
  except DlpipeError as err:
    # Workers send errors as text; only errors about the model name its folder.
    if repr(str(config.folder.serving / str(number))) not in str(err):
      raise
    advice = ways_out(known.name, workspace, number, can_choose=True)
    raise DlpipeError(f"{err}\n{advice}") from err
  _tell(known.name, number, result, log_file, as_json=as_json)
  sys.stdout.flush()
  sys.stderr.flush()
  end_now(1 if result.rows and result.errors == result.rows else 0)


def _require_used(used: Sequence[str], settings: Sequence[str]) -> None:
  """Raises `BadInputError` for a setting that only training reads, so that a batch ignores it."""
  used = [f"data.{name}" for name in used]
  for setting in settings:
    key = setting.partition("=")[0].strip()
    if key not in used and not key.startswith("beam."):
      raise BadInputError(
        f"--set {key} changes how a model is trained, and batch asks one that is. It takes "
        f"{', '.join(used)} and what begins with beam."
      )


def _version(config: PipelineConfig, version: int | None) -> int:
  found = list_versions(config.folder.serving)
  if not found:
    raise BadInputError(
      f"No model is pushed in {str(config.folder.serving)!r}. Run `dlpipe run {config.task}` "
      "first, or name the workspace of that run with --workspace."
    )
  if version is not None and version not in found:
    raise BadInputError(
      f"No version {version} in {str(config.folder.serving)!r}. Known versions: "
      f"{', '.join(map(str, found))}."
    )
  return version or max(found)


def _run(
  config: PipelineConfig, version: int, *, as_json: bool, inputs: Any, outputs: Any, **options: Any
) -> tuple[Any, pathlib.Path]:
  """Runs the batch; shows its progress and sends all other output to a log."""
  from pipeline.batch.terminal import BatchTerminal
  from pipeline.execution.output import quiet_output, quieten_imports

  quieten_imports()
  now = datetime.datetime.now(datetime.timezone.utc)
  log_file = config.folder.log(f"batch-{now:%Y%m%d-%H%M%S}-{os.urandom(2).hex()}")
  try:
    with quiet_output(log_file) as streams:
      screen = streams.stderr if as_json else streams.stdout
      screen.write("Loading TensorFlow and Beam, which takes some seconds ...\n")
      screen.flush()
      from pipeline.batch.run import run

      terminal = BatchTerminal(screen, can_redraw=can_redraw(screen), shards=len(inputs.shards))
      with contextlib.closing(terminal):
        result = run(
          config,
          model_dir=config.folder.serving / str(version),
          inputs=inputs,
          outputs=outputs,
          listener=terminal,
          **options,
        )
  except DlpipeError:
    raise
  except KeyboardInterrupt:
    click.echo("Interrupted. Nothing was written.", err=True)
    # Otherwise a worker's threads would continue to the end of their rows.
    end_now(INTERRUPTED)
  except Exception as err:
    raise user_error(err) or DlpipeError(
      f"{type(err).__name__}: {err}\nThis was not foreseen; the traceback is in {log_file}"
    ) from err
  return result, log_file


def _tell(task: str, version: int, result: Any, log_file: pathlib.Path, *, as_json: bool) -> None:
  for name, column in result.renamed.items():
    click.echo(f"The input has a column {name!r} of its own: the model's is {column!r}.", err=True)
  if result.errors:
    click.echo(
      f"{result.errors:,} of {result.rows:,} rows have no prediction; the first: "
      f"{result.first_error}",
      err=True,
    )
  if as_json:
    facts = {"task": task, "version": version, "rows": result.rows, "errors": result.errors}
    echo_json({**facts, "output": result.outputs, "seconds": round(result.seconds, 2)})
    return
  rows = f"{result.rows:,} row{'' if result.rows == 1 else 's'}"
  click.echo(f"{task}, version {version}: {rows} in {result.seconds:.1f} s")
  for path in result.outputs:
    click.echo(f"Output  {path}")
  click.echo(f"Log     {log_file}")
