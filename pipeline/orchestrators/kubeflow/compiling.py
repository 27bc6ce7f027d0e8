"""Writes a task's pipeline as a spec of Kubeflow Pipelines."""

from __future__ import annotations

import importlib.util
import os

from dlpipe.errors import BadInputError
from pipeline.orchestrators.kubeflow import settings
from pipeline.params import Params
from pipeline.settings.config import PipelineConfig
from pipeline.task import Source, Task


def write(
  task: Task,
  config: PipelineConfig,
  *,
  source: Source,
  params: Params,
  output: str | os.PathLike[str],
) -> None:
  """Compiles a task's pipeline into one YAML file.

  Args:
    task: the task.
    config: the configuration; its section `kubeflow` sets images, folders and resources of nodes.
    source: the source that reads the input.
    params: the settings of the model.
    output: path of the file, ending in `.yaml` or `.yml`.

  Raises:
    BadInputError: kfp is not installed, a setting is missing or cannot work, or the file cannot be
      written.
  """
  if importlib.util.find_spec("kfp") is None:
    raise BadInputError(
      "Compiling for Kubeflow needs kfp, which is not installed. make install brings it, or in the "
      "folder of dlpipe: uv pip install --editable '.[kubeflow]'"
    )
  settings.check(config, output)
  # Imported here, because importing TFX and kfp takes seconds.
  from pipeline.orchestrators.kubeflow import spec

  documents = spec.make_documents(task, config, source=source, params=params)
  spec.write(documents, task, output)
