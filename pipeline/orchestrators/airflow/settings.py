"""Checks the section `airflow` of a configuration, before the pipeline is built."""

from __future__ import annotations

import os
import pathlib
import re

from dlpipe.errors import BadInputError
from pipeline.orchestrators.airflow.section import AirflowSection
from pipeline.settings.config import PipelineConfig

# The characters that Airflow allows in the name of a DAG and, in practice, of a pool.
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,250}")


def check(config: PipelineConfig, output: str | os.PathLike[str]) -> None:
  """Checks that Airflow accepts the settings.

  Raises:
    BadInputError: a setting cannot work.
  """
  airflow = config.section(AirflowSection)
  if pathlib.Path(output).suffix != ".py":
    raise BadInputError(
      f"A DAG file is Python: -o takes a name that ends with .py. Received: {str(output)!r}"
    )
  name = dag_id(airflow, output)
  if not _NAME.fullmatch(name):
    raise BadInputError(
      "The DAG's name takes letters, digits, '_', '-' and '.'. Received: "
      f"{name!r}, {'as airflow.dag_id' if airflow.dag_id is not None else 'by the name of -o'}."
    )
  if airflow.pool is not None and not airflow.pool.strip():
    raise BadInputError(f"airflow.pool takes the name of a pool. Received: {airflow.pool!r}")
  for field in ("python", "worker", "wait_for"):
    path = getattr(airflow, field)
    if path is not None and not path.startswith(("/", "{{")):
      raise BadInputError(
        f"airflow.{field} is a path on Airflow's workers, which starts with '/'. Received: {path!r}"
      )


def dag_id(airflow: AirflowSection, output: str | os.PathLike[str]) -> str:
  """Returns the DAG's name: the one that is set, or the file's."""
  return airflow.dag_id if airflow.dag_id is not None else pathlib.Path(output).stem
