"""`dlpipe compile` writes a task's pipeline to a file for an orchestrator."""

from __future__ import annotations

import os
from typing import Any

import click

from pipeline.api import compiling
from pipeline.api.inputs import prepare
from pipeline.cli.json_output import echo_json
from pipeline.cli.options import run_options
from pipeline.settings.orchestrators import ORCHESTRATORS, section_of


@click.command(name="compile", short_help="Write the pipeline for an orchestrator.")
@run_options
@click.option(
  "--for",
  "orchestrator",
  type=click.Choice(compiling.targets()),
  required=True,
  help="ir: TFX's intermediate representation, for `dlpipe node`. "
  + " ".join(f"{name}: {section_of(name).help}." for name in ORCHESTRATORS),
)
@click.option("-o", "--output", required=True, metavar="FILE", help="Where to write.")
def compile(orchestrator: str, output: str, as_json: bool, **options: Any) -> None:  # noqa: A001
  """Compile TASK's pipeline into FILE. Nothing is run.

  The options are those of `dlpipe run`. What they say is fixed in the file: the data, the
  workspace, every setting. Left open are the runtime parameters, the run's id above all.

  \b
  Examples:
    dlpipe compile images --for ir -o images.json
    dlpipe compile images --for airflow --workspace /srv/ws -o dags/images.py
    dlpipe compile images --for kubeflow -o images.yaml
  """
  inputs = prepare(**options, orchestrator=orchestrator)
  path = os.path.abspath(output)
  if (note := compiling.write(inputs, orchestrator, path)) is not None:
    click.echo(note, err=True)
  if as_json:
    echo_json({"task": inputs.task.name, "for": orchestrator, "output": path})
  else:
    click.echo(f"Wrote {output}")
