"""`PipelineConfig`: everything a run may be told, typed once at the edge.

Values come, later ones winning, from the task's defaults, `--tiny`, a YAML file (`--config`) and
`--set section.name=value`. An unknown name is an error that names the nearest known one. Imports
neither TensorFlow nor TFX; reads the environment only in `from_env`.
"""

from __future__ import annotations

import datetime
import difflib
import os
import pathlib
from collections.abc import Iterable, Mapping
from typing import Any, Literal

import pydantic
import yaml

from components.errors import BadInputError
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


def default_workspace(environ: Mapping[str, str]) -> str:
  """The workspace where none is named: `$DLPIPE_WORKSPACE`, else `./workspace`."""
  return environ.get("DLPIPE_WORKSPACE") or "workspace"


def from_env() -> str:
  """The default workspace by the process's environment."""
  return default_workspace(os.environ)


def make_config(
  task: Task,
  *,
  data_path: str,
  workspace: str,
  tiny: bool = False,
  config_file: str | None = None,
  settings: Iterable[str] = (),
  beam: str | None = None,
  mlmd: str | None = None,
) -> PipelineConfig:
  """Builds the configuration of one run.

  Args:
    task: the task to run.
    data_path: the input, absolute or relative to the working directory.
    workspace: where the run writes.
    tiny: applies the task's CI-sized overrides.
    config_file: a YAML file of sections, or None.
    settings: `section.name=value` items; values are read as YAML scalars.
    beam: replaces `beam.runner`.
    mlmd: replaces `metadata.connection_file`.

  Raises:
    BadInputError: an unknown name, a value of the wrong type or out of range, an unreadable file.
  """
  sections: dict[str, dict[str, Any]] = {}
  for origin, section, name, value in (
    *_file_items(config_file),
    *map(_parse_setting, settings),
  ):
    section, name = _known(task, section, name, origin)
    sections.setdefault(section, {})
    if section == "data" and name in task.data_options:
      if value is not None:  # sources take None for their default
        _check_type(task.data_options[name], value, f"data.{name}", origin)
      sections["data"].setdefault("options", {})[name] = value
    else:
      if section in ("model", "decode"):
        defaults = task.hyperparameters if section == "model" else task.decoding
        value = _check_type(defaults[name], value, f"{section}.{name}", origin)
      sections[section][name] = value
  if beam:
    sections.setdefault("beam", {})["runner"] = beam
  if mlmd:
    sections.setdefault("metadata", {})["connection_file"] = os.path.abspath(mlmd)
  try:
    return PipelineConfig(
      task=task.name,
      data_path=os.path.abspath(data_path),
      workspace=os.path.abspath(workspace),
      tiny=tiny,
      **sections,
    )
  except pydantic.ValidationError as err:
    raise BadInputError("\n".join(_explain(e) for e in err.errors())) from err


def _file_items(path: str | None) -> Iterable[tuple[str, str, str, Any]]:
  if path is None:
    return
  try:
    content = yaml.safe_load(pathlib.Path(path).read_text(encoding="utf-8")) or {}
  except OSError as err:
    raise BadInputError(f"Cannot read --config {path}: {err.strerror}.") from err
  except (yaml.YAMLError, UnicodeDecodeError) as err:
    raise BadInputError(f"--config {path} is not YAML: {err}") from err
  if not isinstance(content, dict) or not all(isinstance(v, dict) for v in content.values()):
    raise BadInputError(
      f"--config {path} must map sections to names to values, as in 'train: {{epochs: 5}}'."
    )
  for section, names in content.items():
    for name, value in names.items():
      yield f"--config {path}", str(section), str(name), value


def _parse_setting(setting: str) -> tuple[str, str, str, Any]:
  key, equals, value = setting.partition("=")
  section, dot, name = key.strip().partition(".")
  if not (equals and dot and section and name):
    raise BadInputError(
      f"--set takes section.name=value, such as train.epochs=5. Received: {setting!r}"
    )
  try:
    return "--set", section, name, yaml.safe_load(_as_float(value))
  except yaml.YAMLError as err:
    raise BadInputError(f"--set {key}: the value is not readable: {value!r}") from err


def _as_float(value: str) -> str:
  """YAML 1.1 reads 1e-3 as a string; a person means a number."""
  try:
    float(value)
  except ValueError:
    return value
  return value if value.strip().lstrip("+-").isdigit() else repr(float(value))


def _known(task: Task, section: str, name: str, origin: str) -> tuple[str, str]:
  names = known_names(task)
  if section in names and name in names[section]:
    return section, name
  full = f"{section}.{name}"
  every = [f"{s}.{n}" for s, ns in names.items() for n in ns]
  close = difflib.get_close_matches(full, every, n=1, cutoff=0.5)
  same_name = [e for e in every if e.split(".", 1)[1] == name]
  hint = f" Did you mean {(same_name or close)[0]}?" if same_name or close else ""
  within = names.get(section)
  known = (
    f"Names in {section}: {', '.join(sorted(within))}."
    if within
    else f"Sections: {', '.join(names)}."
  )
  raise BadInputError(f"{origin}: unknown name {full!r} for task {task.name}.{hint} {known}")


def known_names(task: Task) -> dict[str, list[str]]:
  """Every section and the names that may be set in it."""
  return {
    "data": [*(n for n in DataConfig.model_fields if n != "options"), *task.data_options],
    "model": [n for n in task.hyperparameters if n not in TRAIN_NAMES],
    **({"decode": list(task.decoding)} if task.decoding else {}),
    "train": list(TrainConfig.model_fields),
    "tune": list(TuneConfig.model_fields),
    "gates": [
      *(n for gate in task.gates for n in (gate.metric, f"{gate.metric}.max_regression")),
      *GatesConfig.model_fields,
    ],
    "push": list(PushConfig.model_fields),
    "beam": list(BeamConfig.model_fields),
    "metadata": list(MetadataConfig.model_fields),
    "kubeflow": list(KubeflowConfig.model_fields),
    "airflow": list(AirflowConfig.model_fields),
  }


def _check_type(default: Any, value: Any, name: str, origin: str) -> Any:
  """Holds a value to the type of its default; None as a default takes anything."""
  if default is None:
    return value
  if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
    return float(value)
  if isinstance(default, (list, tuple)) and isinstance(value, (list, tuple)):
    if default and any(type(item) is not type(default[0]) for item in value):
      raise BadInputError(
        f"{origin}: {name} must hold values of type {type(default[0]).__name__}, such as "
        f"{default[0]!r}. Received: {value!r}"
      )
    return value
  if type(value) is not type(default):
    raise BadInputError(
      f"{origin}: {name} must be of type {type(default).__name__}, such as {default!r}. "
      f"Received: {value!r}"
    )
  return value


def _explain(error: Any) -> str:
  where = ".".join(str(part) for part in error["loc"])
  return f"{where}: {error['msg']}. Received: {error['input']!r}"
