"""The DAG file: what is written, and what it does with Airflow's names stood in for.

Airflow itself runs it in `tests/e2e/orchestration/airflow`.
"""

import datetime
import importlib.util
import signal
import sys
import types

import jinja2
import pytest
from tfx.orchestration import metadata
from tfx.orchestration.pipeline import Pipeline

from components.reviewed_schema import ReviewedSchema
from dlpipe.errors import BadInputError
from pipeline.execution import ir
from pipeline.orchestrators.airflow import dag_file
from pipeline.orchestrators.airflow.section import AirflowSection
from pipeline.settings.config import MetadataConfig, PipelineConfig
from pipeline.settings.known_settings import known_settings
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
    ("exit 99", _Skip, "ReviewedSchema is not needed in this run."),
    ("exit 2", _Fail, "ReviewedSchema: bad input. The log says why."),
    (
      'echo \'{"error": "1 anomaly."}\'; exit 3',
      _Fail,
      "ReviewedSchema: the data was refused. 1 anomaly.",
    ),
    ("exit 4", _Fail, "ReviewedSchema: the model was refused. The log says why."),
    ("echo no JSON; exit 1", _Raised, "ReviewedSchema failed with exit code 1. The log says why."),
    ("kill -9 $$", _Raised, "ReviewedSchema was killed by SIGKILL."),
  ],
)
def test_exit_codes_are_told_to_airflow(run, script, error, message):
  _, execute = run(script)
  with pytest.raises(_Raised) as raised:
    execute()
  assert (type(raised.value), str(raised.value)) == (error, message)


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


def test_every_setting_is_a_parameter_that_airflow_checks(load):
  # What Airflow checks parameters with. It comes with TFX 1.16, and with no package of 1.21.
  jsonschema = pytest.importorskip("jsonschema", reason="TFX 1.21 brings no jsonschema")

  module = load()
  known = [each for each in known_settings(get_task("images")) if each.section != "metadata"]
  own = [each.key for each in known if each.section not in ("airflow", "kubeflow")]
  assert sorted(module.SETTINGS) == sorted(own)
  for name, (default, schema) in module.SETTINGS.items():
    jsonschema.validate(default, schema)
    assert schema["description"], name
  assert module.dag.given["params"]["train.epochs"] == (
    ["integer", "null"],
    *module.SETTINGS["train.epochs"][:1],
  )
  for name, wrong in {
    "train.epochs": 0,
    "train.seed": "one",
    "data.min_severity": "FATAL",
    "train.jit_compile": 1,
    "train.class_weights": "some",
    "beam.options": "--a",
  }.items():
    with pytest.raises(jsonschema.ValidationError):
      jsonschema.validate(wrong, module.SETTINGS[name][1])


def test_a_run_is_begun_with_what_it_was_told_otherwise(run):
  task, execute = run(
    'for i in "$@"; do echo "[$i]"; done',
    task_id="Begin",
    params={"train.epochs": 3, "gates.skill": None, "data.source": "folder"},
  )
  execute()
  arguments = [line[1:-1] for line in task.lines if line.startswith("[")]
  assert arguments[2:4] == ["begin", "--json"]
  assert arguments[-6:] == [
    *("--set", 'data.source="folder"'),
    *("--set", "train.epochs=3"),
    *("--set", "gates.skill=null"),
  ]


def test_what_a_run_cannot_be_told_ends_it_before_anything_starts(run):
  task, execute = run("exit 1", task_id="Begin", params={"train.epoch": 3})
  with pytest.raises(_Fail, match=r"no parameter for: train.epoch. Did you mean train.epochs\?"):
    execute()
  assert not any("Running" in line for line in task.lines)


def test_what_airflow_does_not_pass_on_ends_the_run_before_anything_starts(run):
  """As an Airflow does whose `core.dag_run_conf_overrides_params` is False."""
  task, execute = run("exit 1", task_id="Begin", conf={"train.epochs": 3, "gates.skill": None})
  with pytest.raises(_Fail, match="was given gates.skill, train.epochs, and this Airflow does not"):
    execute()
  _, execute = run("exit 1", task_id="Begin", conf={"train.epoch": 3})
  with pytest.raises(_Fail, match=r"no parameter for: train.epoch. Did you mean train.epochs\?"):
    execute()
  told = {"train.epochs": 3}
  _, execute = run("echo '{}'", task_id="Begin", params=told, conf=told)
  assert execute() == {}
  assert not any("Running" in line for line in task.lines)


@pytest.mark.parametrize("before", ["Begin", "WaitForData"])
def test_a_run_that_never_began_ends_with_what_kept_it_from_that(run, before):
  waiting = {"wait_for": "/none/{{ dss }}"} if before == "WaitForData" else {}
  _, execute = run('echo "Error: There is no data." >&2; exit 2', task_id=before, **waiting)
  with pytest.raises(_Fail) as raised:
    execute()
  nothing = 'echo "Error: No node of the run was started." >&2; exit 2'
  _, execute = run(nothing, task_id="Finish", **waiting)
  with pytest.raises(_Fail) as ended:
    execute()
  assert str(ended.value) == f"Finish: bad input. {raised.value}"
  # What became of its nodes comes before what became of an earlier try to begin.
  _, execute = run('echo \'{"error": "1 anomaly."}\'; exit 3', task_id="Finish", **waiting)
  with pytest.raises(_Fail, match=r"^Finish: the data was refused. 1 anomaly\.$"):
    execute()


def test_templates_are_filled_in_for_each_run(run, tmp_path):
  task, execute = run(
    'for i in "$@"; do echo "[$i]"; done', params={"pipeline-root": "/roots/{{ ds }}"}
  )
  execute()
  assert "[pipeline-root=/roots/2026-11-24]" in task.lines
  ready = tmp_path / "2026-11-24"
  task, execute = run(
    "", task_id="WaitForData", wait_for=f"{tmp_path}/{{{{ ds }}}}", wait_every_s=7
  )
  with pytest.raises(_Deferred) as deferred:
    execute()
  [given] = deferred.value.args
  assert given["method_name"] == "look"
  seconds = given["trigger"] - datetime.datetime.fromisoformat(given["kwargs"]["since"])
  assert seconds.total_seconds() == pytest.approx(7, abs=5)
  ready.mkdir()
  assert execute() == str(ready)


def test_the_last_span_of_a_run_is_filled_in(run):
  told = {"data.last_span": "{{ ds }}"}
  task, execute = run('for i in "$@"; do echo "[$i]"; done', task_id="Begin", params=told)
  execute()
  assert '[data.last_span="2026-11-24"]' in task.lines


def test_a_run_without_a_date_is_told_so(run):
  task, _ = run("", task_id="WaitForData", wait_for="/inbox/{{ ds }}")
  with pytest.raises(_Fail, match=r"cannot be filled in: 'ds' is undefined. .*--logical-date"):
    task.execute({"ti": _Instance(), "params": {}})


def test_a_run_that_was_given_its_data_waits_for_no_other(run):
  task, _ = run("", task_id="WaitForData", wait_for="/inbox/{{ ds }}/_SUCCESS")
  task.execute.__globals__["PARAMETERS"]["data-path"] = ("string", "/inbox/{{ ds }}")
  given = {"params": {"data-path": "/inbox/corrected"}, "ti": _Instance()}
  assert task.execute(given) == "/inbox/corrected"
  with pytest.raises(_Deferred):
    task.execute({"params": {"data-path": "/inbox/{{ ds }}"}, "ds": "2026-11-20"})


def test_what_is_no_cron_is_left_to_airflow(load):
  assert load(schedule="@once").dag.given["schedule"] == "@once"
  assert load().dag.given["schedule"] is None


def test_waiting_ends(run, tmp_path):
  task, _ = run("", task_id="WaitForData", wait_for=f"{tmp_path}/none", wait_timeout_s=60)
  before = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=61)
  with pytest.raises(_Fail, match="was not there after 60"):
    task.look({"ds": "", "ti": _Instance()}, since=before.isoformat())


def test_a_day_waits_for_the_one_before_without_keeping_it_from_a_repetition(load):
  dag = load(schedule="@daily", catchup=True, depends_on_past=True).dag
  assert dag.given["catchup"]
  # A year of days may wait, and the one that failed still gets room.
  assert dag.given["max_active_runs"] > 366
  assert load(schedule="@daily", catchup=True).dag.given["max_active_runs"] == 1
  # The task right after Begin is Finish, too: Begin waits for the Finish of the day before.
  assert dag.tasks["Begin"].given == {"depends_on_past": True, "wait_for_downstream": True}
  assert "Begin" in dag.tasks["Finish"].upstream


def test_a_failed_run_runs_the_command_for_it(load, tmp_path, monkeypatch):
  said = tmp_path / "said"
  monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", "secret")
  module = load(on_failure=f'echo "$DLPIPE_RUN: $DLPIPE_ERROR$AIRFLOW__CORE__FERNET_KEY" > {said}')
  finish = module.dag.tasks["Finish"]
  finish.given["on_failure_callback"]({"run_id": "r1", "exception": _Fail("refused")})
  assert said.read_text() == "two.r1: refused\n"
  assert [n for n, t in module.dag.tasks.items() if "on_failure_callback" in t.given] == ["Finish"]


def test_what_a_command_says_last_is_the_reason(run):
  _, execute = run('echo "Error: There is no \x27/x\x27." >&2; exit 2', task_id="Begin")
  with pytest.raises(_Fail, match=r"^Begin: bad input. There is no '/x'\.$"):
    execute()
