"""Airflow's names stood in for, and the DAG file as that Airflow imports it."""

import importlib.util
import sys
import types

import jinja2
import pytest

from pipeline.orchestrators.airflow.section import AirflowSection
from pipeline.settings.config import MetadataConfig, PipelineConfig
from pipeline.tasks import get_task


class _Raised(Exception):
  pass


class _Fail(_Raised):
  pass


class _Skip(_Raised):
  pass


class _Deferred(Exception):
  pass


class _Instance:
  """Keeps what tasks of a run leave for each other."""

  def __init__(self):
    self.task_id, self.left = "", {}

  def xcom_push(self, key, value):
    self.left[self.task_id, key] = value

  def xcom_pull(self, task_ids, key):
    return self.left.get((task_ids, key))


class _Dag:
  """Keeps what it is given, and the tasks made while it is entered."""

  entered = None

  def __init__(self, **given):
    self.given, self.tasks = given, {}

  def __enter__(self):
    _Dag.entered = self
    return self

  def __exit__(self, *error):
    _Dag.entered = None


class _Operator:
  def __init__(self, *, task_id, **given):
    self.task_id, self.given, self.lines, self.upstream = task_id, given, [], []
    self.log = types.SimpleNamespace(info=lambda text, *values: self.lines.append(text % values))
    _Dag.entered.tasks[task_id] = self

  def __rshift__(self, later):
    later.upstream.append(self.task_id)

  def render_template(self, text, context):
    return jinja2.Template(text, undefined=jinja2.StrictUndefined).render(context)

  def defer(self, **given):
    raise _Deferred(given)


def _param(*default, **schema):
  return (schema.get("type"), *default)


def _timetable(cron, timezone):
  return f"intervals of {cron} in {timezone}"


def _modules(version):
  names = {"DAG": _Dag, "BaseOperator": _Operator, "Param": _param}
  errors = {"AirflowException": _Raised, "AirflowFailException": _Fail}
  errors["AirflowSkipException"] = _Skip
  timetable = {"CronDataIntervalTimetable": _timetable}
  if version == 3:
    temporal = {"DateTimeTrigger": lambda moment: moment}
    return {
      "airflow": {},
      "airflow.sdk": {**names, **timetable},
      "airflow.sdk.exceptions": errors,
      "airflow.providers.standard.triggers.temporal": temporal,
    }
  return {
    "airflow": {},
    "airflow.models": {},
    "airflow.models.baseoperator": names,
    "airflow.models.dag": names,
    "airflow.models.param": names,
    "airflow.exceptions": errors,
    "airflow.timetables": {},
    "airflow.timetables.interval": timetable,
  }


@pytest.fixture
def load(tmp_path, monkeypatch):
  """Returns a function that writes a DAG of two nodes and imports it as Airflow would."""
  from tfx.orchestration import metadata
  from tfx.orchestration.pipeline import Pipeline

  from components.reviewed_schema import ReviewedSchema
  from pipeline.orchestrators.airflow import dag_file

  def load_dag(version=3, mlmd=None, data="/data", **airflow):
    first = ReviewedSchema(text="feature {}")
    second = ReviewedSchema(text="feature {}").with_id("Second")
    second.add_upstream_node(first)
    pipeline = Pipeline(
      pipeline_name="test",
      pipeline_root=str(tmp_path / "artifacts"),
      components=[first, second],
      metadata_connection_config=metadata.sqlite_metadata_connection_config("unused.db"),
    )
    config = PipelineConfig(
      task="images",
      data_path=data,
      workspace="",
      metadata=MetadataConfig(connection_file=mlmd),
      airflow=AirflowSection(**airflow),
    )
    path = tmp_path / "dags" / "two.py"
    dag_file.write(pipeline, get_task("images"), config, path)
    for name, content in _modules(version).items():
      module = types.ModuleType(name)
      vars(module).update(content)
      monkeypatch.setitem(sys.modules, name, module)
    spec = importlib.util.spec_from_file_location("two", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module

  return load_dag


@pytest.fixture
def run(load, tmp_path, monkeypatch):
  """Returns a function that runs a task, with a shell script in place of dlpipe."""
  instance = _Instance()

  def run_task(script, task_id="ReviewedSchema", params=None, conf=None, **airflow):
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o755)
    monkeypatch.setenv("DLPIPE_PYTHON", str(python))
    module = load(**airflow)
    task = module.dag.tasks[task_id]
    given = {name: default for name, (default, _) in module.SETTINGS.items()}
    context = {
      "run_id": "manual__2026-11-24T00:00:00+00:00",
      "ds": "2026-11-24",
      "params": {**given, "pipeline-root": "/a b'", **(params or {})},
      "ti": instance,
      "dag_run": types.SimpleNamespace(conf=conf),
    }
    instance.task_id = task_id
    return task, lambda: task.execute(context)

  return run_task


@pytest.fixture
def airflow():
  """Returns the names by which tests know what tasks raise and leave."""
  return types.SimpleNamespace(
    Raised=_Raised, Fail=_Fail, Skip=_Skip, Deferred=_Deferred, Instance=_Instance
  )
