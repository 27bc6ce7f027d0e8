"""Defines the section `kubeflow` of a configuration."""

from __future__ import annotations

from typing import Literal

import pydantic
import pydantic_core

from pipeline.params import Section
from pipeline.settings.orchestrators import OrchestratorSection

# In CPUs and GB: Kubernetes counts in thousandths, and reads no number with an exponent.
_LEAST, _MOST = 0.001, 1e6


class Toleration(Section):
  """A taint of a machine that a node's pod may run on."""

  key: str | None = None
  operator: Literal["Equal", "Exists"] = "Equal"
  value: str | None = None
  effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
  seconds: int | None = pydantic.Field(None, ge=0, le=10**9)

  @pydantic.model_validator(mode="after")
  def _is_one(self) -> Toleration:
    if self.operator == "Exists" and self.value is not None:
      raise pydantic_core.PydanticCustomError("toleration", "Exists takes no value")
    if self.operator == "Equal" and self.key is None:
      raise pydantic_core.PydanticCustomError("toleration", "Equal takes a key")
    if self.seconds is not None and self.effect != "NoExecute":
      raise pydantic_core.PydanticCustomError("toleration", "seconds are for effect: NoExecute")
    return self


class NodeResources(Section):
  """What one node's pod gets, and where it may run; None leaves a resource to the cluster."""

  cpu: float | None = pydantic.Field(None, ge=_LEAST, le=_MOST)
  memory_gb: float | None = pydantic.Field(None, ge=_LEAST, le=_MOST)
  cpu_request: float | None = pydantic.Field(None, ge=_LEAST, le=_MOST)
  memory_request_gb: float | None = pydantic.Field(None, ge=_LEAST, le=_MOST)
  shared_memory_gb: float | None = pydantic.Field(None, ge=_LEAST, le=_MOST)
  gpu: int = pydantic.Field(0, ge=0, le=1000)
  gpu_type: str = "nvidia.com/gpu"
  node_selector: dict[str, str] = {}
  tolerations: list[Toleration] = []

  @pydantic.model_validator(mode="after")
  def _can_be(self) -> NodeResources:
    if "gpu_type" in self.model_fields_set and not self.gpu:
      raise pydantic_core.PydanticCustomError("gpu", "gpu_type is a GPU's, and gpu is 0")
    for limit, request in (("cpu", "cpu_request"), ("memory_gb", "memory_request_gb")):
      most, least = getattr(self, limit), getattr(self, request)
      if most is not None and least is not None and least > most:
        reason = f"{request}={least:g} is more than {limit}={most:g}"
        raise pydantic_core.PydanticCustomError("request", "{reason}", {"reason": reason})
    if self.shared_memory_gb and self.memory_gb and self.shared_memory_gb > self.memory_gb:
      reason = f"shared_memory_gb={self.shared_memory_gb:g} counts as memory, and is more than "
      reason += f"memory_gb={self.memory_gb:g}"
      raise pydantic_core.PydanticCustomError("memory", "{reason}", {"reason": reason})
    return self

  @property
  def needs_kubernetes(self) -> bool:
    """Whether a setting here is for Kubernetes alone, and Vertex AI knows nothing of it."""
    return bool(self.shared_memory_gb or self.node_selector or self.tolerations)


class KubeflowSection(OrchestratorSection):
  """Images, folders and resources of a compiled pipeline's nodes; paths are inside containers."""

  name = "kubeflow"
  suffix = ".yaml"
  help = "a Kubeflow Pipelines v2 spec"
  can_finish = False

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
    description="node to limits, `cpu`, `memory_gb`, `gpu` and `gpu_type`, as in `{Trainer: {cpu: "
    "4, memory_gb: 16, gpu: 1}}`; also `cpu_request`, `memory_request_gb`, `shared_memory_gb` at "
    "`/dev/shm`, `node_selector`, `tolerations`; `default` stands for every node not named",
  )
  env: dict[str, str] = pydantic.Field(
    {},
    description="variables for the environment of every node, as in `{HTTPS_PROXY: http://proxy:3128}`",
  )
  secrets: dict[str, str] = pydantic.Field(
    {},
    description="the same from secrets of Kubernetes: variable to `SECRET/KEY`, as in "
    "`{AWS_SECRET_ACCESS_KEY: store/secret}`",
  )
  image_pull_secrets: list[str] = pydantic.Field(
    [], description="the secrets of Kubernetes with which `image` is pulled"
  )
  image_pull_policy: Literal["Always", "IfNotPresent", "Never"] | None = pydantic.Field(
    None,
    description="when `image` is pulled: `Always`, `IfNotPresent` or `Never`; null leaves "
    "it to the cluster",
  )
  pipeline_name: str | None = pydantic.Field(
    None,
    description="the pipeline's name in the backend, for several pipelines of a task; null is the "
    "task's name",
  )
  retries: int = pydantic.Field(
    0,
    ge=0,
    le=1000,
    description="how often a failed node is tried again; DataGate and DriftGate never are",
  )
  notify_url: str | None = pydantic.Field(
    None,
    description="an http(s) address that is told how a run ended; `${NAME}` stands for a variable "
    "of `env` or `secrets`",
  )


SECTION = KubeflowSection
