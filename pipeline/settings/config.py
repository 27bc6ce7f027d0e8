"""`PipelineConfig`: all settings of a run, typed and validated once.

`pipeline.settings.reading` builds it from the user's input. Imports neither TensorFlow nor TFX, and
reads no environment variables.
"""

from __future__ import annotations

import pathlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import pydantic
import pydantic_core

from components.serving_gate.serving_ops import release_of_tag
from components.spans import pattern, window
from dlpipe.remote.addresses import WRITABLE, scheme_of
from dlpipe.workspace import TaskFolder
from pipeline.params import TRAIN_NAMES, Params, Role, Section
from pipeline.settings.data_config import DataConfig
from pipeline.settings.keep import KeepConfig
from pipeline.settings.orchestrators import ORCHESTRATORS, OrchestratorSection, section_of
from pipeline.settings.telling import NotifyConfig, TrackingConfig
from pipeline.settings.train_config import TrainConfig
from pipeline.task import Task

MOST_TRIALS = 1_000  # that a search by time begins
_Section = TypeVar("_Section", bound=OrchestratorSection)


class TuneConfig(Section):
  """Settings of KerasTuner; without trials the pipeline has no Tuner."""

  trials: int = pydantic.Field(
    0,
    ge=0,
    description="settings to try, the first those of the run, the others at random; 0 leaves the "
    "Tuner out of the pipeline",
  )
  epochs: int | None = pydantic.Field(
    None,
    ge=1,
    description="the most epochs of each phase in a trial; null is a quarter of those that the "
    "Trainer gives it, and at least 3",
  )

  minutes: float | None = pydantic.Field(
    None,
    gt=0,
    description="the most minutes of all trials; without `trials`, as many as fit; null takes as "
    "long as the trials take",
  )
  early_stopping: bool = pydantic.Field(
    True,
    description="whether a trial ends early if most trials before it are better: three quarters of "
    "them after a quarter of its epochs, or half of them after half",
  )

  @property
  def most_trials(self) -> int:
    """The most trials of a search; 0 if there is none."""
    return self.trials or (MOST_TRIALS if self.minutes is not None else 0)


class GatesConfig(Section):
  """Bounds that a model must reach: of the task's metrics, by their names, and of latency."""

  model_config = pydantic.ConfigDict(extra="allow")
  __pydantic_extra__: dict[str, float | None]

  max_latency_ms: float | None = pydantic.Field(
    None,
    gt=0,
    description="the longest that 99 of 100 requests of one row may take, in milliseconds, "
    "over REST and over gRPC; null only measures it",
  )
  max_coverage_gap: float = pydantic.Field(
    0.02,
    ge=0,
    le=1,
    description="how far, beside chance, the coverage on eval may be below `train.coverage`, and "
    "the accuracy of accepted answers below `train.accepted_accuracy`",
  )
  min_examples: int | None = pydantic.Field(
    None,
    ge=1,
    description=(
      "the fewest eval rows that may judge a model; fewer refuse it; null takes any "
      "number, and warns where they cannot tell"
    ),
  )
  behaviour: str | None = pydantic.Field(
    None,
    min_length=1,
    description="a YAML file of tests of behaviour in place of the task's own, or `none` for no "
    "test; null takes the task's own",
  )
  beats_baseline: float | None = pydantic.Field(
    None,
    ge=-1,
    le=1,
    description="by how much the model must be better than a cheap one on the same rows: of "
    "accuracy, of chrF / 100, or of the error that a constant makes; null only warns of one that "
    "is worse",
  )
  drift: Literal["warn", "refuse", "none"] = pydantic.Field(
    "warn",
    description="what happens if the data differ from those of the served version: `warn`, "
    "`refuse` (exit 3), or `none`, which does not compare",
  )
  least_drift: float = pydantic.Field(
    0.02,
    gt=0,
    lt=1,
    description="the smallest Jensen-Shannon divergence of a feature that counts as a change, in "
    "bits, beyond what chance makes of so many rows; the past may raise it",
  )

  @property
  def bounds(self) -> Mapping[str, float | None]:
    """The bounds, by metric, that replace the task's own; None removes a bound."""
    return self.__pydantic_extra__


class PushConfig(Section):
  """Settings of ServingGate and VersionedPusher.

  `tolerance` is the largest allowed difference between Keras and the exported signatures.
  `serving_release` is the tag of the image `tensorflow/serving` that must be able to run the graph;
  None takes the newest release that is no newer than the run's TensorFlow.
  """

  tolerance: float = pydantic.Field(
    1e-5,
    ge=0,
    description="the largest difference between the trained and the exported model that ServingGate"
    " lets pass; of an output whose numbers are larger than 1, as a part of the largest",
  )
  serving_release: str | None = pydantic.Field(
    None,
    description=(
      "the tag of the image `tensorflow/serving` that will serve, such as `2.16.1`, "
      "or `2.16.1-gpu` where every server has a GPU. ServingGate refuses ops that "
      "this release lacks, or has no kernel for. 2.16 to 2.20 are known; null is the "
      "newest that is no newer than the TensorFlow of the run: 2.16 with Python "
      "3.10, 2.20 with later ones"
    ),
  )

  data_license: str | None = pydantic.Field(
    None,
    description="the licence of the data, for the model card; null says that nobody stated one",
  )
  stage: Literal["live", "candidate"] = pydantic.Field(
    "live",
    description="`live`: servers take a model that every gate let through; `candidate`: they do "
    "not, until `dlpipe promote`",
  )
  max_flips: float | None = pydantic.Field(
    None,
    ge=0,
    le=1,
    description="the largest part of the logged requests whose answer may become another: `dlpipe "
    "promote` replays them and refuses (exit 4) a candidate with more; null replays nothing",
  )
  copy_to: str | None = pydantic.Field(
    None,
    description="an address such as `s3://bucket/models/images`, to which what becomes live is "
    "copied, by a run, `dlpipe promote` or `dlpipe rollback`, with a file `UPLOADED` when it is "
    "whole; null copies nothing",
  )

  @pydantic.field_validator("copy_to")
  @classmethod
  def _can_be_written(cls, address: str | None) -> str | None:
    if address is not None and scheme_of(address) not in WRITABLE:
      known = ", ".join(f"{scheme}://" for scheme in WRITABLE)
      reason = f"It takes an address that can be written to: {known}"
      raise pydantic_core.PydanticCustomError("address", "{reason}", {"reason": reason})
    return address

  @pydantic.field_validator("serving_release", mode="before")
  @classmethod
  def _is_known(cls, tag: object) -> str | None:
    if tag is None:
      return None
    try:
      release_of_tag(str(tag))  # YAML reads an unquoted 2.20 as the number 2.2
    except ValueError as err:
      raise pydantic_core.PydanticCustomError("tag", "{reason}", {"reason": str(err)}) from err
    return str(tag)


class BeamConfig(Section):
  """Settings of Beam; `options` are passed on as pipeline options.

  `job_server` is the jar, or the folder of jars, of the job server of Flink or Spark; None takes
  the fetched one.
  """

  runner: Literal["direct", "flink", "spark", "dataflow"] = pydantic.Field(
    "direct", description="`direct` on this machine in one process, or `flink`, `spark`, `dataflow`"
  )
  job_server: str | None = pydantic.Field(
    None,
    description="Flink's or Spark's job server, a jar or a folder of jars; null takes the "
    "one that `scripts/fetch-beam-job-servers.sh` put into the cache",
  )
  options: tuple[str, ...] = pydantic.Field(
    (), description='passed to Beam as they are, such as `["--parallelism=4"]`'
  )


class MetadataConfig(Section):
  """The metadata store; without a connection file, SQLite in the workspace."""

  connection_file: str | None = pydantic.Field(
    None,
    description="the metadata store's connection file, as docs/orchestration.md has it; "
    "null for SQLite in the workspace",
  )


class _Config(Section):
  """One run's configuration.

  Attributes:
    task: the task's name.
    data_path: absolute path of the input.
    workspace: absolute path under which `<task>/` holds everything the run writes.
    tiny: whether the task's CI-sized overrides apply.
    data, train, tune, gates, push, beam, metadata, keep, notify, tracking: the sections of `--set`;
      each orchestrator adds one.
    model: the values that the user set in the task's `Params`, except those of `decode`.
    decode: the values that the user set in the `Params` with `Role.DECODE`.
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
  keep: KeepConfig = KeepConfig()
  notify: NotifyConfig = NotifyConfig()
  tracking: TrackingConfig = TrackingConfig()

  def section(self, kind: type[_Section]) -> _Section:
    """Returns an orchestrator's section, as in `config.section(AirflowSection).schedule`."""
    found: _Section = getattr(self, kind.name)
    return found

  @property
  def folder(self) -> TaskFolder:
    """The task's folder in the workspace; its attributes are the paths in it."""
    return TaskFolder(pathlib.Path(self.workspace) / self.task)

  @property
  def spans(self) -> window.Settings | None:
    """How the spans of the data are chosen; None for data without spans.

    Raises:
      BadInputError: the path is a pattern that cannot work.
    """
    if pattern.parse(self.data_path) is None:
      return None
    last, root = self.data.last_span, str(self.folder.spans)
    return window.Settings(window=self.data.window, last_span=last, root=root)

  def data_options(self, task: Task) -> dict[str, Any]:
    """Returns the options for a source's `plan` and `read`: the task's defaults and the user's."""
    return {**task.data_options.defaults(), **self.data.options}

  def params(self, task: Task) -> Params:
    """Returns the task's defaults, or its `tiny` values, overridden by the user's values.

    Raises:
      BadInputError: the task does not accept a value, such as one from a file of another release.
    """
    train = {n: v for n in TRAIN_NAMES if (v := getattr(self.train, n)) is not None}
    usual = task.params.tiny() if self.tiny else task.params.usual()
    return usual.replace(**self.model, **self.decode, **train)

  @property
  def said(self) -> frozenset[str]:
    """The names in `Params` that the user set, even to their defaults.

    A null in the section `train` sets nothing.
    """
    train = (name for name in TRAIN_NAMES if getattr(self.train, name) is not None)
    return frozenset((*self.model, *self.decode, *train))

  def fixed_epochs(self, task: Task) -> list[str]:
    """Returns the settings of epochs that `min_steps` must not raise, because the user set them."""
    return sorted(self.said & set(task.params.names_with(Role.EPOCHS)))


if TYPE_CHECKING:
  PipelineConfig = _Config
else:
  PipelineConfig = pydantic.create_model(
    "PipelineConfig",
    __base__=_Config,
    __doc__=_Config.__doc__,
    __module__=__name__,
    **{name: (section_of(name), section_of(name)()) for name in ORCHESTRATORS},
  )
