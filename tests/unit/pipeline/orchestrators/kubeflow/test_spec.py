"""What the compiled documents say, beyond what TFX's compiler makes."""

import re

import pytest
import yaml
from google.protobuf import json_format
from kfp import components as kfp_components
from tfx.orchestration.kubeflow.v2 import compiler_utils
from tfx.types import artifact
from tfx.utils import import_utils

from dlpipe.errors import BadInputError
from pipeline.orchestrators.kubeflow.run_notes import Place
from pipeline.orchestrators.kubeflow.spec import to_yaml, validate
from pipeline.tasks import task_names

NEVER_CACHED = {"DriftGate", "SourceState", "ModelHistory", "VersionedPusher"}


@pytest.fixture
def spec(compiled):
  return compiled("images")[0]


def _container(spec, node):
  return spec["deploymentSpec"]["executors"][f"{node}_executor"]["container"]


def _parameter(spec, node, name):
  return spec["root"]["dag"]["tasks"][node]["inputs"]["parameters"][name]


def test_kfp_loads_it_from_text(compiled):
  loaded = kfp_components.load_component_from_text(to_yaml(compiled("images")))
  assert loaded.name == "images"
  assert set(loaded.pipeline_spec.root.dag.tasks) >= {"SourceExampleGen", "Trainer"}


@pytest.mark.parametrize("name", task_names())
def test_a_container_finds_the_class_of_every_artifact(compiled, name):
  titles = set(re.findall(r"title: ([\w.]+)", to_yaml(compiled(name))))
  assert {"components.Quarantine", "tfx.Model"} <= titles
  for title in titles:
    # As TFX does in a container.
    found = import_utils.import_class_by_path(compiler_utils.TITLE_TO_CLASS_PATH.get(title, title))
    assert issubclass(found, artifact.Artifact)


def test_what_kfp_does_not_take_is_refused(compiled):
  [spec, platform] = compiled("images")
  spec["root"]["dag"]["taskz"] = {}
  with pytest.raises(ValueError, match=r'no field named "taskz"'):
    validate([spec, platform])


def test_paths_are_those_of_the_containers(compiled):
  spec = compiled("images", "kubeflow.data_path=/workspace/in", "kubeflow.workspace=/mnt/ws")[0]
  for node in ("SourceState", "SourceExampleGen"):
    assert _parameter(spec, node, "data_path") == {"componentInputParameter": "data-path"}
  opened = spec["root"]["inputDefinitions"]["parameters"]
  assert opened["data-path"]["defaultValue"] == "/workspace/in"
  serving_dir = _parameter(spec, "VersionedPusher", "serving_dir")
  assert serving_dir["runtimeValue"]["constant"] == "/mnt/ws/images/serving"
  history = {
    _parameter(spec, n, "history_path")["runtimeValue"]["constant"]
    for n in ("ModelHistory", "RecordBlessing")
  }
  assert history == {"/mnt/ws/images/models.json"}
  assert "/mnt/ws/images/checkpoints" in str(_parameter(spec, "Trainer", "custom_config"))
  assert "/elsewhere" not in to_yaml([spec])
  assert spec["defaultPipelineRoot"] == "gs://bucket/pipelines"


def test_every_container_starts_our_entry_point_in_the_image(spec):
  for node in spec["root"]["dag"]["tasks"]:
    container = _container(spec, node)
    assert container["image"] == "registry.example.com/dlpipe-training:1"
    assert container["command"] == ["python", "-m", "pipeline.orchestrators.kubeflow.container"]


def test_only_executors_that_the_open_source_backend_has(spec):
  kinds = {kind for e in spec["deploymentSpec"]["executors"].values() for kind in e}
  assert kinds == {"container"}


def test_what_may_change_by_itself_is_not_cached(spec):
  tasks = spec["root"]["dag"]["tasks"]
  assert {n for n, task in tasks.items() if "cachingOptions" not in task} == NEVER_CACHED


def test_parameters_come_from_tasks_that_exist(spec):
  tasks = spec["root"]["dag"]["tasks"]
  producers = {
    (node, name): value["taskOutputParameter"]["producerTask"]
    for node, task in tasks.items()
    for name, value in task["inputs"].get("parameters", {}).items()
    if "taskOutputParameter" in value
  }
  assert producers == {
    ("SourceExampleGen", "input_fingerprint"): "SourceState",
    ("PreviousModel", "previous"): "ModelHistory",
  }


def test_resources_reach_the_nodes_they_name(compiled):
  spec = compiled(
    "images",
    "kubeflow.resources={Trainer: {cpu: 4, memory_gb: 16, gpu: 2, gpu_type: acme.com/gpu}, "
    "default: {memory_gb: 2}}",
  )[0]
  assert _container(spec, "Trainer")["resources"] == {
    "cpuLimit": 4.0,
    "memoryLimit": 16.0,
    "accelerator": {"type": "acme.com/gpu", "count": "2"},
  }
  assert _container(spec, "DataGate")["resources"] == {"memoryLimit": 2.0}


def test_resources_of_no_node_are_bad_input(compiled):
  with pytest.raises(BadInputError, match=r"names no node .*: Trainr\. Nodes: Beh.*, Trainer"):
    compiled("images", "kubeflow.resources={Trainr: {cpu: 4}}")


def test_the_tuner_is_a_node_like_any_other(compiled):
  spec = compiled("images", "tune.trials=2", "kubeflow.resources={Tuner: {gpu: 1}}")[0]
  assert _container(spec, "Tuner")["resources"]["accelerator"]["count"] == "1"


def test_retries_are_for_all_but_the_gates_of_the_data(compiled):
  tasks = compiled("images", "kubeflow.retries=2")[0]["root"]["dag"]["tasks"]
  assert tasks["Trainer"]["retryPolicy"] == {"maxRetryCount": 2}
  assert {n for n, task in tasks.items() if "retryPolicy" not in task} == {"DataGate", "DriftGate"}


def test_a_notice_is_an_exit_handler(compiled):
  spec = compiled("images", "kubeflow.notify_url=http://ops/hook", "kubeflow.retries=1")[0]
  tasks = spec["root"]["dag"]["tasks"]
  assert set(tasks) == {"tfx-dag", "RunNotice"}
  notice = tasks["RunNotice"]
  assert notice["triggerPolicy"] == {"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"}
  assert notice["dependentTasks"] == ["tfx-dag"]
  assert notice["inputs"]["parameters"]["final_status"] == {
    "taskFinalStatus": {"producerTask": "tfx-dag"}
  }
  inner = spec["components"]["tfx-dag"]["dag"]["tasks"]
  assert {n for n, task in inner.items() if "cachingOptions" not in task} == NEVER_CACHED
  # The gate would inherit what the DAG around it has.
  assert "retryPolicy" not in tasks["tfx-dag"]
  assert "retryPolicy" not in inner["DataGate"]


def test_a_run_may_say_some_settings_anew(compiled):
  for settings in ([], ["kubeflow.notify_url=http://ops/hook"]):
    spec = compiled("images", "data.max_bad_fraction=0.2", *settings)[0]
    opened = spec["root"]["inputDefinitions"]["parameters"]
    assert {name: each["defaultValue"] for name, each in opened.items()} == {
      "data-path": "/data",
      "max-bad-fraction": 0.2,
      "min-severity": "ERROR",
    }
    assert all(each["isOptional"] for each in opened.values())
  # Behind an exit handler, the nodes are in a DAG of their own.
  inner = spec["root"]["dag"]["tasks"]["tfx-dag"]["inputs"]["parameters"]
  assert inner["data-path"] == {"componentInputParameter": "data-path"}
  assert set(spec["components"]["tfx-dag"]["inputDefinitions"]["parameters"]) == set(opened)


def test_every_container_knows_its_place(compiled):
  spec = compiled("images", "kubeflow.env={A: b}", "kubeflow.notify_url=http://ops/hook")[0]
  for node in ("SourceExampleGen", "Evaluator", "RunNotice"):
    given = {each["name"]: each["value"] for each in _container(spec, node)["env"]}
    assert given["A"] == "b"
    place = Place.of_environment(given)
    assert place.node == node
    assert "VersionedPusher" in place.node_ids
    assert (place.config.workspace, place.config.data_path) == ("/workspace", "/data")
    if node == "Evaluator":
      assert place.producers["examples"] == ("SourceExampleGen", "examples")
  # The address of the notice may hold a token.
  assert "ops/hook" not in given["DLPIPE_PIPELINE"]


def test_the_volume_is_mounted_everywhere_in_a_document_of_its_own(compiled):
  [spec, platform] = compiled("images", "kubeflow.workspace=/mnt/ws")
  mounts = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
  assert set(mounts) == set(spec["deploymentSpec"]["executors"])
  assert mounts["Trainer_executor"] == {
    "pvcMount": [{"constant": "dlpipe", "mountPath": "/mnt/ws"}]
  }


def test_without_a_volume_there_is_one_document(compiled):
  documents = compiled("images", "kubeflow.volume_claim=null", "kubeflow.workspace=/gcs/b/ws")
  assert len(documents) == 1
  assert yaml.safe_load(to_yaml(documents))["schemaVersion"] == "2.1.0"


def test_vertex_ai_makes_a_job_of_it_without_an_account(compiled, tmp_path):
  from google.auth.credentials import AnonymousCredentials
  from google.cloud import aiplatform

  documents = compiled("images", "kubeflow.volume_claim=null", "kubeflow.workspace=/gcs/b/ws")
  (tmp_path / "images.yaml").write_text(to_yaml(documents))
  job = aiplatform.PipelineJob(
    display_name="images",
    template_path=str(tmp_path / "images.yaml"),
    project="project",
    location="europe-west4",
    credentials=AnonymousCredentials(),
  )
  # What `submit` would send; the public attribute is there only after that.
  made = json_format.MessageToDict(job._gca_resource._pb)
  assert made["runtimeConfig"] == {"gcsOutputDirectory": "gs://bucket/pipelines"}
  tasks = made["pipelineSpec"]["root"]["dag"]["tasks"]
  assert set(tasks) == set(documents[0]["root"]["dag"]["tasks"])
  assert tasks["Trainer"]["cachingOptions"] == {"enableCache": True}
  assert "cachingOptions" not in tasks["SourceState"]
