"""The images pipeline as a DAG on a real Airflow with PostgreSQL: what its users rely on."""

from __future__ import annotations

import datetime
import json
import os
import signal

import pytest
from sklearn.datasets import load_digits

from dlpipe.workspace import TaskFolder
from pipeline.runs import run_files

# Airflow's programs take seconds to start, the nodes of three runs minutes.
pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(7200)]

_NODES = {
  "ReviewedSchema", "SourceExampleGen", "StatisticsGen", "SchemaGen", "ExampleValidator",
  "DataGate", "DataProfile", "DriftGate", "Transform", "Trainer", "PreviousModel", "Evaluator",
  "BehaviourGate", "ServingGate", "VersionedPusher",
}  # fmt: skip
_TASKS = {"Begin", *_NODES, "Finish"}
# How many days are made up for, at least four: two wait behind one that failed.
# DLPIPE_AIRFLOW_DAYS=10 takes ten.
_DAYS = int(os.environ.get("DLPIPE_AIRFLOW_DAYS", "4"))
_RETRIES = 1
_SETTINGS = {
  "train.epochs": 1,
  # What the model has learnt of so little is not the question here.
  "gates.skill": -1,
  "gates.worst_recall": "null",
  "gates.behaviour": "none",
  "gates.accuracy": 0,
  "airflow.retry_delay_s": 1,
  "airflow.retries": _RETRIES,
}


@pytest.fixture(scope="module")
def data(write_digits, tmp_path_factory):
  """Class folders of a few pictures."""
  return write_digits(tmp_path_factory.mktemp("data") / "digits", load_digits().target[:200])


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
  return tmp_path_factory.mktemp("workspace")


@pytest.fixture(scope="module")
def dags(tmp_path_factory):
  """The folder of DAG files that Airflow reads."""
  return tmp_path_factory.mktemp("dags")


@pytest.fixture(scope="module")
def airflow(start_airflow, run_dlpipe, postgresql, data, workspace, node_python, worker, dags):
  """An Airflow with the DAG `images`, its metadata on PostgreSQL."""
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
    task: ("success", 2 if task == "Transform" else 1) for task in _TASKS
  }
  assert "Transform failed" in first_run.log("images", "first", "Transform", attempt=1)
  assert '"state": "COMPLETE"' in first_run.log("images", "first", "Transform", attempt=2)
  [version] = [path.name for path in (workspace / "images" / "serving").glob("[0-9]*")]
  assert version == "1"
  folder = TaskFolder(workspace / "images")
  report = folder.report("images.first").read_text(encoding="utf-8")
  assert "Pushed as version 1" in report
  log = folder.log("images.first").read_text(encoding="utf-8")
  assert "Pushed version 1 to" in log
  assert json.loads(folder.run_file("images.first").read_text())["config"]["train"]["epochs"] == 1


def test_a_run_with_what_is_no_parameter_ends_before_it_begins(first_run, workspace):
  first_run.trigger("images", "typo", **{"train.epoch": 3})
  assert first_run.until_it_ends("typo") == "failed"
  states = first_run.tasks("typo")
  assert (states["Begin"], states["Finish"]) == (("failed", 1), ("failed", 1))
  assert {states[node][0] for node in _NODES} == {"upstream_failed"}
  log = first_run.log("images", "typo", "Begin")
  assert "no parameter for: train.epoch. Did you mean train.epochs?" in log
  assert not TaskFolder(workspace / "images").run_file("images.typo").exists()


def test_the_second_run_is_cached(first_run, workspace):
  first_run.trigger("images", "second")
  assert first_run.until_it_ends("second") == "success"
  for node in _NODES - {"DriftGate"}:  # which looks at the days before in every run
    assert '"state": "CACHED"' in first_run.log("images", "second", node), node
  assert len(list((workspace / "images" / "serving").glob("[0-9]*"))) == 1


def test_a_failed_node_says_why_and_a_cleared_one_runs_again(first_run, data, workspace):
  hidden = data.rename(data.with_name("hidden"))
  first_run.trigger("images", "third", max_bad_fraction=0.5)
  assert first_run.until_it_ends("third") == "failed"
  states = first_run.tasks("third")
  assert (states.pop("Begin"), states.pop("Finish")) == (("success", 1), ("failed", 1))
  # Bad input would be the same the second time.
  assert states.pop("SourceExampleGen") == ("failed", 1)
  assert states.pop("ReviewedSchema") == ("success", 1)
  assert {state for state, _ in states.values()} == {"upstream_failed"}
  log = first_run.log("images", "third", "SourceExampleGen")
  assert "SourceExampleGen: bad input. Expected a folder" in log
  assert f"Nothing exists at '{data}'; check the path." in log
  report = TaskFolder(workspace / "images").report("images.third")
  assert "Nothing exists at" in report.read_text(encoding="utf-8")

  hidden.rename(data)
  first_run.command("tasks", "clear", "--yes", "--only-failed", "images")
  assert first_run.until_it_ends("third") == "success"
  assert first_run.tasks("third")["SourceExampleGen"] == ("success", 2)
  assert "Nothing exists at" not in report.read_text(encoding="utf-8")
  assert '"state": "CACHED"' in first_run.log("images", "third", "SourceExampleGen", attempt=2)
  # The run was given another bound than the first two.
  assert '"state": "COMPLETE"' in first_run.log("images", "third", "DataGate")


@pytest.fixture
def days(airflow, run_dlpipe, write_digits, dags, workspace, tmp_path):
  """The inbox of a DAG that makes up for some days; the data of the first is there.

  The second has nothing but its mark, and the last not even that.
  """
  inbox = tmp_path / "inbox"
  today = datetime.datetime.now(datetime.timezone.utc).date()
  names = [str(today - datetime.timedelta(days=_DAYS - n)) for n in range(_DAYS)]
  for index, name in enumerate(names):
    if index != 1:
      labels = load_digits().target[: 150 + index]
      write_digits(inbox / name, labels)
    if index != _DAYS - 1:
      (inbox / name).mkdir(exist_ok=True)
      (inbox / name / "_SUCCESS").touch()
  settings = {
    **_SETTINGS,
    "gates.accuracy.max_regression": "null",
    "airflow.schedule": "@daily",
    "airflow.start_date": names[0],
    "airflow.catchup": "true",
    "airflow.depends_on_past": "true",
    "airflow.wait_for": f"'{inbox}/{{{{ ds }}}}/_SUCCESS'",
    "airflow.wait_every_s": 10,
    "airflow.on_failure": f"'echo \"$DLPIPE_RUN: $DLPIPE_ERROR\" >> {inbox}/failed'",
  }
  compiled = run_dlpipe(
    *("compile", "images", "--for", "airflow", "-o", dags / "daily.py", "--tiny"),
    *("--data", f"{inbox}/{{{{ ds }}}}/", "--workspace", workspace.parent / "daily"),
    *(part for name, value in settings.items() for part in ("--set", f"{name}={value}")),
  )
  assert compiled.code == 0, compiled.stderr
  return inbox, names


def test_days_are_made_up_for_in_order_and_a_failed_one_is_repeated(
  airflow, days, write_digits, workspace
):
  inbox, names = days
  folder = TaskFolder(workspace.parent / "daily" / "images")

  first = airflow.run_of("daily", names[0])
  assert airflow.until_it_ends(first) == "success"
  second = airflow.run_of("daily", names[1])
  # The second day fails: its folder holds nothing but the mark.
  assert airflow.until_it_ends(second) == "failed"
  assert "Begin: bad input." in airflow.log("daily", second, "Begin")
  [told] = (inbox / "failed").read_text().splitlines()
  assert told.startswith(f"daily.{second}: Finish: bad input. Begin: bad input. "), told
  # The third waits for it, although its run is there.
  third = airflow.run_of("daily", names[2])
  airflow.until_task_is(third, "Begin", None)
  assert not list(folder.root.glob(f"*/daily.{third}*"))

  write_digits(inbox / names[1], load_digits().target[:160])
  airflow.command("tasks", "clear", "--yes", "--only-failed", "--start-date", names[1], "daily")
  assert airflow.until_it_ends(second) == "success"
  runs = [first, second]
  for name in names[2:-1]:
    runs.append(airflow.run_of("daily", name))
    assert airflow.until_it_ends(runs[-1]) == "success"
  # The last waits for its data, deferred.
  runs.append(airflow.run_of("daily", names[-1]))
  airflow.until_task_is(runs[-1], "WaitForData", "deferred")
  (inbox / names[-1] / "_SUCCESS").touch()
  assert airflow.until_it_ends(runs[-1]) == "success"

  began = []
  for name, run in zip(names, runs, strict=True):
    told = run_files.told(folder, f"daily.{run}")
    assert told.config.data_path == str(inbox / name)
    assert "Pushed as version" in folder.report(f"daily.{run}").read_text(encoding="utf-8")
    [[moment]] = airflow.query(
      "select start_date from task_instance where run_id = %s and task_id = 'Trainer'", run
    )
    began.append(moment)
  assert began == sorted(began)
  served = sorted(int(path.name) for path in folder.serving.glob("[0-9]*"))
  assert served == list(range(1, _DAYS + 1))

  # A backfill runs days again that are over; what was done in a run stays done, and served.
  airflow.backfill("daily", names[-2], names[-1])
  stays = f"Version {_DAYS - 1} was pushed before; version {_DAYS}, published later, stays served"
  for run, said in zip(runs[-2:], (stays, f"Pushed as version {_DAYS}"), strict=True):
    assert airflow.until_it_ends(run) == "success"
    assert airflow.tasks(run)["Trainer"] == ("success", 2)
    assert said in folder.report(f"daily.{run}").read_text(encoding="utf-8")
  assert sorted(int(path.name) for path in folder.serving.glob("[0-9]*")) == served
