"""`dlpipe compile`: a task's pipeline as a file for an orchestrator."""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Callable
from typing import Any

import click

from pipeline.api.inputs import Inputs, prepare
from pipeline.cli.options import run_options
from pipeline.execution.output import quieten_imports


@click.command(name="compile", short_help="Write the pipeline for an orchestrator.")
@run_options
@click.option(
  "--for",
  "orchestrator",
  type=click.Choice(["ir", "airflow", "kubeflow"]),
  required=True,
  help="ir: TFX's intermediate representation, for `dlpipe node`. airflow: a DAG file with the IR "
  "beside it. kubeflow: a Kubeflow Pipelines v2 spec.",
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
  quieten_imports(on_screen=True)
  path = os.path.abspath(output)
  _WRITERS[orchestrator](inputs, path)
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
      hyperparameters=inputs.hyperparameters,
      runtime_parameters=True,
    ),
    path,
  )
  if inputs.config.metadata.connection_file is not None:
    click.echo(
      "The file does not say where metadata is kept; give --mlmd to every `dlpipe node`.", err=True
    )


def _write_airflow(inputs: Inputs, path: str) -> None:
  importlib.import_module("pipeline.orchestrators.airflow").write_dag(
    inputs.task,
    inputs.config,
    source=inputs.source,
    hyperparameters=inputs.hyperparameters,
    output=path,
  )


def _write_kubeflow(inputs: Inputs, path: str) -> None:
  importlib.import_module("pipeline.orchestrators.kubeflow").compile_spec(
    inputs.task,
    inputs.config,
    source=inputs.source,
    hyperparameters=inputs.hyperparameters,
    output=path,
  )


_WRITERS: dict[str, Callable[[Inputs, str], None]] = {
  "ir": _write_ir,
  "airflow": _write_airflow,
  "kubeflow": _write_kubeflow,
}
