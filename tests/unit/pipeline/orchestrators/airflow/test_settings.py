"""What the section `airflow` refuses, before anything is drawn."""

import pytest

from dlpipe.errors import BadInputError
from pipeline.orchestrators.airflow import settings
from pipeline.orchestrators.airflow.section import AirflowSection
from pipeline.settings.config import PipelineConfig
from pipeline.settings.data_config import DataConfig


def config(**airflow):
  return PipelineConfig(
    task="images", data_path="/data", workspace="/ws", airflow=AirflowSection(**airflow)
  )


def test_the_dag_is_named_as_its_file():
  assert settings.dag_id(AirflowSection(), "dags/images-tiny.py") == "images-tiny"
  assert settings.dag_id(AirflowSection(dag_id="a.b"), "dags/images.py") == "a.b"


@pytest.mark.parametrize(
  "airflow",
  [
    {},
    {"schedule": "@daily"},
    {"schedule": "*/15 3-5 * JAN,MAR 1#2"},
    {"python": "/srv/dlpipe/bin/python", "worker": "/run/dlpipe.sock", "pool": "heavy"},
  ],
)
def test_what_can_work_passes(airflow):
  settings.check(config(**airflow), "dags/images.py")


@pytest.mark.parametrize(
  ("airflow", "output", "message"),
  [
    ({}, "dags/images.yaml", "ends with .py. Received: 'dags/images.yaml'"),
    ({}, "dags/my images.py", "'my images', by the name of -o."),
    ({"dag_id": "a/b"}, "d.py", "'a/b', as airflow.dag_id."),
    ({"pool": " "}, "d.py", "airflow.pool takes the name of a pool"),
    ({"python": "bin/python"}, "d.py", "airflow.python is a path.*Received: 'bin/python'"),
    ({"worker": "w.sock"}, "d.py", "airflow.worker is a path.*Received: 'w.sock'"),
  ],
)
def test_what_cannot_work_is_bad_input(airflow, output, message):
  with pytest.raises(BadInputError, match=message):
    settings.check(config(**airflow), output)


@pytest.mark.parametrize(
  ("path", "message"),
  [
    ("/in/{{ ds }/", r"--data cannot be filled in for a run: .* Received: '/in/\{\{ ds \}/'"),
    ("/in/{{ dss }}/", r"--data names 'dss', which Airflow does not fill in. Did you mean ds\?"),
    ("/in/{{ yesterday }}/", r"--data names 'yesterday', which Airflow does not fill in\. Rec"),
  ],
)
def test_a_template_that_no_run_could_fill_in_is_bad_input(path, message):
  told = config().model_copy(update={"data_path": path})
  with pytest.raises(BadInputError, match=message):
    settings.check(told, "d.py")


def test_days_that_are_made_up_for_each_end_with_their_own_span():
  spans = {"data_path": "/in/{date}/"}
  past = config(schedule="@daily", catchup=True).model_copy(update=spans)
  with pytest.raises(BadInputError, match=r"newest span .* --set 'data\.last_span=\{\{ ds \}\}'"):
    settings.check(past, "d.py")
  settings.check(config(schedule="@daily").model_copy(update=spans), "d.py")
  for last, message in (("{{ ds }}", None), ("{{ day }}", "data.last_span names 'day'")):
    told = past.model_copy(update={"data": DataConfig(last_span=last)})
    if message is None:
      settings.check(told, "d.py")
    else:
      with pytest.raises(BadInputError, match=message):
        settings.check(told, "d.py")


def test_a_template_that_airflow_fills_in_passes():
  path = "/in/{{ data_interval_start | ds }}/{{ macros.ds_add(ds, -1) }}/{{ dag_run.conf.x }}"
  settings.check(config(wait_for="/in/{{ ds }}/_OK").model_copy(update={"data_path": path}), "d.py")
  with pytest.raises(BadInputError, match=r"airflow\.wait_for names 'day'"):
    settings.check(config(wait_for="/in/{{ day }}/_OK"), "d.py")
