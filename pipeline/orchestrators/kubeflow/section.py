"""Defines the section `kubeflow` of a configuration."""

from __future__ import annotations

import pydantic
import pydantic_core

from pipeline.params import Section
from pipeline.settings.orchestrators import OrchestratorSection


class NodeResources(Section):
  """Resources of one node's container; None leaves a resource to the cluster."""

  cpu: float | None = pydantic.Field(None, gt=0)
  memory_gb: float | None = pydantic.Field(None, gt=0)
  gpu: int = pydantic.Field(0, ge=0)
  gpu_type: str = "nvidia.com/gpu"

  @pydantic.model_validator(mode="after")
  def _has_a_gpu(self) -> NodeResources:
    if "gpu_type" in self.model_fields_set and not self.gpu:
      raise pydantic_core.PydanticCustomError("gpu", "gpu_type is a GPU's, and gpu is 0")
    return self


class KubeflowSection(OrchestratorSection):
  """Images, folders and resources of a compiled pipeline's nodes; paths are inside containers."""

  name = "kubeflow"
  suffix = ".yaml"
  help = "a Kubeflow Pipelines v2 spec"

  image: str | None = pydantic.Field(
    None, description="the image that every node runs in; must be set"
  )
  pipeline_root: str | None = pydantic.Field(
    None,
    description="where the backend keeps artifacts: `gs://`, `s3://` or `minio://`; must be set",
  )
  data_path: str | None = pydantic.Field(
    None, description="the input; null takes the path of `--data`"
  )
  workspace: str = pydantic.Field(
    "/workspace",
    description="a folder that outlives the containers: served versions, checkpoints, the "
    "history of models",
  )
  volume_claim: str | None = pydantic.Field(
    None,
    description="the PersistentVolumeClaim mounted there; must be set unless `workspace` is"
    " a mounted bucket, below `/gcs/`",
  )
  resources: dict[str, NodeResources] = pydantic.Field(
    {},
    description="node to `cpu`, `memory_gb`, `gpu` and `gpu_type`, as in `{Trainer: {cpu: "
    "4, memory_gb: 16, gpu: 1}}`; `default` stands for every node not named",
  )
  retries: int = pydantic.Field(
    0, ge=0, description="how often a failed node is tried again; DataGate and DriftGate never are"
  )
  notify_url: str | None = pydantic.Field(
    None, description="an http(s) address that is told how a run ended"
  )


SECTION = KubeflowSection
