"""Makes the spec: compiles the task's pipeline with TFX, then corrects it for the backends.

The result is one YAML document that both Kubeflow Pipelines and Vertex AI accept and, if pods are
to have what only Kubernetes knows, such as a volume, a second document for Kubernetes only.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

import yaml
from google.protobuf import json_format
from kfp import components as kfp_components
from kfp.pipeline_spec import pipeline_spec_pb2
from tfx.dsl.components.base.base_node import BaseNode
from tfx.orchestration.kubeflow.decorators import FinalStatusStr
from tfx.orchestration.kubeflow.utils import TFX_DAG_NAME
from tfx.orchestration.kubeflow.v2 import kubeflow_v2_dag_runner
from tfx.orchestration.pipeline import Pipeline

from components.run_notice import RunNotice
from dlpipe import nodes
from dlpipe.errors import BadInputError
from pipeline.assembly import create_pipeline
from pipeline.execution.ir import write_compiled
from pipeline.orchestrators.kubeflow import pods, run_notes
from pipeline.orchestrators.kubeflow.section import KubeflowSection, NodeResources
from pipeline.params import Params
from pipeline.settings import run_parameters
from pipeline.settings.config import PipelineConfig
from pipeline.task import Source, Task

_COMMAND = ["python", "-m", "pipeline.orchestrators.kubeflow.container"]


def make_documents(
  task: Task,
  config: PipelineConfig,
  *,
  source: Source,
  params: Params,
) -> list[dict[str, Any]]:
  """Compiles the pipeline.

  Args:
    task: the task.
    config: the configuration; `settings.check` must have accepted it.
    source: the source that reads the input.
    params: the settings of the model.

  Returns:
    The spec, and a document for Kubernetes if `pods` has something to say.

  Raises:
    BadInputError: `kubeflow.resources` names a node that the pipeline does not have.
  """
  kubeflow = config.section(KubeflowSection)
  name = kubeflow.pipeline_name or task.name
  inside = config.model_copy(
    update={
      "data_path": kubeflow.data_path or config.data_path,
      "workspace": kubeflow.workspace,
    }
  )
  pipeline = create_pipeline(
    task,
    inside,
    source=source,
    params=params,
    self_contained=True,
    runtime_parameters=True,
  )
  notice = None
  if kubeflow.notify_url:
    notice = RunNotice(pipeline_name=name, url=kubeflow.notify_url, final_status=FinalStatusStr())
  _give_resources([*pipeline.components, *([notice] if notice else [])], kubeflow)
  spec = _compile(pipeline, image=kubeflow.image or "", exit_handler=notice)
  spec["defaultPipelineRoot"] = kubeflow.pipeline_root
  for tasks in _all_tasks(spec):
    _mend_tasks(tasks, retries=kubeflow.retries)
  spec["pipelineInfo"]["name"] = name
  _open_parameters(spec, run_parameters.values(inside))
  _give_variables(spec, inside, [component.id for component in pipeline.components])
  documents = [spec]
  if (pods_of := pods.platform(spec, kubeflow)) is not None:
    documents.append(pods_of)
  validate(documents)
  return documents


def validate(documents: list[dict[str, Any]]) -> None:
  """Checks the documents against kfp's protos, and by loading them with kfp.

  Raises:
    ValueError: kfp does not accept them.
  """
  spec, *platforms = documents
  try:
    json_format.ParseDict(spec, pipeline_spec_pb2.PipelineSpec())
    json_format.ParseDict(spec["deploymentSpec"], pipeline_spec_pb2.PipelineDeploymentConfig())
    for platform in platforms:
      json_format.ParseDict(platform, pipeline_spec_pb2.PlatformSpec())
  except json_format.ParseError as err:
    raise ValueError(f"The compiled pipeline is no spec of kfp's: {err}") from err
  kfp_components.load_component_from_text(to_yaml(documents))


def write(documents: list[dict[str, Any]], task: Task, output: str | os.PathLike[str]) -> None:
  """Writes the documents into one file.

  Raises:
    BadInputError: the file cannot be written.
  """
  header = f"# Written by `dlpipe compile {task.name} --for kubeflow`; docs/kubeflow.md.\n"
  write_compiled(output, header + to_yaml(documents))


def to_yaml(documents: list[dict[str, Any]]) -> str:
  """Returns the documents as YAML, with multi-line texts as blocks."""
  return yaml.dump_all(documents, Dumper=_Dumper, sort_keys=True, width=100)


class _Dumper(yaml.SafeDumper):
  """Writes multi-line texts as blocks, and repeats equal values instead of using YAML anchors."""

  def ignore_aliases(self, data: Any) -> bool:
    return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
  style = "|" if "\n" in text else None
  return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)


def _give_resources(nodes: list[BaseNode], kubeflow: KubeflowSection) -> None:
  known = [node.id for node in nodes]
  if unknown := sorted(set(kubeflow.resources) - {pods.EVERY_NODE, *known}):
    raise BadInputError(
      f"kubeflow.resources names no node of this pipeline: {', '.join(unknown)}. "
      f"Nodes: {', '.join(sorted(known))}; {pods.EVERY_NODE} stands for every node not named."
    )
  for node in nodes:
    given = pods.resources_of(node.id, kubeflow)
    if given is not None:
      node.with_platform_config(_resource_spec(given))


def _resource_spec(given: NodeResources) -> Any:
  container = pipeline_spec_pb2.PipelineDeploymentConfig.PipelineContainerSpec
  spec = container.ResourceSpec(
    cpu_limit=given.cpu or 0,
    memory_limit=given.memory_gb or 0,
    cpu_request=given.cpu_request or 0,
    memory_request=given.memory_request_gb or 0,
  )
  if given.gpu:
    spec.accelerator.type = given.gpu_type
    spec.accelerator.count = given.gpu
  return spec


def _compile(pipeline: Pipeline, *, image: str, exit_handler: BaseNode | None) -> dict[str, Any]:
  runner = kubeflow_v2_dag_runner.KubeflowV2DagRunner(
    kubeflow_v2_dag_runner.KubeflowV2DagRunnerConfig(
      default_image=image,
      default_commands=_COMMAND,
      # Kubeflow Pipelines accepts only this version; Vertex AI accepts both.
      use_pipeline_spec_2_1=True,
    )
  )
  if exit_handler is not None:
    runner.set_exit_handler(exit_handler)
  return runner.run(pipeline, write_out=False)["pipelineSpec"]


def _open_parameters(spec: dict[str, Any], defaults: Mapping[str, Any]) -> None:
  """Gives the pipeline's parameters their defaults, also in the DAG of an exit handler."""
  opened = spec["root"]["inputDefinitions"]["parameters"]
  for name, definition in opened.items():
    definition |= {"defaultValue": defaults[name], "isOptional": True}
  inner = spec["root"]["dag"]["tasks"].get(TFX_DAG_NAME)
  if inner is None:
    return
  spec["components"][TFX_DAG_NAME]["inputDefinitions"] = {
    "parameters": {
      name: {"parameterType": definition["parameterType"]} for name, definition in opened.items()
    }
  }
  inner["inputs"] = {"parameters": {name: {"componentInputParameter": name} for name in opened}}


def _give_variables(spec: dict[str, Any], config: PipelineConfig, known: list[str]) -> None:
  """Gives every container the user's variables, and its node's place for `run_notes`.

  A node without outputs has no place there: it cannot tell which run it is of.
  """
  known = [name for name in known if _has_outputs(spec, name)]
  told = config.model_dump(mode="json", exclude_unset=True)
  told.pop("kubeflow", None)  # which nodes do not read, and which may hold what is not for them
  shared = {
    **config.section(KubeflowSection).env,
    run_notes.PIPELINE: json.dumps({"nodes": known, "config": told}, sort_keys=True),
  }
  for tasks in _all_tasks(spec):
    for name, task in tasks.items():
      component = spec["components"][task["componentRef"]["name"]]
      if "executorLabel" not in component:
        continue
      own = {run_notes.NODE: name, run_notes.PRODUCERS: json.dumps(_producers(task))}
      container = spec["deploymentSpec"]["executors"][component["executorLabel"]]["container"]
      container["env"] = [
        {"name": key, "value": value} for key, value in sorted({**shared, **own}.items())
      ]


def _has_outputs(spec: Mapping[str, Any], node: str) -> bool:
  return bool(spec["components"][node].get("outputDefinitions", {}).get("artifacts"))


def _producers(task: Mapping[str, Any]) -> dict[str, list[str]]:
  """Returns, by the name of an input, the task and the output that it comes from."""
  inputs = task.get("inputs", {}).get("artifacts", {})
  return {
    name: [origin["producerTask"], origin["outputArtifactKey"]]
    for name, value in sorted(inputs.items())
    if (origin := value.get("taskOutputArtifact"))
  }


def _all_tasks(spec: dict[str, Any]) -> list[dict[str, Any]]:
  """Returns the tasks of the root and, with an exit handler, those of the DAG inside it."""
  dags = [spec["root"], *(c for c in spec["components"].values() if "dag" in c)]
  return [dag["dag"]["tasks"] for dag in dags]


def _mend_tasks(tasks: dict[str, Any], *, retries: int) -> None:
  for name, task in tasks.items():
    for parameter in task.get("inputs", {}).get("parameters", {}).values():
      producer = parameter.get("taskOutputParameter")
      if producer and producer["producerTask"] not in tasks:
        # TFX 1.16 and 1.21 name the producer <id>_task here, but <id> everywhere else.
        producer["producerTask"] = producer["producerTask"].removesuffix("_task")
    node = nodes.named(name)
    if not node.is_cached:
      task.pop("cachingOptions", None)
    # The task that contains all nodes would pass its retries on to each of them.
    if retries and node.is_retried and name != TFX_DAG_NAME:
      task["retryPolicy"] = {"maxRetryCount": retries}
