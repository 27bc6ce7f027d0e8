"""`dlpipe begin` tells a run of a compiled pipeline its data and settings."""

from __future__ import annotations

import os
from collections.abc import Sequence

import click

from pipeline.cli.for_orchestrators.options import compiled_run_options
from pipeline.cli.json_output import echo_json
from pipeline.cli.local_path import DataPath
from pipeline.execution.output import quieten_imports


@click.command(short_help="Begin a run of a compiled pipeline.")
@compiled_run_options
@click.option(
  "--data", type=DataPath(), metavar="PATH", help="The input of this run. Default: as compiled."
)
@click.option(
  "--set",
  "settings",
  multiple=True,
  metavar="SECTION.NAME=VALUE",
  help="A setting of this run; repeatable. Default: as compiled.",
)
def begin(
  ir_file: str,
  run_id: str,
  mlmd: str | None,
  data: str | None,
  settings: Sequence[str],
  as_json: bool,
) -> None:
  """Check the data and settings of one run, and keep them for its nodes and its record.

  What `dlpipe run` refuses is refused here, before any node reads data. Call it before the first
  `dlpipe node` of the run; without it, the run is as compiled.

  \b
  Exit codes:  0 begun   2 misuse or bad input
  \b
  Example:
    dlpipe begin --ir images.json --run-id 2026-11-24 --data inbox/2026-11-24/ \\
        --set train.epochs=5
  """
  quieten_imports()
  from pipeline.api.beginning import begin as begin_run

  begun = begin_run(os.path.abspath(ir_file), run_id, data=data, settings=settings, mlmd=mlmd)
  for sentence in begun.recognized:
    click.echo(sentence, err=True)
  if as_json:
    echo_json(begun.to_json())
  else:
    click.echo(f"Begun {run_id} of {begun.task}, with {begun.pipeline}")
