"""Checks the section `airflow` of a configuration, before the pipeline is built."""

from __future__ import annotations

import difflib
import os
import pathlib
import re

import jinja2
import jinja2.meta

from dlpipe.errors import BadInputError
from pipeline.orchestrators.airflow.section import AirflowSection
from pipeline.settings.config import PipelineConfig

# What both Airflows know in a template of a run.
_FILLED_IN = {
  *("ds", "ds_nodash", "ts", "ts_nodash", "ts_nodash_with_tz", "logical_date", "run_id"),
  *("data_interval_start", "data_interval_end", "prev_data_interval_start_success"),
  *("prev_data_interval_end_success", "prev_start_date_success", "prev_end_date_success"),
  *("dag", "dag_run", "task", "task_instance", "task_instance_key_str", "ti", "params"),
  *("var", "conn", "macros", "test_mode", "inlets", "outlets"),
}
_FILTERS = ("ds", "ds_nodash", "ts", "ts_nodash", "ts_nodash_with_tz")
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
  if "{{" in config.data_path:
    _check_template("--data", config.data_path)
  if config.data.last_span is not None:
    _check_template("data.last_span", config.data.last_span)
  elif airflow.catchup and config.spans is not None:
    raise BadInputError(
      "With airflow.catchup, each run of a day that is past would read up to the newest span there "
      f"is of {config.data_path!r}, and not up to its own. Give each its own, with --set "
      "'data.last_span={{ ds }}'."
    )
  if airflow.wait_for is not None:
    _check_template("airflow.wait_for", airflow.wait_for)
  for field in ("python", "worker", "wait_for"):
    path = getattr(airflow, field)
    if path is not None and not path.startswith(("/", "{{")):
      raise BadInputError(
        f"airflow.{field} is a path on Airflow's workers, which starts with '/'. Received: {path!r}"
      )


def _check_template(option: str, text: str) -> None:
  """Checks that Airflow can fill in a text for each run: its syntax, and the names in it."""
  environment = jinja2.Environment()  # only to parse: it is filled in as a path, not as a page
  environment.filters.update(dict.fromkeys(_FILTERS, str))
  try:
    names = jinja2.meta.find_undeclared_variables(environment.parse(text))
  except jinja2.TemplateSyntaxError as err:
    raise BadInputError(
      f"{option} cannot be filled in for a run: {err.message} Received: {text!r}"
    ) from err
  if unknown := sorted(names - _FILLED_IN):
    near = difflib.get_close_matches(unknown[0], _FILLED_IN, n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    raise BadInputError(
      f"{option} names {unknown[0]!r}, which Airflow does not fill in.{hint} Received: {text!r}"
    )


def dag_id(airflow: AirflowSection, output: str | os.PathLike[str]) -> str:
  """Returns the DAG's name: the one that is set, or the file's."""
  return airflow.dag_id if airflow.dag_id is not None else pathlib.Path(output).stem
