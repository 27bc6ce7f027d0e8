"""The sections of a configuration that `dlpipe compile` reads, one for each orchestrator."""

from __future__ import annotations

import datetime

import pydantic
import pydantic_core

from dlpipe import nodes
from pipeline.params import Section
from pipeline.settings import schedules

# From a section to the command that reads it; no run on this machine does.
READ_BY = {
  "kubeflow": "dlpipe compile --for kubeflow",
  "airflow": "dlpipe compile --for airflow",
}


class NodeResources(Section):
  """What one node's container is given; None leaves it to the cluster."""

  cpu: float | None = pydantic.Field(None, gt=0)
  memory_gb: float | None = pydantic.Field(None, gt=0)
  gpu: int = pydantic.Field(0, ge=0)
  gpu_type: str = "nvidia.com/gpu"

  @pydantic.model_validator(mode="after")
  def _has_a_gpu(self) -> NodeResources:
    if "gpu_type" in self.model_fields_set and not self.gpu:
      raise pydantic_core.PydanticCustomError("gpu", "gpu_type is a GPU's, and gpu is 0")
    return self


class KubeflowConfig(Section):
  """Where and with what the nodes of a compiled pipeline run; paths are those in the containers."""

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
    0, ge=0, description="how often a failed node is tried again; DataGate never is"
  )
  notify_url: str | None = pydantic.Field(
    None, description="an http(s) address that is told how a run ended"
  )


class AirflowConfig(Section):
  """The DAG of a compiled pipeline; paths are those on Airflow's workers."""

  dag_id: str | None = pydantic.Field(
    None,
    description="the DAG's name; null takes the name of the file, `images` for `dags/images.py`",
  )
  schedule: str | None = pydantic.Field(
    None,
    description="`@daily` and the like, in YAML with or without quotes, or five fields of cron; "
    "null starts a run only when told to",
  )
  start_date: datetime.date = pydantic.Field(
    datetime.date(2024, 1, 1),
    description="what the schedule counts from; what is past is not caught up",
  )
  retries: int = pydantic.Field(
    2,
    ge=0,
    description="how often a failed node is tried again; refused data, a refused model and "
    "bad input never are",
  )
  retry_delay_s: float = pydantic.Field(30, ge=0, description="seconds before it is")
  timeout_s: float | None = pydantic.Field(
    None,
    gt=0,
    description="seconds after which a node is ended and counts as failed; null for no end",
  )
  pool: str | None = pydantic.Field(
    None,
    description="the pool of the nodes in `pool_nodes`, which must exist in Airflow; null "
    "takes Airflow's `default_pool`",
  )
  pool_nodes: list[str] = pydantic.Field(
    [node.id for node in nodes.ALL if node.is_heavy], description="the heavy nodes"
  )
  python: str | None = pydantic.Field(
    None, description="the Python that dlpipe is installed in; null takes the one that compiles"
  )
  worker: str | None = pydantic.Field(
    None,
    description="the socket of a `dlpipe worker` that keeps TFX loaded; null starts each node cold",
  )

  @pydantic.field_validator("schedule")
  @classmethod
  def _is_schedule(cls, schedule: str | None) -> str | None:
    if schedule is not None and (fault := schedules.fault(schedule)):
      raise pydantic_core.PydanticCustomError("schedule", "{reason}", {"reason": fault})
    return schedule
