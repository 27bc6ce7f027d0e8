"""`Task`: all that shared code may ask of a task. A record of functions, not a base class.

A task lives in one folder, `pipeline/tasks/<name>/`, whose `task.py` defines `TASK = Task(...)`.
Shared code calls these functions and never branches on a task's name. This module imports neither
TensorFlow nor TFX, so that the command line can list tasks and validate input in milliseconds; a
`task.py` names heavy functions by dotted path for the same reason.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

from components.records import Record, Rejected, SourcePlan

Options = Mapping[str, Any]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Source:
  """One input layout a task reads.

  Attributes:
    description: one line for help and errors, such as "one folder per class".
    matches: whether the path has this layout; looks at names and first bytes only.
    plan: `(path, data options) -> SourcePlan`; raises `BadInputError` on input that cannot be used.
    read: `(shard, data options) -> records`; runs on Beam workers, must be importable by name.
    reads_tables: whether the data options `separator` and `header` are for it.
  """

  description: str
  matches: Callable[[str], bool]
  plan: Callable[[str, Options], SourcePlan]
  read: Callable[[Mapping[str, Any], Options], Iterator[Record | Rejected]]
  reads_tables: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class MetricGate:
  """A bound that a model must keep to be pushed.

  Attributes:
    metric: a metric's name as `evaluation` computes it.
    direction: whether higher or lower values are better.
    bound: the worst value that passes; None checks only the change.
    max_regression: how much worse than the latest blessed model still passes; None allows any.
    reason: why this bound, in words a reader of the report understands.
  """

  metric: str
  direction: Literal["higher", "lower"] = "higher"
  bound: float | None = None
  max_regression: float | None = None
  reason: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Phase:
  """One stretch of training at one learning-rate schedule.

  Attributes:
    name: shown in progress and history.
    epochs: the most passes over the training split.
    learning_rate: the schedule's peak.
    frozen: names of the model's layers that keep their weights. Where the first layers are frozen,
      what they compute is computed once and kept, not once an epoch.
    min_steps: small data gets more epochs, until there are this many optimizer steps, unless the
      user set how many epochs there are.
    epochs_setting: the hyperparameter that `epochs` comes from.
  """

  name: str
  epochs: int
  learning_rate: float
  frozen: tuple[str, ...] = ()
  min_steps: int = 0
  epochs_setting: str = "epochs"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Task:
  """Everything shared code asks of a task; functions by dotted path are imported when called.

  Attributes:
    name: folder, schema, pipeline name and served model name; `[a-z][a-z0-9_]*`.
    summary: one line for the command line's help.
    input_key: the raw feature a caller sends (`image`, `text`); also `serving_default`'s input.
    input_kind: whether a caller's value is `text`, or a `file` whose bytes are sent.
    label_key: the raw feature to predict; never renamed.
    label_id_key: the transformed feature that holds the label as the loss wants it.
    sequence_keys: transformed features `[time]` of token ids, 0 after their end. Batches are made
      of rows of similar length, and cut to the longest of them; the first key's length counts most.
    cache_dtypes: transformed features to smaller types that hold their values exactly; what is
      kept in memory for training is kept in these.
    vocabulary: name of the label vocabulary in the transform graph; None without classes.
    sources: input layouts by name, tried in this order.
    shipped_data: writes or finds the sample data and returns its path.
    data_options: defaults of the options that sources understand; `--set data.<name>=...` may
      change these names.
    sample_input: one command-line argument out of the shipped data, to try a model with.
    request_value: turns one command-line argument into `input_key`'s value (file bytes, text).
    preprocessing_fn: dotted path; TFX's own signature, with `custom_config`, whose
      `hyperparameters` are those of `preprocessing_hyperparameters`.
    preprocessing_hyperparameters: which hyperparameters `preprocessing_fn` reads; a change to
      another one does not run Transform again.
    build_model: dotted path; `(hyperparameters, TFTransformOutput) -> keras.Model`, uncompiled,
      from transformed features to what `loss` takes.
    adapt: dotted path; `(hyperparameters, model, batches of train) -> None` sets what a model takes
      from the data in one pass, before it learns; None sets nothing.
    compile_args: dotted path; `(hyperparameters) -> {"loss": ..., "metrics": [...]}` for Keras.
    training_plan: dotted path; `(hyperparameters) -> phases`, run one after another.
    serving_outputs: dotted path; in graph, `(model, tft_output) -> fn(transformed features) ->
      {output name: tensor}` for every signature.
    search_space: dotted path; `(keras_tuner.HyperParameters, hyperparameters) -> None` declares
      what the Tuner may vary.
    metrics: dotted path; `() -> list of TFMA MetricConfig` beyond those the gates need.
    slices: raw features to slice the evaluation by.
    transformed_slices: transformed features, strings, to slice the evaluation by; no inputs of the
      model.
    serving_keys: transformed features that only `serving_outputs` reads; no inputs of the model.
    prediction_key: the output of `serving_outputs` that the metrics judge.
    compares_raw_label: whether the metrics compare it with `label_key`, not with `label_id_key`.
    score_text: dotted path, for tasks that write text; `(predicted, label) -> float` ranks rows for
      the report, the best highest.
    monitor: the validation metric that picks the best epoch, and its mode.
    hyperparameters: defaults; `--set model.<name>=...` may change these names only, except
      that `epochs`, `batch_size` and `learning_rate`, which every task has, are `train.<name>`.
    decoding: further hyperparameters, set as `decode.<name>`, that say how a trained model turns
      what it computes into an answer. A change exports and judges the model again, and does not
      train it again.
    tiny: overrides for a run in seconds.
    lifted_epochs: the hyperparameters that count a phase's epochs and that its `min_steps` lifts
      where the user does not set them.
    unread: `(merged hyperparameters) -> {name: what to do instead}`, those that the chosen model
      has no use for; a user who sets one is refused in these words. None where all are read.
    gates: bounds to be kept before a model is pushed.
    infer_hyperparameters: `(source name, data path, data options, merged hyperparameters) ->
      overrides`; looks at the data before the pipeline is drawn, such as for a picture size where
      that is None. Raises `BadInputError` on values that cannot work.
    describe: dotted path; `(bytes of input_key) -> pipeline.checks.description.Description`, by
      which `dlpipe check` measures inputs and finds near-duplicates; None finds equal ones only.
  """

  name: str
  summary: str
  input_key: str
  input_kind: Literal["text", "file"] = "text"
  label_key: str
  label_id_key: str
  sequence_keys: tuple[str, ...] = ()
  cache_dtypes: Mapping[str, str] = dataclasses.field(default_factory=dict)
  vocabulary: str | None = None
  sources: Mapping[str, Source]
  shipped_data: Callable[[], str]
  data_options: Options = dataclasses.field(default_factory=dict)
  sample_input: Callable[[], str]
  request_value: Callable[[str], bytes | str]
  preprocessing_fn: str
  preprocessing_hyperparameters: tuple[str, ...] = ()
  build_model: str
  adapt: str | None = None
  compile_args: str
  training_plan: str
  serving_outputs: str
  search_space: str
  metrics: str
  slices: tuple[str, ...] = ()
  transformed_slices: tuple[str, ...] = ()
  serving_keys: tuple[str, ...] = ()
  prediction_key: str = "scores"
  compares_raw_label: bool = False
  score_text: str | None = None
  monitor: tuple[str, Literal["max", "min"]] = ("val_loss", "min")
  hyperparameters: Options = dataclasses.field(default_factory=dict)
  decoding: Options = dataclasses.field(default_factory=dict)
  tiny: Options = dataclasses.field(default_factory=dict)
  lifted_epochs: tuple[str, ...] = ("epochs",)
  unread: Callable[[Options], Mapping[str, str]] | None = None
  gates: tuple[MetricGate, ...] = ()
  infer_hyperparameters: Callable[[str, str, Options, Options], Options] | None = None
  describe: str | None = None
