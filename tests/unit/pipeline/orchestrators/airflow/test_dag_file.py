"""The DAG file: what is written, and how a node is run, with Airflow's names stood in for.

Airflow itself runs it in `tests/e2e/orchestration/airflow`.
"""

import datetime
import signal
import sys

import pytest

from dlpipe.errors import BadInputError
from pipeline.execution import ir


@pytest.mark.parametrize("version", [2, 3])
def test_a_node_is_a_task_with_its_dependencies(load, version):
  dag = load(version, schedule="@daily", retries=5, retry_delay_s=1.5, timeout_s=60).dag
  assert {name: task.upstream for name, task in dag.tasks.items()} == {
    "Begin": [],
    "ReviewedSchema": ["Begin"],
    "Second": ["ReviewedSchema"],
    "Finish": ["Begin", "ReviewedSchema", "Second"],
  }
  # It ends the run whatever became of the nodes.
  assert dag.tasks["Finish"].given == {"trigger_rule": "all_done"}
  given = dag.given
  assert (given["catchup"], given["max_active_runs"]) == (False, 1)
  assert (given["dag_id"], given["schedule"]) == ("two", "intervals of @daily in UTC")
  assert given["start_date"] == datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone.utc)
  assert given["default_args"] == {
    "retries": 5,
    "retry_delay": datetime.timedelta(seconds=1.5),
    "execution_timeout": datetime.timedelta(minutes=1),
  }


def test_the_compiled_pipeline_lies_beside(load):
  module = load()
  assert module.IR.endswith("/dags/two.json")
  compiled = ir.read_ir(module.IR)
  assert compiled.pipeline_info.id == "test"


def test_runtime_parameters_are_the_dags_parameters(load, tmp_path):
  params = load().dag.given["params"]
  assert params["pipeline-root"] == ("string", str(tmp_path / "artifacts"))


def test_only_the_heavy_nodes_go_to_the_pool_and_only_where_one_is_named(load):
  tasks = load(pool="heavy", pool_nodes=["Second", "Tuner"]).dag.tasks
  assert {name: task.given for name, task in tasks.items()} == {
    "Begin": {},
    "ReviewedSchema": {},
    "Second": {"pool": "heavy"},
    "Finish": {"trigger_rule": "all_done"},
  }
  assert load(pool_nodes=["Second"]).dag.tasks["Second"].given == {}


def test_a_pool_for_a_node_that_is_not_there_is_refused_and_nothing_is_written(load, tmp_path):
  with pytest.raises(BadInputError, match="no node 'Train'. Its nodes: ReviewedSchema, Second"):
    load(pool="heavy", pool_nodes=["Train"])
  assert not (tmp_path / "dags").exists()


def test_the_python_is_this_one_unless_named(load, monkeypatch):
  monkeypatch.delenv("DLPIPE_PYTHON", raising=False)
  assert sys.executable == load().PYTHON
  assert load(python="/srv/python").PYTHON == "/srv/python"
  monkeypatch.setenv("DLPIPE_PYTHON", "/other/python")
  assert load(python="/srv/python").PYTHON == "/other/python"


def test_a_node_is_started_with_its_run_and_parameters(run, monkeypatch):
  monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "secret")
  monkeypatch.setenv("PYTHONPATH", "/airflow")
  monkeypatch.setenv("KEPT", "kept")
  task, execute = run(
    'for i in "$@"; do echo "[$i]"; done\n'
    'echo "$KEPT $AIRFLOW__DATABASE__SQL_ALCHEMY_CONN$PYTHONPATH" >&2\n'
    'echo \'{"state": "CACHED"}\'',
    mlmd="/etc/mlmd.json",
    worker="/run/w.sock",
  )
  assert execute() == {"state": "CACHED"}
  arguments = [line[1:-1] for line in task.lines if line.startswith("[")]
  assert arguments[:4] == ["-m", "pipeline.cli.main", "node", "--json"]
  options = dict(zip(arguments[4::2], arguments[5::2], strict=True))
  assert options.pop("--ir").endswith("/two.json")
  assert options == {
    "--node": "ReviewedSchema",
    "--run-id": "two.manual__2026-11-24T00:00:00+00:00",
    "--mlmd": "/etc/mlmd.json",
    "--worker": "/run/w.sock",
    "--param": "pipeline-root=/a b'",
  }
  assert "kept" in task.lines


@pytest.mark.parametrize(
  ("script", "error", "message"),
  [
    ("exit 99", "Skip", "ReviewedSchema is not needed in this run."),
    ("exit 2", "Fail", "ReviewedSchema: bad input. The log says why."),
    (
      'echo \'{"error": "1 anomaly."}\'; exit 3',
      "Fail",
      "ReviewedSchema: the data was refused. 1 anomaly.",
    ),
    ("exit 4", "Fail", "ReviewedSchema: the model was refused. The log says why."),
    ("echo no JSON; exit 1", "Raised", "ReviewedSchema failed with exit code 1. The log says why."),
    ("kill -9 $$", "Raised", "ReviewedSchema was killed by SIGKILL."),
  ],
)
def test_exit_codes_are_told_to_airflow(run, script, error, message, airflow):
  _, execute = run(script)
  with pytest.raises(airflow.Raised) as raised:
    execute()
  assert (type(raised.value), str(raised.value)) == (getattr(airflow, error), message)


def test_a_task_that_ends_early_ends_what_the_node_started(run, tmp_path):
  mark = tmp_path / "mark"
  task, execute = run(f"trap 'touch {mark}; exit 0' TERM\nsleep 60 & echo ready; wait")

  def stop(text, *values):
    if text % values == "ready":
      raise KeyboardInterrupt

  task.log.info = stop
  with pytest.raises(KeyboardInterrupt):
    execute()
  assert mark.exists()
  assert task._process.returncode in (0, -signal.SIGTERM)


@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone has it")
def test_the_kernel_kills_a_node_whose_parent_dies(run):
  program = "import ctypes; n = ctypes.c_int(); ctypes.CDLL(None).prctl(2, ctypes.byref(n))"
  task, execute = run(f"exec {sys.executable} -c '{program}; print(n.value)'")
  execute()
  assert task.lines[-1] == str(int(signal.SIGKILL))


def test_a_node_runs_in_a_group_of_its_own_at_the_root(run):
  task, execute = run('[ "$(ps -o pgid= -p $$ | tr -d " ")" = $$ ] && echo "leads from $(pwd)"')
  execute()
  assert task.lines[-1] == "leads from /"


def test_what_is_no_cron_is_left_to_airflow(load):
  assert load(schedule="@once").dag.given["schedule"] == "@once"
  assert load().dag.given["schedule"] is None


def test_a_day_waits_for_the_one_before_without_keeping_it_from_a_repetition(load):
  dag = load(schedule="@daily", catchup=True, depends_on_past=True).dag
  assert dag.given["catchup"]
  # A year of days may wait, and the one that failed still gets room.
  assert dag.given["max_active_runs"] > 366
  assert load(schedule="@daily", catchup=True).dag.given["max_active_runs"] == 1
  # The task right after Begin is Finish, too: Begin waits for the Finish of the day before.
  assert dag.tasks["Begin"].given == {"depends_on_past": True, "wait_for_downstream": True}
  assert "Begin" in dag.tasks["Finish"].upstream
