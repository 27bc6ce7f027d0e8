"""The manifests, with each other and against Kubernetes' schema as its Python client has it."""

import pathlib
import re
import shutil
import subprocess

import pytest
import yaml
from kubernetes.client import models

from components.versioned_pusher import models_config
from pipeline.cli.main import cli
from serving import flags

ROOT = pathlib.Path(__file__).parents[3] / "deploy" / "kubernetes"
FILES = sorted(path for path in ROOT.rglob("*.yaml") if path.name != "kustomization.yaml")
KINDS = {
  ("apps/v1", "Deployment"): models.V1Deployment,
  ("autoscaling/v2", "HorizontalPodAutoscaler"): models.V2HorizontalPodAutoscaler,
  ("networking.k8s.io/v1", "NetworkPolicy"): models.V1NetworkPolicy,
  ("policy/v1", "PodDisruptionBudget"): models.V1PodDisruptionBudget,
  ("v1", "ConfigMap"): models.V1ConfigMap,
  ("v1", "PersistentVolumeClaim"): models.V1PersistentVolumeClaim,
  ("v1", "Service"): models.V1Service,
  ("v1", "ServiceAccount"): models.V1ServiceAccount,
}
TYPES = {"str": str, "int": int, "bool": bool, "float": (int, float)}


def problems(value, type_name, where, *, is_patch):
  """What of `value` is not as the schema has it; a patch may lack what is required."""
  if value is None and is_patch:
    return []  # takes the field away
  if type_name.startswith(("list[", "dict(")):
    is_list = type_name.startswith("list[")
    inner = type_name[5:-1] if is_list else type_name[5:-1].split(", ", 1)[1]
    if not isinstance(value, list if is_list else dict):
      return [f"{where}: expected {type_name}, received {value!r}"]
    items = enumerate(value) if is_list else value.items()
    return [
      found
      for key, item in items
      for found in problems(item, inner, f"{where}.{key}", is_patch=is_patch)
    ]
  if type_name in TYPES:
    wrong = not isinstance(value, TYPES[type_name]) or (
      isinstance(value, bool) and type_name != "bool"
    )
    return [f"{where}: expected {type_name}, received {value!r}"] if wrong else []
  if type_name in ("object", "datetime"):
    return []
  model = getattr(models, type_name)
  if not isinstance(value, dict):
    return [f"{where}: expected {type_name}, received {value!r}"]
  names = {
    json: (python, model.openapi_types[python]) for python, json in model.attribute_map.items()
  }
  found = [f"{where}.{name}: unknown" for name in value if name not in names and name != "$patch"]
  known = {name: item for name, item in value.items() if name in names}
  for name, item in known.items():
    found += problems(item, names[name][1], f"{where}.{name}", is_patch=is_patch)
  if not is_patch:
    try:
      model(**{names[name][0]: item for name, item in known.items()})
    except ValueError as err:  # what is required is missing, or no value of an enum
      found.append(f"{where}: {err}")
  return found


def documents(text):
  return [each for each in yaml.safe_load_all(text) if each]


def check(each, where, *, is_patch=False):
  if each["kind"] == "TFJob":  # its own schema is the operator's; the pods' is Kubernetes'
    return [
      problem
      for name, replica in each["spec"]["tfReplicaSpecs"].items()
      for problem in problems(
        replica["template"], "V1PodTemplateSpec", f"{where}.{name}", is_patch=False
      )
    ]
  model = KINDS[each["apiVersion"], each["kind"]]
  return problems(each, model.__name__, where, is_patch=is_patch)


def load(folder):
  return {
    (each["kind"], each["metadata"]["name"]): each
    for path in sorted((ROOT / folder).glob("*.yaml"))
    if path.name != "kustomization.yaml"
    for each in documents(path.read_text())
  }


@pytest.fixture(scope="module")
def base():
  return load("base")


def test_the_check_finds_what_is_wrong():
  deployment = load("base")["Deployment", "images-serving"]
  container = deployment["spec"]["template"]["spec"]["containers"][0]
  container["imagePullPolcy"] = "Always"
  container["ports"][0]["containerPort"] = "8500"
  del deployment["spec"]["selector"]
  found = check(deployment, "d")
  assert "d.spec.template.spec.containers.0.imagePullPolcy: unknown" in found
  assert (
    "d.spec.template.spec.containers.0.ports.0.containerPort: expected int, received '8500'"
    in found
  )
  assert "d.spec: Invalid value for `selector`, must not be `None`" in found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_manifests_follow_the_schema(path):
  is_patch = path.parent.name not in ("base", "training")
  for each in documents(path.read_text()):
    assert check(each, path.name, is_patch=is_patch) == []


@pytest.mark.parametrize("folder", ["base", "embedded", "labels", "object-store"])
def test_kustomizations_name_files_that_are_there_and_no_file_is_left_out(folder):
  kustomization = yaml.safe_load((ROOT / folder / "kustomization.yaml").read_text())
  generated = kustomization.get("configMapGenerator", [])
  named = {
    *kustomization["resources"],
    *(patch["path"] for patch in kustomization.get("patches", [])),
    *(name for each in generated for key in ("files", "envs") for name in each[key]),
  }
  there = {path.name for path in (ROOT / folder).iterdir()} - {"kustomization.yaml"}
  assert named - {"../base"} == there
  assert ("../base" in named) == (folder != "base")


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
@pytest.mark.parametrize("folder", ["base", "embedded", "labels", "object-store"])
def test_what_kustomize_makes_follows_the_schema(folder):
  made = subprocess.run(
    ["kubectl", "kustomize", str(ROOT / folder)], capture_output=True, text=True, check=True
  )
  found = documents(made.stdout)
  assert [problem for each in found for problem in check(each, each["kind"])] == []
  [deployment] = [each for each in found if each["kind"] == "Deployment"]
  pod = deployment["spec"]["template"]["spec"]
  [models_volume] = [each for each in pod["volumes"] if each["name"] == "models"]
  assert set(models_volume) == {
    "name", "emptyDir" if folder == "object-store" else "persistentVolumeClaim",
  }  # fmt: skip
  assert ("PersistentVolumeClaim" in {each["kind"] for each in found}) == (folder != "object-store")
  assert [each["name"] for each in pod["containers"]] == (
    ["sync", "server"] if folder == "object-store" else ["server"]
  )


def pod_of(base):
  return base["Deployment", "images-serving"]["spec"]["template"]


def test_selectors_find_the_pods(base):
  labels = pod_of(base)["metadata"]["labels"].items()
  deployment = base["Deployment", "images-serving"]["spec"]
  selectors = [
    deployment["selector"]["matchLabels"],
    deployment["template"]["spec"]["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"],
    base["Service", "images-serving"]["spec"]["selector"],
    base["Service", "images-serving-grpc"]["spec"]["selector"],
    base["PodDisruptionBudget", "images-serving"]["spec"]["selector"]["matchLabels"],
    base["NetworkPolicy", "images-serving"]["spec"]["podSelector"]["matchLabels"],
  ]
  assert all(selector and selector.items() <= labels for selector in selectors)
  target = base["HorizontalPodAutoscaler", "images-serving"]["spec"]["scaleTargetRef"]
  assert (target["kind"], target["name"]) in base


def test_a_disruption_leaves_a_pod(base):
  fewest = base["HorizontalPodAutoscaler", "images-serving"]["spec"]["minReplicas"]
  assert fewest > base["PodDisruptionBudget", "images-serving"]["spec"]["maxUnavailable"]
  assert "replicas" not in base["Deployment", "images-serving"]["spec"]


def test_ports_and_volumes_are_declared(base):
  pod = pod_of(base)["spec"]
  [server] = pod["containers"]
  ports = {each["name"]: each["containerPort"] for each in server["ports"]}
  assert ports == {"grpc": 8500, "rest": 8501}
  for name in ("images-serving", "images-serving-grpc"):
    for port in base["Service", name]["spec"]["ports"]:
      assert port["port"] == ports[port["targetPort"]]
  assert {each["name"] for each in server["volumeMounts"]} == {
    each["name"] for each in pod["volumes"]
  }
  sources = {each["name"]: each for each in pod["volumes"]}
  assert ("ConfigMap", sources["config"]["configMap"]["name"]) in base
  claim = sources["models"]["persistentVolumeClaim"]["claimName"]
  assert ("PersistentVolumeClaim", claim) in base
  assert ("ServiceAccount", pod["serviceAccountName"]) in base


def test_probes_ask_for_the_model_that_is_served(base):
  [server] = pod_of(base)["spec"]["containers"]
  environment = {each["name"]: each["value"] for each in server["env"]}
  model = environment["MODEL_NAME"]
  for probe in ("startupProbe", "readinessProbe"):
    assert server[probe]["httpGet"] == {"path": f"/v1/models/{model}/metadata", "port": "rest"}
  [mount] = [each for each in server["volumeMounts"] if each["name"] == "models"]
  assert mount["mountPath"] == f"{environment['MODEL_BASE_PATH']}/{model}"


def containers():
  for folder in ("base", "object-store"):
    pod = load(folder)["Deployment", "images-serving"]["spec"]["template"]["spec"]
    for each in (*pod["containers"], *pod.get("initContainers", [])):
      yield pytest.param(each, id=f"{folder}-{each['name']}")


@pytest.mark.parametrize("container", list(containers()))
def test_containers_may_do_little(container):
  assert container["securityContext"] == {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
  }
  assert container["resources"]["limits"]["memory"]
  assert container["resources"]["requests"].keys() == {"cpu", "memory"}
  assert re.search(r":[0-9][0-9.]*$", container["image"])  # a version, never the newest


def test_pods_are_nobody(base):
  pod = pod_of(base)["spec"]
  assert pod["securityContext"]["runAsNonRoot"] is True
  assert pod["securityContext"]["runAsUser"] >= 10000
  assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
  assert pod["automountServiceAccountToken"] is False


def test_flags_of_the_embedded_server_are_its_own():
  deployment = load("embedded")["Deployment", "images-serving"]
  [server] = deployment["spec"]["template"]["spec"]["containers"]
  found, unknown = flags.parse(server["args"])
  assert unknown == []
  assert found.max_concurrent_requests == 256
  assert found.monitoring_config_file == "/etc/serving/monitoring.config"


def test_the_labels_are_read_where_they_are_written(base):
  deployment = load("labels")["Deployment", "images-serving"]
  [server] = deployment["spec"]["template"]["spec"]["containers"]
  [before] = pod_of(base)["spec"]["containers"]
  found, unknown = flags.parse(server["args"])
  assert unknown == []
  assert set(server["args"]) > set(before["args"])
  [mount] = [each for each in before["volumeMounts"] if each["name"] == "models"]
  # `dlpipe promote` writes it into the served directory, which is mounted there.
  assert found.model_config_file == f"{mount['mountPath']}/models.config"
  assert models_config.ALLOW_FLAG in server["args"]
  assert found.model_config_file_poll_wait_seconds > 0


def test_the_training_job_runs_a_chief_and_a_worker_of_one_workspace():
  [job] = documents((ROOT / "training" / "tfjob.yaml").read_text())
  pods = {
    name: replica["template"]["spec"] for name, replica in job["spec"]["tfReplicaSpecs"].items()
  }
  assert set(pods) == {"Chief", "Worker"}
  for pod in pods.values():
    [container] = pod["containers"]
    assert container["name"] == "tensorflow"
    assert {each["name"] for each in container["volumeMounts"]} == {
      each["name"] for each in pod["volumes"]
    }
    command = cli.get_command(None, container["args"][0])
    command.make_context(container["args"][0], container["args"][1:])
  assert pods["Chief"]["volumes"] == pods["Worker"]["volumes"]
