"""`dlpipe.compile` writes a task's pipeline to a file for an orchestrator."""

from __future__ import annotations

import os
import pathlib
import warnings
from collections.abc import Mapping
from typing import Any

from dlpipe.dotted_paths import load_function
from dlpipe.errors import BadInputError
from pipeline.api.inputs import Inputs
from pipeline.api.quiet_screen import quieten_screen
from pipeline.api.values import Path, local_path, prepared
from pipeline.settings.orchestrators import ORCHESTRATORS, section_of
from pipeline.task import Task

_IR = "ir"  # TFX's intermediate representation


def compile(  # noqa: A001
  task: str | Task,
  *,
  target: str,
  output: Path | None = None,
  data: Path | None = None,
  workspace: Path | None = None,
  config: Path | None = None,
  settings: Mapping[str, Any] | None = None,
  tiny: bool = False,
  beam: str | None = None,
  mlmd: Path | None = None,
  **sections: Mapping[str, Any],
) -> pathlib.Path:
  """Compiles a task's pipeline into a file. Nothing is run.

  The file fixes the data, the workspace and every setting. A run can still set the runtime
  parameters, such as the run's id.

  >>> dlpipe.compile("images", target="ir", tiny=True).name
  'images.json'

  Args:
    task: the task, or its name.
    target: "ir" for TFX's intermediate representation, for `dlpipe node`; "airflow" for a DAG
      file with the IR beside it; "kubeflow" for a Kubeflow Pipelines v2 spec.
    output: the file to write; None takes the task's name in the working directory, as
      `images.yaml` for Kubeflow, `images.py` for Airflow and `images.json` for the IR.
    data: the input, a file or a folder; None takes the task's shipped sample.
    workspace: folder that runs write to; None takes $DLPIPE_WORKSPACE, else ./workspace.
    config: a YAML file of settings.
    settings: values by full name, such as {"kubeflow.pipeline_root": "gs://bucket/root"}.
    tiny: whether to train a small model, for a run in seconds.
    beam: Beam's runner: "direct", "flink", "spark" or "dataflow".
    mlmd: a metadata store's connection file.
    **sections: settings by section, as for `run`.

  Returns:
    The absolute path of the file.

  Raises:
    BadInputError: an argument, the input, or a setting that the orchestrator needs cannot be used.
  """
  if target not in targets():
    raise BadInputError(f"target takes one of {', '.join(targets())}. Received: {target!r}")
  inputs = prepared(
    compile,
    task,
    data=data,
    workspace=workspace,
    config=config,
    settings=settings,
    sections=sections,
    tiny=tiny,
    beam=beam,
    mlmd=mlmd,
    orchestrator=target,
  )
  given = local_path("output", output)
  path = os.path.abspath(given if given is not None else f"{inputs.task.name}{_suffix(target)}")
  note = write(inputs, target, path)
  if note is not None:
    warnings.warn(note, stacklevel=2)
  return pathlib.Path(path)


def write(inputs: Inputs, target: str, path: str) -> str | None:
  """Writes the file.

  Args:
    inputs: the pipeline, prepared for this target.
    target: one of `targets`.
    path: absolute path of the file.

  Returns:
    A warning for the user of the file, or None.
  """
  quieten_screen()
  if target == _IR:
    return _write_ir(inputs, path)
  of_orchestrator = load_function(f"pipeline.orchestrators.{target}.compiling.write")
  of_orchestrator(
    inputs.task, inputs.config, source=inputs.source, params=inputs.params, output=path
  )
  return None


def targets() -> list[str]:
  """Returns the targets that a pipeline can be compiled for: "ir", and every orchestrator."""
  return [_IR, *ORCHESTRATORS]


def _suffix(target: str) -> str:
  return ".json" if target == _IR else section_of(target).suffix


def _write_ir(inputs: Inputs, path: str) -> str | None:
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
    inputs.config,
  )
  if inputs.config.metadata.connection_file is None:
    return None
  return "The file does not say where metadata is kept; give --mlmd to every `dlpipe node`."
