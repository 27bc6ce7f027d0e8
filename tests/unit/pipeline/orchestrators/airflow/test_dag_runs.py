"""The DAG file: how a run begins, waits, is told its settings, and ends."""

import datetime

import pytest

from pipeline.settings.known_settings import known_settings
from pipeline.tasks import get_task


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


def test_what_a_run_cannot_be_told_ends_it_before_anything_starts(run, airflow):
  task, execute = run("exit 1", task_id="Begin", params={"train.epoch": 3})
  with pytest.raises(
    airflow.Fail, match=r"no parameter for: train.epoch. Did you mean train.epochs\?"
  ):
    execute()
  assert not any("Running" in line for line in task.lines)


def test_what_airflow_does_not_pass_on_ends_the_run_before_anything_starts(run, airflow):
  """As an Airflow does whose `core.dag_run_conf_overrides_params` is False."""
  task, execute = run("exit 1", task_id="Begin", conf={"train.epochs": 3, "gates.skill": None})
  with pytest.raises(
    airflow.Fail, match="was given gates.skill, train.epochs, and this Airflow does not"
  ):
    execute()
  _, execute = run("exit 1", task_id="Begin", conf={"train.epoch": 3})
  with pytest.raises(
    airflow.Fail, match=r"no parameter for: train.epoch. Did you mean train.epochs\?"
  ):
    execute()
  told = {"train.epochs": 3}
  _, execute = run("echo '{}'", task_id="Begin", params=told, conf=told)
  assert execute() == {}
  assert not any("Running" in line for line in task.lines)


@pytest.mark.parametrize("before", ["Begin", "WaitForData"])
def test_a_run_that_never_began_ends_with_what_kept_it_from_that(run, before, airflow):
  waiting = {"wait_for": "/none/{{ dss }}"} if before == "WaitForData" else {}
  _, execute = run('echo "Error: There is no data." >&2; exit 2', task_id=before, **waiting)
  with pytest.raises(airflow.Fail) as raised:
    execute()
  nothing = 'echo "Error: No node of the run was started." >&2; exit 2'
  _, execute = run(nothing, task_id="Finish", **waiting)
  with pytest.raises(airflow.Fail) as ended:
    execute()
  assert str(ended.value) == f"Finish: bad input. {raised.value}"
  # What became of its nodes comes before what became of an earlier try to begin.
  _, execute = run('echo \'{"error": "1 anomaly."}\'; exit 3', task_id="Finish", **waiting)
  with pytest.raises(airflow.Fail, match=r"^Finish: the data was refused. 1 anomaly\.$"):
    execute()


def test_templates_are_filled_in_for_each_run(run, tmp_path, airflow):
  task, execute = run(
    'for i in "$@"; do echo "[$i]"; done', params={"pipeline-root": "/roots/{{ ds }}"}
  )
  execute()
  assert "[pipeline-root=/roots/2026-11-24]" in task.lines
  ready = tmp_path / "2026-11-24"
  task, execute = run(
    "", task_id="WaitForData", wait_for=f"{tmp_path}/{{{{ ds }}}}", wait_every_s=7
  )
  with pytest.raises(airflow.Deferred) as deferred:
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


def test_a_run_without_a_date_is_told_so(run, airflow):
  task, _ = run("", task_id="WaitForData", wait_for="/inbox/{{ ds }}")
  with pytest.raises(
    airflow.Fail, match=r"cannot be filled in: 'ds' is undefined. .*--logical-date"
  ):
    task.execute({"ti": airflow.Instance(), "params": {}})


def test_a_run_that_was_given_its_data_waits_for_no_other(run, airflow):
  task, _ = run("", task_id="WaitForData", wait_for="/inbox/{{ ds }}/_SUCCESS")
  task.execute.__globals__["PARAMETERS"]["data-path"] = ("string", "/inbox/{{ ds }}")
  given = {"params": {"data-path": "/inbox/corrected"}, "ti": airflow.Instance()}
  assert task.execute(given) == "/inbox/corrected"
  with pytest.raises(airflow.Deferred):
    task.execute({"params": {"data-path": "/inbox/{{ ds }}"}, "ds": "2026-11-20"})


def test_waiting_ends(run, tmp_path, airflow):
  task, _ = run("", task_id="WaitForData", wait_for=f"{tmp_path}/none", wait_timeout_s=60)
  before = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=61)
  with pytest.raises(airflow.Fail, match="was not there after 60"):
    task.look({"ds": "", "ti": airflow.Instance()}, since=before.isoformat())


def test_a_failed_run_runs_the_command_for_it(load, tmp_path, monkeypatch, airflow):
  said = tmp_path / "said"
  monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", "secret")
  module = load(on_failure=f'echo "$DLPIPE_RUN: $DLPIPE_ERROR$AIRFLOW__CORE__FERNET_KEY" > {said}')
  finish = module.dag.tasks["Finish"]
  finish.given["on_failure_callback"]({"run_id": "r1", "exception": airflow.Fail("refused")})
  assert said.read_text() == "two.r1: refused\n"
  assert [n for n, t in module.dag.tasks.items() if "on_failure_callback" in t.given] == ["Finish"]


def test_what_a_command_says_last_is_the_reason(run, airflow):
  _, execute = run('echo "Error: There is no \x27/x\x27." >&2; exit 2', task_id="Begin")
  with pytest.raises(airflow.Fail, match=r"^Begin: bad input. There is no '/x'\.$"):
    execute()
