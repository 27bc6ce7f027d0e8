"""What is told before anything is compiled."""

import builtins
import importlib.util

import pytest

from dlpipe.errors import BadInputError
from pipeline.orchestrators.kubeflow.compiling import write
from pipeline.orchestrators.kubeflow.settings import check
from pipeline.tasks import get_task


def test_what_works_passes(configured):
  check(configured("images"), "out/images.yaml")
  check(configured("images", "kubeflow.volume_claim=null", "kubeflow.workspace=/gcs/b"), "a.yml")


@pytest.mark.parametrize(
  ("setting", "message"),
  [
    ("kubeflow.image=null", r"kubeflow\.image must name the image .*training\.Dockerfile"),
    ("kubeflow.pipeline_root=null", r"gs://BUCKET, s3://BUCKET or minio://BUCKET\. Received: None"),
    ("kubeflow.pipeline_root=/data/root", r"in an object store.*Received: '/data/root'"),
    ("kubeflow.volume_claim=null", r"Nothing would keep kubeflow\.workspace='/workspace'"),
    ("kubeflow.pipeline_root=gs://", r"in an object store.*Received: 'gs://'"),
    ("kubeflow.image=My Image:1", r"takes the name of an image.*Received: 'My Image:1'"),
    ("kubeflow.image=registry/Image", r"takes the name of an image"),
    ("kubeflow.volume_claim=My_Claim", r"takes the name of a claim: .*Received: 'My_Claim'"),
    (f"kubeflow.volume_claim={'a' * 64}", r"at most 63 of a-z, 0-9 and '-'"),
    ("kubeflow.volume_claim=data.pool", r"takes the name of a claim"),
    ("kubeflow.workspace=/", r"kubeflow\.workspace takes a folder below /.*Received: '/'"),
    ("kubeflow.workspace=/a/../b", r"kubeflow\.workspace takes a folder below /"),
    ("kubeflow.workspace=ws", r"kubeflow\.workspace is a path in the containers.*'ws'"),
    ("kubeflow.data_path=in/put", r"kubeflow\.data_path is a path in the containers.*'in/put'"),
    ("kubeflow.data_path=ftp://h/a", r"kubeflow\.data_path is a path in the containers"),
    ("kubeflow.env={1A: x}", r"take names of variables\. Received: '1A'"),
    (
      "kubeflow.env={DLPIPE_NODE: a}",
      r"cannot set DLPIPE_NODE: every container has one of its own",
    ),
    ("kubeflow.secrets={DLPIPE_PIPELINE: a/b}", r"cannot set DLPIPE_PIPELINE"),
    ("kubeflow.env={KFP_POD_NAME: a}", r"cannot set KFP_POD_NAME.*begins with KFP_"),
    ('kubeflow.env={A: "b\\0"}', r"the value of A has a zero byte"),
    ("kubeflow.secrets={TOKEN: ops}", r"takes SECRET/KEY.*Received: 'ops'"),
    ("kubeflow.secrets={TOKEN: ops..a/key}", r"takes SECRET/KEY"),
    (f"kubeflow.secrets={{TOKEN: {'a' * 254}/key}}", r"each at most 253 letters"),
    ("kubeflow.image_pull_secrets=[My_Secret]", r"takes names of secrets: .*'My_Secret'"),
    ("kubeflow.pipeline_name=Nightly", r"takes at most 128 small letters.*Received: 'Nightly'"),
    ("kubeflow.resources={Trainer: {node_selector: {'a b': x}}}", r"labels of machines.*'a b'"),
    ("kubeflow.resources={Trainer: {node_selector: {a: '-'}}}", r"labels' values.*'-'"),
    (
      f"kubeflow.resources={{Trainer: {{node_selector: {{{'a' * 64}: x}}}}}}",
      r"labels of machines",
    ),
    (
      "kubeflow.resources={Trainer: {tolerations: [{key: a b}]}}",
      r"tolerations of kubeflow\.resources\.Trainer take keys of taints\. Received: 'a b'",
    ),
    (
      "kubeflow.resources={Trainer: {tolerations: [{key: a, value: b c}]}}",
      r"take values of taints\. Received: 'b c'",
    ),
    (
      "kubeflow.resources={Trainer: {gpu: 1, gpu_type: NVIDIA_TESLA_T4}}",
      r"is a resource of Kubernetes, such as nvidia\.com/gpu\. Received: 'NVIDIA_TESLA_T4'",
    ),
    ("kubeflow.notify_url='https://h/${TOKEN}'", r"names 'TOKEN', which neither"),
    ("kubeflow.notify_url=ops", r"takes an http\(s\) address\. Received: 'ops'"),
    ("beam.runner=flink", r"beam\.runner=flink read artifacts.*gs:// only.*'s3://bucket/root'"),
    ("metadata.connection_file=/m.pbtxt", r"metadata\.connection_file has no meaning on Kubeflow"),
  ],
)
def test_what_cannot_work_is_bad_input(configured, setting, message):
  others = ["kubeflow.pipeline_root=s3://bucket/root"] if setting.startswith("beam") else []
  config = configured("images", *others, setting)
  with pytest.raises(BadInputError, match=message):
    check(config, "images.yaml")


def test_a_variable_is_set_once(configured):
  settings = ["kubeflow.env={TOKEN: a}", "kubeflow.secrets={TOKEN: ops/token}"]
  with pytest.raises(BadInputError, match=r"both set TOKEN"):
    check(configured("images", *settings), "images.yaml")


def test_an_address_may_come_from_a_secret_and_data_from_a_store(configured):
  check(
    configured(
      "images",
      "kubeflow.secrets={HOOK: ops/url}",
      "kubeflow.notify_url='${HOOK}'",
      "kubeflow.data_path=s3://bucket/pictures",
    ),
    "images.yaml",
  )


@pytest.mark.parametrize(
  ("setting", "named"),
  [
    ("kubeflow.secrets={A: b/c}", "kubeflow.secrets"),
    ("kubeflow.image_pull_secrets=[a]", "kubeflow.image_pull_secrets"),
    ("kubeflow.resources={Trainer: {shared_memory_gb: 1}}", "kubeflow.resources.Trainer"),
  ],
)
def test_what_vertex_ai_would_not_read_is_refused(configured, setting, named):
  vertex = ("kubeflow.volume_claim=null", "kubeflow.workspace=/gcs/b/ws")
  with pytest.raises(BadInputError, match=f"does not read .*{named}"):
    check(configured("images", *vertex, setting), "images.yaml")


def test_vertex_ai_has_names_of_its_own_for_gpus(configured):
  vertex = ("kubeflow.volume_claim=null", "kubeflow.workspace=/gcs/b/ws")
  check(
    configured("images", *vertex, "kubeflow.resources={Trainer: {gpu: 1, gpu_type: NVIDIA_L4}}"),
    "images.yaml",
  )
  with pytest.raises(BadInputError, match=r"such as NVIDIA_TESLA_T4\. Received: 'nvidia\.com/gpu'"):
    check(configured("images", *vertex, "kubeflow.resources={Trainer: {gpu: 1}}"), "images.yaml")


def test_the_file_must_be_yaml(configured):
  with pytest.raises(BadInputError, match=r"ends with \.yaml\. Received: 'images\.json'"):
    check(configured("images"), "images.json")


def test_a_resource_must_be_one(configured):
  with pytest.raises(
    BadInputError, match=r"kubeflow\.resources\.Trainer\.cpu must be at least 0\.001"
  ):
    configured("images", "kubeflow.resources={Trainer: {cpu: 0}}")


def test_a_missing_kfp_names_the_extra(configured, monkeypatch, tmp_path):
  find_spec, import_module = importlib.util.find_spec, builtins.__import__

  def hidden(name, *args):
    return None if name == "kfp" else find_spec(name, *args)

  def unimportable(name, *args, **kwargs):
    assert name.split(".")[0] != "kfp"
    return import_module(name, *args, **kwargs)

  monkeypatch.setattr(importlib.util, "find_spec", hidden)
  monkeypatch.setattr(builtins, "__import__", unimportable)
  task, config = get_task("images"), configured("images")
  output = tmp_path / "images.yaml"
  with pytest.raises(BadInputError, match=r"uv pip install --editable '\.\[kubeflow\]'") as refused:
    write(
      task,
      config,
      source=task.sources["folder"],
      params=config.params(task),
      output=output,
    )
  assert refused.value.exit_code == 2
  assert not output.exists()


def test_compile_spec_writes_the_file(configured, tmp_path):
  task, config = get_task("images"), configured("images")
  output = tmp_path / "new" / "images.yaml"
  write(
    task,
    config,
    source=task.sources["folder"],
    params=config.params(task),
    output=output,
  )
  lines = output.read_text("utf-8").splitlines()
  assert lines[0] == "# Written by `dlpipe compile images --for kubeflow`; docs/kubeflow.md."
  assert "defaultPipelineRoot: gs://bucket/pipelines" in lines
