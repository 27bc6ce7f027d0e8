"""Writes a task's pipeline as a DAG file of Airflow."""

from __future__ import annotations

import os

from pipeline.orchestrators.airflow import settings
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
  """Compiles a task's pipeline into a DAG file, and a file beside it that the DAG's tasks read.

  Args:
    task: the task.
    config: the configuration; its section `airflow` configures the DAG.
    source: the source that reads the input.
    params: the settings of the model.
    output: path of the DAG file, ending in `.py`; the compiled pipeline gets the same name with
      `.json`.

  Raises:
    BadInputError: a setting cannot work, or a file cannot be written.
  """
  settings.check(config, output)
  # Imported here, because importing TFX takes seconds.
  from pipeline.assembly import create_pipeline
  from pipeline.orchestrators.airflow import dag_file

  pipeline = create_pipeline(
    task,
    config,
    source=source,
    params=params,
    runtime_parameters=True,
  )
  dag_file.write(pipeline, task, config, output)
