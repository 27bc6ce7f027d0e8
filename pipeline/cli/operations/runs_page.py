"""`dlpipe runs page` writes one page of all runs."""

from __future__ import annotations

import pathlib

import click

from dlpipe.errors import BadInputError
from dlpipe.workspace import Workspace
from pipeline.api.operations.runs_page import write_page
from pipeline.api.stores import checked
from pipeline.cli.json_output import echo_json
from pipeline.cli.local_path import LocalPath
from pipeline.cli.options import store_options


@click.command(short_help="Write one page of all runs.")
@click.argument("task", required=False)
@click.option(
  "-o",
  "--output",
  type=LocalPath(),
  metavar="FILE",
  help="The .html to write. Default: runs.html in the workspace.",
)
@click.option(
  "--count",
  type=click.IntRange(min=1),
  default=200,
  show_default=True,
  metavar="N",
  help="The latest N runs of a task.",
)
@store_options
def page(
  task: str | None,
  output: str | None,
  count: int,
  workspace: str | None,
  mlmd: str | None,
  as_json: bool,
) -> None:
  """Write one offline page of the runs of TASK, or of all tasks.

  It shows what is served, the trend of each metric, and of every run what was changed, its metrics
  with intervals, its verdicts, the Tuner's trials and a link to its report.
  """
  name = checked(task, workspace)
  path = pathlib.Path(output) if output is not None else Workspace.of(workspace).path / "runs.html"
  if path.suffix != ".html":
    raise BadInputError(f"-o takes a file that ends in .html. Received: {output!r}")
  if not path.parent.is_dir():
    raise BadInputError(f"There is no folder {str(path.parent)!r} to write {path.name!r} to.")
  shown = write_page(name, path, workspace=workspace, mlmd=mlmd, most=count)
  if as_json:
    echo_json({"task": name, "runs": shown, "page": str(path)})
  else:
    click.echo(f"Wrote {shown:,} runs to {path}")
