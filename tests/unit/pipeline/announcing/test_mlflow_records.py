"""MLflow gets a run, its report and the pushed version; the aliases are the stages."""

import pathlib

import pytest

pytest.importorskip("mlflow", reason="the extra mlflow brings it")

from mlflow.tracking import MlflowClient

from components.versioned_pusher import candidates
from components.versioned_pusher.publish import publish
from dlpipe.workspace import TaskFolder
from pipeline.announcing import mlflow_records
from pipeline.announcing.notices import NotToldError
from pipeline.announcing.stage_moves import tell_of_stage
from pipeline.api.operations import staging
from pipeline.runs import run_files


@pytest.fixture
def uri(tmp_path, monkeypatch):
  """Files instead of a server, which MLflow 3 takes where it is told to."""
  monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
  return (tmp_path / "mlruns").as_uri()


@pytest.fixture
def folder(tmp_path):
  """Version 1 is live, 2 waits."""
  found = TaskFolder(tmp_path / "images")
  for name, put in (("a", publish), ("b", candidates.hold)):
    model = tmp_path / name
    model.mkdir()
    (model / "saved_model.pb").write_text(name)
    put(model, found.serving)
  report = found.report("20260101-000000-abcd")
  report.parent.mkdir(parents=True)
  report.write_text("<p>fine</p>")
  return found


def _runs(client):
  ids = [each.experiment_id for each in client.search_experiments() if each.experiment_id != "0"]
  return client.search_runs(ids)


def test_a_run_has_settings_metrics_and_its_report(uri, record, settings, folder):
  mlflow_records.write(record(), settings(f"tracking.mlflow_uri={uri}"), token=None)
  client = MlflowClient(tracking_uri=uri)
  [run] = _runs(client)
  assert client.get_experiment(run.info.experiment_id).name == "dlpipe/images"
  assert run.info.status == "FINISHED"
  assert run.data.params == {"data": "/data/pictures", "epochs": "3", "dropout": "0.25"}
  assert run.data.metrics["accuracy"] == 0.9
  assert run.data.metrics["examples.train"] == 80
  assert run.data.tags["dlpipe.state"] == "pushed"
  assert run.data.tags["mlflow.runName"] == "20260101-000000-abcd"
  artifacts = pathlib.Path(run.info.artifact_uri.removeprefix("file://"))
  assert (artifacts / "20260101-000000-abcd.html").read_text() == "<p>fine</p>"
  mlflow_records.write(
    record(state="failed", error="no"), settings(f"tracking.mlflow_uri={uri}"), token=None
  )
  assert sorted(run.info.status for run in _runs(client)) == ["FAILED", "FINISHED"]


def test_versions_have_the_aliases_of_their_stages(uri, record, settings, folder):
  config = settings(f"tracking.mlflow_uri={uri}", "tracking.mlflow_model=digits")
  run_files.write(config, "r1")
  mlflow_records.write(record(pushed_version=1), config, token=None)
  mlflow_records.write(record(pushed_version=2, candidate=True), config, token=None)
  mlflow_records.write(record(state="cached", pushed_version=2), config, token=None)
  client = MlflowClient(tracking_uri=uri, registry_uri=uri)

  def aliases():
    found = client.get_registered_model("digits").aliases
    return {name: int(version) for name, version in found.items()}

  versions = client.search_model_versions("name = 'digits'")
  assert {v.tags["dlpipe.version"]: int(v.version) for v in versions} == {"1": 1, "2": 2}
  source = pathlib.Path(client.get_model_version("digits", "2").source.removeprefix("file://"))
  assert (source / "saved_model.pb").read_text() == "b"
  assert aliases() == {"stable": 1, "candidate": 2}
  done = staging.promote(folder, None, stage="stable", reason=None)
  assert tell_of_stage(folder, done.served_as, "stable") is None
  assert aliases() == {"stable": 2}
  number = staging.rollback(folder, None, reason=None)
  assert tell_of_stage(folder, number, "stable") is None
  assert aliases() == {"stable": 1}


def test_a_version_that_mlflow_does_not_know_is_said(uri, settings, folder):
  assert tell_of_stage(folder, 1, "stable") is None, "no run has said that there is an MLflow"
  config = settings(f"tracking.mlflow_uri={uri}", "tracking.mlflow_model=digits")
  run_files.write(config, "r1")
  said = tell_of_stage(folder, 1, "stable")
  assert said.startswith("tracking.mlflow_uri was not told: ")
  assert said.endswith("The alias stable of digits is where it was; what is live has changed.")


def test_a_server_that_is_away_is_said_without_the_token(record, settings, free_ports, monkeypatch):
  [port] = free_ports(1)
  monkeypatch.setitem(mlflow_records._SETTINGS, "MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
  config = settings(f"tracking.mlflow_uri=http://127.0.0.1:{port}")
  with pytest.raises(NotToldError) as refused:
    mlflow_records.write(record(), config, token="t0kEn")
  assert "t0kEn" not in str(refused.value)
  assert str(port) in str(refused.value)
