"""The images pipeline as a DAG on a real Airflow with PostgreSQL: what its users rely on."""

from __future__ import annotations

import os
import signal

import pytest
from sklearn.datasets import load_digits

# Airflow's programs take seconds to start, the nodes of three runs minutes.
pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(1800)]

_NODES = {
  "ReviewedSchema", "SourceExampleGen", "StatisticsGen", "SchemaGen", "ExampleValidator",
  "DataGate", "DataProfile", "DriftGate", "Transform", "Trainer", "PreviousModel", "Evaluator",
  "BehaviourGate", "ServingGate", "VersionedPusher",
}  # fmt: skip
_SETTINGS = {
  "train.epochs": 1,
  # What the model has learnt of so little is not the question here.
  "gates.skill": -1,
  "gates.worst_recall": "null",
  "gates.behaviour": "none",
  "gates.accuracy": 0,
  "airflow.retry_delay_s": 1,
}


@pytest.fixture(scope="module")
def data(write_digits, tmp_path_factory):
  """Class folders of a few pictures."""
  return write_digits(tmp_path_factory.mktemp("data") / "digits", load_digits().target[:200])


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
  return tmp_path_factory.mktemp("workspace")


@pytest.fixture(scope="module")
def airflow(
  start_airflow, run_dlpipe, postgresql, data, workspace, node_python, worker, tmp_path_factory
):
  """An Airflow with the DAG `images`, its metadata on PostgreSQL."""
  dags = tmp_path_factory.mktemp("dags")
  settings = [part for name, value in _SETTINGS.items() for part in ("--set", f"{name}={value}")]
  compiled = run_dlpipe(
    *("compile", "images", "--for", "airflow", "-o", dags / "images.py", "--tiny"),
    *("--data", data, "--workspace", workspace, "--mlmd", postgresql("mlmd_of_airflow")),
    *settings,
  )
  assert compiled.code == 0, compiled.stderr
  with start_airflow(dags, DLPIPE_PYTHON=str(node_python), DLPIPE_WORKER=worker) as running:
    yield running


@pytest.fixture(scope="module")
def first_run(airflow, workspace, process_at_work):
  """A run of which the first try of Transform was killed."""
  airflow.trigger("images", "first")
  victim = process_at_work(workspace / "images" / "artifacts", "images.first", "Transform")
  os.kill(victim, signal.SIGKILL)
  assert airflow.until_it_ends("first") == "success"
  return airflow


def test_a_killed_node_is_tried_again_and_the_run_succeeds(first_run, workspace):
  assert first_run.tasks("first") == {
    node: ("success", 2 if node == "Transform" else 1) for node in _NODES
  }
  assert "Transform failed" in first_run.log("images", "first", "Transform", attempt=1)
  assert '"state": "COMPLETE"' in first_run.log("images", "first", "Transform", attempt=2)
  [version] = [path.name for path in (workspace / "images" / "serving").glob("[0-9]*")]
  assert version == "1"


def test_the_second_run_is_cached(first_run, workspace):
  first_run.trigger("images", "second")
  assert first_run.until_it_ends("second") == "success"
  for node in _NODES:
    assert '"state": "CACHED"' in first_run.log("images", "second", node), node
  assert len(list((workspace / "images" / "serving").glob("[0-9]*"))) == 1


def test_a_failed_node_says_why_and_a_cleared_one_runs_again(first_run, data):
  hidden = data.rename(data.with_name("hidden"))
  first_run.trigger("images", "third", max_bad_fraction=0.5)
  assert first_run.until_it_ends("third") == "failed"
  states = first_run.tasks("third")
  # Bad input would be the same the second time.
  assert states.pop("SourceExampleGen") == ("failed", 1)
  assert states.pop("ReviewedSchema") == ("success", 1)
  assert {state for state, _ in states.values()} == {"upstream_failed"}
  log = first_run.log("images", "third", "SourceExampleGen")
  assert "SourceExampleGen: bad input. Expected a folder" in log
  assert f"Nothing exists at '{data}'; check the path." in log

  hidden.rename(data)
  first_run.command("tasks", "clear", "--yes", "--only-failed", "images")
  assert first_run.until_it_ends("third") == "success"
  assert first_run.tasks("third")["SourceExampleGen"] == ("success", 2)
  assert '"state": "CACHED"' in first_run.log("images", "third", "SourceExampleGen", attempt=2)
  # The run was given another bound than the first two.
  assert '"state": "COMPLETE"' in first_run.log("images", "third", "DataGate")
