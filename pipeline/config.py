"""`PipelineConfig`: everything a run may be told, typed once at the edge.

`pipeline.settings` makes it from what a user writes. Imports neither TensorFlow nor TFX; reads the
environment only in `from_env`.
"""

from __future__ import annotations

import datetime
import os
import pathlib
from collections.abc import Mapping
from typing import Any, Literal

import pydantic

from pipeline.task import Task

# Hyperparameters that every task has; a user sets them as train.<name>.
TRAIN_NAMES = ("epochs", "batch_size", "learning_rate")


class _Section(pydantic.BaseModel):
  # A bound of infinity or nan would be no bound.
  model_config = pydantic.ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class DataConfig(_Section):
  """What is read, and how much of it may be bad."""

  source: str | None = None
  max_bad_fraction: float = pydantic.Field(0.05, ge=0, le=1)
  val_fraction: float = pydantic.Field(0.1, gt=0, lt=0.5)
  eval_fraction: float = pydantic.Field(0.1, gt=0, lt=0.5)
  min_severity: Literal["WARNING", "ERROR"] = "ERROR"
  options: dict[str, Any] = {}


class TrainConfig(_Section):
  """How the shared training loop runs; None leaves the task's own default."""

  epochs: int | None = pydantic.Field(None, ge=1)
  batch_size: int | None = pydantic.Field(None, ge=1)
  learning_rate: float | None = pydantic.Field(None, gt=0)
  patience: int = pydantic.Field(10, ge=1)
  seed: int = 1
  cache_mb: int = pydantic.Field(1024, ge=0)
  mixed_precision: bool | None = None


class TuneConfig(_Section):
  """KerasTuner; no trials, no Tuner node."""

  trials: int = pydantic.Field(0, ge=0)
  epochs: int = pydantic.Field(3, ge=1)


class GatesConfig(_Section):
  """What a model must keep to: the bounds of metrics, by the task's names, and of latency."""

  model_config = pydantic.ConfigDict(extra="allow")
  __pydantic_extra__: dict[str, float]

  max_latency_ms: float | None = pydantic.Field(None, gt=0)
  min_examples: int | None = pydantic.Field(None, ge=1)

  @property
  def bounds(self) -> Mapping[str, float]:
    """Metric to the bound that replaces the task's own."""
    return self.__pydantic_extra__


class PushConfig(_Section):
  """What the ServingGate tolerates between Keras and the exported signatures."""

  tolerance: float = pydantic.Field(1e-5, ge=0)


class BeamConfig(_Section):
  """Where Beam runs; `options` are passed on as pipeline options.

  `job_server` is the jar, or the folder of jars, of Flink's or Spark's; None takes the fetched one.
  """

  runner: Literal["direct", "flink", "spark", "dataflow"] = "direct"
  job_server: str | None = None
  options: tuple[str, ...] = ()


class MetadataConfig(_Section):
  """Where metadata is kept; no file, SQLite in the workspace."""

  connection_file: str | None = None


class NodeResources(_Section):
  """What one node's container is given; None leaves it to the cluster."""

  cpu: float | None = pydantic.Field(None, gt=0)
  memory_gb: float | None = pydantic.Field(None, gt=0)
  gpu: int = pydantic.Field(0, ge=0)
  gpu_type: str = "nvidia.com/gpu"


class KubeflowConfig(_Section):
  """Where and with what the nodes of a compiled pipeline run; paths are those in the containers."""

  image: str | None = None
  pipeline_root: str | None = None
  data_path: str | None = None
  workspace: str = "/workspace"
  volume_claim: str | None = None
  resources: dict[str, NodeResources] = {}
  retries: int = pydantic.Field(0, ge=0)
  notify_url: str | None = None


class AirflowConfig(_Section):
  """The DAG of a compiled pipeline; paths are those on Airflow's workers."""

  dag_id: str | None = None
  schedule: str | None = None
  start_date: datetime.date = datetime.date(2024, 1, 1)
  retries: int = pydantic.Field(2, ge=0)
  retry_delay_s: float = pydantic.Field(30, ge=0)
  timeout_s: float | None = pydantic.Field(None, gt=0)
  pool: str | None = None
  pool_nodes: list[str] = ["Transform", "Tuner", "Trainer", "Evaluator"]
  python: str | None = None
  worker: str | None = None


class PipelineConfig(_Section):
  """One run's configuration.

  Attributes:
    task: the task's name.
    data_path: absolute path of the input.
    workspace: absolute path under which `<task>/` holds everything the run writes.
    tiny: whether the task's CI-sized overrides apply.
    data, train, tune, gates, push, beam, metadata, kubeflow, airflow: the sections that `--set`
      reaches.
    model: hyperparameters the user set.
    decode: what the user set of the task's `decoding`.
  """

  task: str
  data_path: str
  workspace: str
  tiny: bool = False
  data: DataConfig = DataConfig()
  model: dict[str, Any] = {}
  decode: dict[str, Any] = {}
  train: TrainConfig = TrainConfig()
  tune: TuneConfig = TuneConfig()
  gates: GatesConfig = GatesConfig()
  push: PushConfig = PushConfig()
  beam: BeamConfig = BeamConfig()
  metadata: MetadataConfig = MetadataConfig()
  kubeflow: KubeflowConfig = KubeflowConfig()
  airflow: AirflowConfig = AirflowConfig()

  @property
  def root(self) -> pathlib.Path:
    """The task's folder in the workspace."""
    return pathlib.Path(self.workspace) / self.task

  @property
  def serving_dir(self) -> pathlib.Path:
    """The TensorFlow Serving base path."""
    return self.root / "serving"

  def data_options(self, task: Task) -> dict[str, Any]:
    """Options for `plan` and `read`."""
    return {**task.data_options, **self.data.options}

  def hyperparameters(self, task: Task) -> dict[str, Any]:
    """Merges the task's defaults, `tiny`, and what the user set."""
    train = {n: v for n in TRAIN_NAMES if (v := getattr(self.train, n)) is not None}
    tiny = task.tiny if self.tiny else {}
    return {**task.hyperparameters, **task.decoding, **tiny, **self.model, **self.decode, **train}

  @property
  def said(self) -> frozenset[str]:
    """Hyperparameters that the user set, even to their defaults; null sets no `train` name."""
    train = (name for name in TRAIN_NAMES if getattr(self.train, name) is not None)
    return frozenset((*self.model, *self.decode, *train))

  def fixed_epochs(self, task: Task) -> list[str]:
    """The numbers of epochs that `min_steps` must not lift, because the user said them."""
    return sorted(self.said & set(task.lifted_epochs))


def default_workspace(environ: Mapping[str, str]) -> str:
  """The workspace where none is named: `$DLPIPE_WORKSPACE`, else `./workspace`."""
  return environ.get("DLPIPE_WORKSPACE") or "workspace"


def from_env() -> str:
  """The default workspace by the process's environment."""
  return default_workspace(os.environ)
