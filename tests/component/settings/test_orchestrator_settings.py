"""What every setting of `airflow` and `kubeflow` does to the compiled file."""

from __future__ import annotations

import json
import pathlib
import sys
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import yaml

from dlpipe.errors import BadInputError
from pipeline.api.inputs import prepare

SECTIONS = ("airflow", "kubeflow")
_AIRFLOW = {
  "dag_id": "nightly",
  "schedule": "30 3 * * mon-fri",
  "start_date": "2025-02-03",
  "retries": "5",
  "retry_delay_s": "1.5",
  "timeout_s": "60",
  "pool": "heavy",
  "pool_nodes": "[Trainer, Evaluator]",
  "python": "/srv/dlpipe/bin/python",
  "worker": "/run/dlpipe.sock",
  "catchup": "true",
  "depends_on_past": "true",
  "wait_for": "'/inbox/{{ ds }}/_SUCCESS'",
  "wait_every_s": "60",
  "wait_timeout_s": "3600",
  "on_failure": "'page $DLPIPE_RUN'",
}
_DAG = {
  "DAG_ID": '"nightly"',
  "SCHEDULE": '"30 3 * * mon-fri"',
  "START": "datetime.datetime(2025, 2, 3, tzinfo=datetime.timezone.utc)",
  "RETRIES": "5",
  "RETRY_DELAY_S": "1.5",
  "TIMEOUT_S": "60.0",
  "POOL": '"heavy"',
  "POOLED": '["Trainer", "Evaluator"]',
  "PYTHON": 'os.environ.get("DLPIPE_PYTHON") or "/srv/dlpipe/bin/python"',
  "WORKER": 'os.environ.get("DLPIPE_WORKER") or "/run/dlpipe.sock"',
  "CATCHUP": "True",
  "DEPENDS_ON_PAST": "True",
  "WAIT_FOR": '"/inbox/{{ ds }}/_SUCCESS"',
  "WAIT_EVERY_S": "60.0",
  "WAIT_TIMEOUT_S": "3600.0",
  "ON_FAILURE": '"page $DLPIPE_RUN"',
}
_LINES = {
  "start_date": "START",
  "pool_nodes": "POOLED",
  **{name: name.upper() for name in _AIRFLOW if name not in ("start_date", "pool_nodes")},
}
_KUBEFLOW = {
  "image": "registry.example.com/training:7",
  "pipeline_root": "s3://bucket/runs",
  "data_path": "/mnt/input",
  "workspace": "/mnt/ws",
  "volume_claim": "models",
  "resources": (
    "{Trainer: {cpu: 4, memory_gb: 16, gpu: 1, gpu_type: amd.com/gpu, cpu_request: 2, "
    "memory_request_gb: 8, shared_memory_gb: 2, node_selector: {pool: gpu}, "
    "tolerations: [{key: gpu, operator: Exists, effect: NoSchedule}]}, default: {cpu: 2}}"
  ),
  "retries": "3",
  "notify_url": "https://ops.example.com/hook",
  "env": "{HTTPS_PROXY: http://proxy:3128}",
  "secrets": "{TOKEN: ops/token}",
  "image_pull_secrets": "[registry]",
  "image_pull_policy": "Always",
  "pipeline_name": "nightly-images",
}


@pytest.fixture(scope="module")
def compiled(tmp_path_factory, shipped_data):
  """Returns a function from a task to its DAG's lines and its spec, with every setting changed."""
  made: dict[tuple[str, str], Any] = {}

  def compile_once(task: str, orchestrator: str) -> Any:
    if (task, orchestrator) not in made:
      values = _AIRFLOW if orchestrator == "airflow" else _KUBEFLOW
      folder = tmp_path_factory.mktemp(task)
      settings = [f"{orchestrator}.{name}={value}" for name, value in values.items()]
      inputs = _prepare(task, shipped_data[task], folder, *settings, orchestrator=orchestrator)
      made[task, orchestrator] = _WRITERS[orchestrator](inputs, folder)
    return made[task, orchestrator]

  return compile_once


def _prepare(task, data, folder, *settings, orchestrator):
  return prepare(
    task=task,
    data=data,
    workspace=str(folder / "workspace"),
    config_file=None,
    settings=settings,
    tiny=True,
    beam=None,
    orchestrator=orchestrator,
  )


def _dag(inputs, folder: pathlib.Path) -> dict[str, str]:
  from pipeline.orchestrators.airflow.compiling import write as write_dag

  write_dag(
    inputs.task,
    inputs.config,
    source=inputs.source,
    params=inputs.params,
    output=folder / "dag.py",
  )
  lines = (folder / "dag.py").read_text(encoding="utf-8").splitlines()
  pairs = (line.split(" = ", 1) for line in lines if " = " in line and line[0].isupper())
  return dict(pairs)


def _spec(inputs, folder: pathlib.Path) -> list[dict[str, Any]]:
  from pipeline.orchestrators.kubeflow.compiling import write as compile_spec

  compile_spec(
    inputs.task,
    inputs.config,
    source=inputs.source,
    params=inputs.params,
    output=folder / "spec.yaml",
  )
  return list(yaml.safe_load_all((folder / "spec.yaml").read_text(encoding="utf-8")))


_WRITERS: Mapping[str, Callable[..., Any]] = {"airflow": _dag, "kubeflow": _spec}


def _containers(documents) -> dict[str, Any]:
  executors = documents[0]["deploymentSpec"]["executors"]
  return {name: each["container"] for name, each in executors.items() if "container" in each}


def _pods(documents) -> dict[str, Any]:
  found: dict[str, Any] = documents[1]["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
  return found


def _check_image(documents) -> None:
  assert {each["image"] for each in _containers(documents).values()} == {_KUBEFLOW["image"]}


def _check_root(documents) -> None:
  assert documents[0]["defaultPipelineRoot"] == _KUBEFLOW["pipeline_root"]


def _check_data_path(documents) -> None:
  assert _KUBEFLOW["data_path"] in json.dumps(documents[0])


def _check_workspace(documents) -> None:
  assert f"{_KUBEFLOW['workspace']}/" in json.dumps(documents[0])
  assert "/workspace/" not in json.dumps(documents[0]).replace(sys.prefix, "")


def _check_claim(documents) -> None:
  mount = [{"constant": "models", "mountPath": "/mnt/ws"}]
  assert {json.dumps(each["pvcMount"]) for each in _pods(documents).values()} == {json.dumps(mount)}


def _check_resources(documents) -> None:
  given = {name: each.get("resources") for name, each in _containers(documents).items()}
  trainer = next(each for name, each in given.items() if "trainer" in name.lower())
  assert (trainer["cpuLimit"], trainer["memoryLimit"]) == (4, 16)
  assert (trainer["cpuRequest"], trainer["memoryRequest"]) == (2, 8)
  assert {str(trainer["accelerator"][n]) for n in ("count", "type")} == {"1", "amd.com/gpu"}
  others = [each for name, each in given.items() if "trainer" not in name.lower()]
  assert {json.dumps(each) for each in others} == {'{"cpuLimit": 2.0}'}
  pods = _pods(documents)
  assert pods["Trainer_executor"]["nodeSelector"] == {"labels": {"pool": "gpu"}}
  assert pods["Trainer_executor"]["tolerations"] == [
    {"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}
  ]
  [memory] = pods["Trainer_executor"]["emptyDirMounts"]
  assert (memory["mountPath"], memory["medium"], memory["sizeLimit"]) == (
    *("/dev/shm", "Memory"),
    "2000M",
  )
  assert "nodeSelector" not in pods["DataGate_executor"]


def _check_retries(documents) -> None:
  text = json.dumps(documents[0])
  assert '"maxRetryCount": 3' in text


def _check_notice(documents) -> None:
  assert _KUBEFLOW["notify_url"] in json.dumps(documents[0])


def _check_env(documents) -> None:
  for container in _containers(documents).values():
    assert {"name": "HTTPS_PROXY", "value": "http://proxy:3128"} in container["env"]


def _check_secrets(documents) -> None:
  told = [{"secretName": "ops", "keyToEnv": [{"secretKey": "token", "envVar": "TOKEN"}]}]
  assert all(pod["secretAsEnv"] == told for pod in _pods(documents).values())


def _check_pull_secrets(documents) -> None:
  told = [{"secretName": "registry"}]
  assert all(pod["imagePullSecret"] == told for pod in _pods(documents).values())


def _check_pull_policy(documents) -> None:
  assert {pod["imagePullPolicy"] for pod in _pods(documents).values()} == {"Always"}


def _check_name(documents) -> None:
  assert documents[0]["pipelineInfo"]["name"] == "nightly-images"


_CHECKS: Mapping[str, Callable[..., None]] = {
  "env": _check_env,
  "secrets": _check_secrets,
  "image_pull_secrets": _check_pull_secrets,
  "image_pull_policy": _check_pull_policy,
  "pipeline_name": _check_name,
  "image": _check_image,
  "pipeline_root": _check_root,
  "data_path": _check_data_path,
  "workspace": _check_workspace,
  "volume_claim": _check_claim,
  "resources": _check_resources,
  "retries": _check_retries,
  "notify_url": _check_notice,
}


def test_it_stands_in_the_compiled_file(task_name, setting, compiled):
  found = compiled(task_name, setting.section)
  if setting.section == "airflow":
    line = _LINES[setting.name]
    assert found[line] == _DAG[line]
  else:
    _CHECKS[setting.name](found)


def test_what_does_not_compile_for_it_refuses_it(task_name, setting, shipped_data, tmp_path):
  values = {"airflow": _AIRFLOW, "kubeflow": _KUBEFLOW}[setting.section]
  other = {"airflow": "kubeflow", "kubeflow": "airflow"}[setting.section]
  for orchestrator in (None, other, "ir"):
    with pytest.raises(BadInputError) as refused:
      _prepare(
        task_name,
        shipped_data[task_name],
        tmp_path,
        f"{setting.key}={values[setting.name]}",
        orchestrator=orchestrator,
      )
    assert refused.value.exit_code == 2
    assert str(refused.value).startswith(
      f"--set {setting.key}: dlpipe compile TASK --for {setting.section} alone reads it."
    )


@pytest.mark.parametrize("orchestrator", [None, "airflow", "kubeflow"])
def test_a_file_may_hold_the_settings_of_every_orchestrator(orchestrator, shipped_data, tmp_path):
  file = tmp_path / "mine.yaml"
  file.write_text("airflow: {schedule: @daily}\nkubeflow: {retries: 2}\n")
  inputs = prepare(
    task="images",
    data=shipped_data["images"],
    workspace=str(tmp_path),
    config_file=str(file),
    settings=(),
    tiny=True,
    beam=None,
    orchestrator=orchestrator,
  )
  assert (inputs.config.airflow.schedule, inputs.config.kubeflow.retries) == ("@daily", 2)


@pytest.mark.parametrize(
  ("settings", "message"),
  [
    (["airflow.schedule=@dayly"], "airflow.schedule: It takes @once"),
    (["airflow.schedule='99 * * * *'"], "The minute of cron is 0 to 59, and '99' is none."),
    (["airflow.start_date=2024-13-01"], "the value is not readable"),
    (
      ["airflow.wait_every_s=9"],
      "airflow.wait_every_s is for a path to wait for, and there is none",
    ),
    (["airflow.catchup=true"], "airflow.catchup is for a schedule, and there is none."),
    (["airflow.pool_nodes=[Trainer]"], "airflow.pool_nodes is for a pool, and there is none."),
    (
      ["airflow.retries=0", "airflow.retry_delay_s=5"],
      "airflow.retry_delay_s is for retries, and airflow.retries is 0.",
    ),
  ],
)
def test_what_airflow_could_not_obey_is_refused(settings, message, shipped_data, tmp_path):
  with pytest.raises(BadInputError) as refused:
    _prepare("images", shipped_data["images"], tmp_path, *settings, orchestrator="airflow")
  assert message in str(refused.value)


@pytest.mark.parametrize(
  ("given", "message"),
  [
    ("{gpu_type: amd.com/gpu}", "Trainer: gpu_type is a GPU's, and gpu is 0."),
    ("{cpu: 16Gi}", "kubeflow.resources.Trainer.cpu must be a number. Received: '16Gi'"),
    ("{memory_gb: 0}", "kubeflow.resources.Trainer.memory_gb must be at least 0.001. Received: 0"),
    ("{cpu: 2, cpu_request: 4}", "Trainer: cpu_request=4 is more than cpu=2."),
    ("{memory_gb: 2, shared_memory_gb: 4}", "shared_memory_gb=4 counts as memory, and is more"),
    ("{tolerations: [{operator: Exists, value: a}]}", "tolerations.0: Exists takes no value."),
    ("{tolerations: [{value: a}]}", "tolerations.0: Equal takes a key."),
    ("{tolerations: [{key: a, seconds: 3}]}", "tolerations.0: seconds are for effect: NoExecute."),
    ("{cpu: 1.0e+9}", "Trainer.cpu must be at most"),
    ("{gpu: 100000}", "Trainer.gpu must be at most 1000"),
    ("{node_selector: {pool: 3}}", "node_selector.pool must be text. Received: 3"),
  ],
)
def test_what_no_pod_could_have_is_refused(given, message, shipped_data, tmp_path):
  setting = f"kubeflow.resources={{Trainer: {given}}}"
  with pytest.raises(BadInputError) as refused:
    _prepare("images", shipped_data["images"], tmp_path, setting, orchestrator="kubeflow")
  assert message in str(refused.value)
