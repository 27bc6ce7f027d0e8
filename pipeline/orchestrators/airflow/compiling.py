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
  """Compiles a task's pipeline into a DAG file, and a file beside it that its tasks read.

  Args:
    task: what is learnt.
    config: the configuration; its section `airflow` says how the DAG behaves.
    source: how the input is read.
    params: the settings of the run's model.
    output: the DAG file, named `.py`; the compiled pipeline has the same name and `.json`.

  Raises:
    BadInputError: a setting cannot work, or a file cannot be written.
  """
  settings.check(config, output)
  # TFX is imported below, which takes seconds.
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
