"""Builds and trains a task's model: the Trainer and each trial of the Tuner call `learn`."""

from __future__ import annotations

import dataclasses
import pathlib
import time
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf
import tensorflow_transform as tft

from components.training_base import Base
from dlpipe import progress
from dlpipe.dotted_paths import load_function
from dlpipe.errors import BadInputError
from pipeline.params import Params
from pipeline.task import Phase, Task
from pipeline.training import datasets, loop
from pipeline.training.class_weights import ClassWeights, RequireAsked, class_weights
from pipeline.training.faults.own_code import own_code
from pipeline.training.faults.rehearse import rehearse
from pipeline.training.freezing import FrozenFeatures
from pipeline.training.machines import precision
from pipeline.training.time_limit import TimeLimit
from pipeline.training.training_record import MINUTES
from pipeline.training.warm.start import Start, begin

if TYPE_CHECKING:
  from tfx.components.trainer.fn_args_utils import FnArgs

_ROWS_TO_BUILD_BY = 2


@dataclasses.dataclass(frozen=True, kw_only=True)
class Learned:
  """A trained model.

  Attributes:
    model: the model, with the best epoch's weights.
    precision: Keras' dtype policy, such as `float32`.
    phases: the phases as the task planned them.
    history: one row per epoch.
    weights: the weights of the classes; None if all count alike.
    start: how the training began.
    adapt_seconds: what `adapt` took before the first epoch.
  """

  model: keras.Model
  precision: str
  phases: list[Phase]
  history: list[dict[str, Any]]
  weights: ClassWeights | None = None
  start: Start = dataclasses.field(default_factory=Start)
  adapt_seconds: float = 0.0


def learn(
  task: Task,
  config: Mapping[str, Any],
  params: Params,
  tft_output: tft.TFTransformOutput,
  splits: tuple[datasets.Split, datasets.Split],
  *,
  distribution: tf.distribute.Strategy,
  checkpoint_dir: pathlib.Path | None = None,
  log_dir: str | None = None,
  features: FrozenFeatures | None = None,
  shorten: Callable[[int], int] = int,
  after_epoch: Callable[[Mapping[str, float]], None] | None = None,
  of: str = "",
) -> Learned:
  """Builds a task's model and trains it.

  Args:
    task: the task whose functions are called.
    config: a Trainer's `custom_config`.
    params: the settings to train with.
    tft_output: the transform graph.
    splits: train and val.
    distribution: the strategy whose scope holds the variables.
    checkpoint_dir: as in `loop.Training`.
    log_dir: as in `loop.Training`.
    features: as in `loop.Training`.
    shorten: maps the planned epochs of a phase to the epochs to train.
    after_epoch: is told the logs of each epoch; an error that it raises ends the training.
    of: prefix of every progress line.

  Raises:
    BadInputError: the model could not be served, or cannot be trained as the settings ask.
  """
  settings = config["train"]
  # XLA on a CPU has no products of bfloat16.
  pays = config.get("bfloat16_pays", False) and not settings["jit_compile"]
  dtype_policy = precision.set_policy(settings["mixed_precision"], pays_on_cpu=pays)
  if settings["mixed_precision"] is None and dtype_policy != "float32":
    half = dtype_policy.removeprefix("mixed_")
    progress.report(
      f"{of}layers compute in {half}, faster here; train.mixed_precision=false: float32", epoch=0
    )
  # Seeded here, so that earlier random draws do not change the initial weights.
  keras.utils.set_random_seed(settings["seed"])
  limit = _time_limit(settings["minutes"], config["fixed_epochs"], distribution, of)
  train, val = splits
  weights = class_weights(task.problem, settings["class_weights"], train, tft_output)
  build_model = load_function(task.build_model)
  with distribution.scope(), own_code(build_model, "The model of build_model"):
    model = build_model(params, tft_output)
    _build(model, train)
    rehearse(task.problem, model, tft_output, train)
  with distribution.scope():
    start = begin(task, settings, Base.of(config), model, tft_output)
  started = time.monotonic()
  if task.adapt:
    batches = train.batches(params.batch_size, None)
    load_function(task.adapt)(params, model, weights.beside(batches) if weights else batches)
  adapt_seconds = time.monotonic() - started
  callbacks = load_function(task.callbacks) if task.callbacks else None

  def compile_args() -> Mapping[str, Any]:
    arguments = load_function(task.problem.compile_args)(params)
    return arguments if weights is None else weights.compiled(arguments)

  def own_callbacks() -> list[keras.callbacks.Callback]:
    own = callbacks(params) if callbacks else ()
    found = [*own, *([RequireAsked()] if weights else [])]
    if after_epoch:
      tell = after_epoch
      found.append(keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: tell(logs)))
    return found

  phases = start.phases(_phases(task, params, config["fixed_epochs"]))
  training = loop.Training(
    model=model,
    compile_args=compile_args,
    batch_size=params.batch_size,
    monitor=task.problem.monitor,
    patience=settings["patience"],
    seed=settings["seed"],
    own_callbacks=own_callbacks,
    jit_compile=settings["jit_compile"],
    shorten=lambda phase, epochs: start.shorten(phase, shorten(epochs), config["fixed_epochs"]),
    limit=limit,
    of=of,
    phases=phases,
    train=train,
    val=val,
    distribution=distribution,
    checkpoint_dir=checkpoint_dir,
    log_dir=log_dir,
    features=features,
  )
  with own_code(build_model, "Training"):
    history = training.run()
  precision.to_float32(model)
  return Learned(
    model=model,
    precision=dtype_policy,
    phases=phases,
    history=history,
    weights=weights,
    start=start,
    adapt_seconds=adapt_seconds,
  )


def best_value(history: list[dict[str, Any]], monitor: tuple[str, str]) -> float:
  """Returns the monitored metric of the best epoch; nan if no epoch has a number."""
  metric, mode = monitor
  values = [row[metric] for row in history if row[metric] == row[metric]]
  return (max if mode == "max" else min)(values, default=float("nan"))


def load_splits(
  fn_args: FnArgs, task: Task, tft_output: tft.TFTransformOutput, *, cache_mb: int
) -> tuple[datasets.Split, datasets.Split]:
  """Loads the training and the validation split of a Trainer or a Tuner."""
  transform = datasets.transform_fn(tft_output)
  train, val = (
    datasets.load_split(
      files,
      transform,
      label_id_key=task.problem.label_id_key,
      cache_mb=cache_mb,
      cache_dtypes={**task.cache_dtypes, **task.problem.cache_dtypes},
      sequence_keys=task.sequence_keys,
      left_out=task.left_out(),
    )
    for files in (fn_args.train_files, fn_args.eval_files)
  )
  return train, val


def _time_limit(
  minutes: float | None,
  fixed_epochs: Collection[str],
  distribution: tf.distribute.Strategy,
  of: str,
) -> TimeLimit | None:
  """Starts the clock of a training within `train.minutes`; None without a limit.

  Raises:
    BadInputError: several workers train, whose clocks differ.
  """
  if minutes is None:
    return None
  if isinstance(distribution, tf.distribute.MultiWorkerMirroredStrategy):
    raise BadInputError(
      f"{MINUTES} is for one process, and several workers train. Set train.epochs instead."
    )
  progress.report(
    f"{of}trained for at most {minutes:g} minutes; the learning rate comes down with the time "
    f"({MINUTES})",
    epoch=0,
  )
  return TimeLimit(minutes, fixed_epochs=fixed_epochs)


def _build(model: keras.Model, train: datasets.Split) -> None:
  """Builds a model that creates its weights only when it sees its first input.

  Raises:
    BadInputError: `build_model` returned no model.
  """
  if not isinstance(model, keras.Model):
    raise BadInputError(
      f"build_model must return a keras.Model. Received: {type(model).__module__}."
      f"{type(model).__qualname__}"
    )
  if not model.built or not model.weights:
    [(inputs, _)] = train.batches(_ROWS_TO_BUILD_BY, None).take(1)
    model(inputs)


def _phases(task: Task, params: Params, fixed_epochs: Collection[str]) -> list[Phase]:
  """Returns the task's phases; `min_steps` does not raise epochs that the user set."""
  return [
    dataclasses.replace(phase, min_steps=0) if phase.epochs_setting in fixed_epochs else phase
    for phase in load_function(task.training_plan)(params)
  ]
