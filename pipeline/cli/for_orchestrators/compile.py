"""`dlpipe compile`: a task's pipeline as a file for an orchestrator."""

from __future__ import annotations

import json
import os
from typing import Any

import click

from dlpipe.dotted_paths import load_function
from pipeline.cli.inputs import Inputs, prepare, run_options
from pipeline.cli.quiet_screen import quieten_screen
from pipeline.settings.orchestrators import ORCHESTRATORS, section_of


@click.command(name="compile", short_help="Write the pipeline for an orchestrator.")
@run_options
@click.option(
  "--for",
  "orchestrator",
  type=click.Choice(["ir", *ORCHESTRATORS]),
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
  quieten_screen()
  path = os.path.abspath(output)
  if orchestrator == "ir":
    _write_ir(inputs, path)
  else:
    write = load_function(f"pipeline.orchestrators.{orchestrator}.compiling.write")
    write(inputs.task, inputs.config, source=inputs.source, params=inputs.params, output=path)
  if as_json:
    click.echo(json.dumps({"task": inputs.task.name, "for": orchestrator, "output": path}))
  else:
    click.echo(f"Wrote {output}")


def _write_ir(inputs: Inputs, path: str) -> None:
  from pipeline.assembly import create_pipeline
  from pipeline.execution.ir import write_ir

  write_ir(
    create_pipeline(
      inputs.task,
      inputs.config,
      source=inputs.source,
      params=inputs.params,
      runtime_parameters=True,
    ),
    path,
  )
  if inputs.config.metadata.connection_file is not None:
    click.echo(
      "The file does not say where metadata is kept; give --mlmd to every `dlpipe node`.", err=True
    )
