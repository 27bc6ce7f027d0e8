"""Runs the training loop: trains phases, keeps the best epoch's weights, resumes after a kill."""

from __future__ import annotations

import math
import pathlib
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from dlpipe import progress
from dlpipe.errors import BadInputError
from pipeline.settings.patience import counts_from
from pipeline.task import Phase
from pipeline.training import compiling, datasets
from pipeline.training.callbacks import BestEpoch, Checkpoint, Report
from pipeline.training.freezing import FrozenFeatures, frozen
from pipeline.training.machines import workers, xla
from pipeline.training.time_limit import PhaseClock, TimeLimit
from pipeline.training.training_record import ENDED_BY


def train(
  model: keras.Model,
  *,
  phases: Sequence[Phase],
  train: datasets.Split,
  val: datasets.Split,
  compile_args: Callable[[], Mapping[str, Any]],
  batch_size: int,
  monitor: tuple[str, str],
  patience: int,
  seed: int,
  distribution: tf.distribute.Strategy,
  checkpoint_dir: pathlib.Path | None,
  log_dir: str | None,
  own_callbacks: Callable[[], Sequence[keras.callbacks.Callback]] = tuple,
  jit_compile: bool | None = None,
  features: FrozenFeatures | None = None,
  shorten: Callable[[Phase, int], int] = lambda phase, epochs: epochs,
  limit: TimeLimit | None = None,
  of: str = "",
) -> list[dict[str, Any]]:
  """Trains `model` in place and leaves the best epoch's weights in it.

  Args:
    model: built in the scope of `distribution`. If it is compiled already, it is not compiled
      again: it must have one phase that freezes nothing.
    phases: trained one after another, each with a new optimizer.
    train: the training split.
    val: the validation split, which picks the best epoch.
    compile_args: returns the task's arguments of `compile`; called once per phase.
    batch_size: examples per step, summed over all replicas.
    monitor: the metric that picks the best epoch, and "max" or "min".
    patience: a phase ends after this many epochs without a better one; only epochs in the last
      quarter of its schedule count.
    seed: seed for the order of examples.
    distribution: the strategy whose scope holds the variables.
    checkpoint_dir: folder to save each epoch in, and to resume a killed training from; None saves
      nothing.
    log_dir: receives TensorBoard event files; None writes none.
    own_callbacks: returns the task's callbacks; called once per phase.
    jit_compile: whether XLA compiles the steps. If None, the task decides, or else `xla.decide`.
    features: cached outputs of frozen layers from earlier trainings, if any.
    shorten: maps a phase and its planned epochs to the epochs to train.
    limit: the time to train in; None takes as long as the epochs take.
    of: prefix of every progress line, such as `trial 1/3: `.

  Returns:
    One row per epoch: `phase`, `epoch`, `epochs` of its schedule, `seconds`, `learning_rate` and
    Keras' own logs.

  Raises:
    BadInputError: the task's arguments of `compile` conflict with the phases or the machine.
  """
  is_compiled = model.compiled
  if is_compiled:
    compiling.require_no_other(model, phases, compile_args())
  checkpoint = Checkpoint(checkpoint_dir, model) if checkpoint_dir else None
  state = checkpoint.restore() if checkpoint else None
  history: list[dict[str, Any]] = list(state["history"]) if state else []
  best_value = -math.inf
  features = features or FrozenFeatures()
  if limit:
    limit.begin(phases, math.ceil(train.size / batch_size), history)
  for index, phase in enumerate(phases):
    if state and index < state["phase"]:
      continue
    resumed = state if state and index == state["phase"] else None
    with frozen(model, phase, (train, val), features) as (trained, (phase_train, phase_val)):
      steps = math.ceil(phase_train.size / batch_size)
      epochs = shorten(phase, max(phase.epochs, math.ceil(phase.min_steps / steps)))
      if limit and trained.trainable_variables:
        epochs = limit.most_epochs(phase, epochs)
      elif epochs > phase.epochs and not resumed:
        progress.report(
          f"{of}{phase.name}: {phase.epochs} epochs are {phase.epochs * steps} steps; trained "
          f"for {epochs} (model.min_steps)",
          epochs=epochs,
        )
      arguments = dict(compile_args())
      asked = trained.jit_compile if is_compiled else arguments.pop("jit_compile", None)
      with distribution.scope():
        clock = limit and PhaseClock(
          limit,
          index,
          steps=steps,
          epochs=epochs,
          val_part=phase_val.size / phase_train.size,
          history=history,
        )
        if not is_compiled:
          schedule = compiling.schedule_of(phase, steps * epochs)
          compiling.compile_phase(
            trained, arguments, schedule=clock.schedule(schedule) if clock else schedule, of=of
          )
        if trained.optimizer is not None and not trained.optimizer.built:
          trained.optimizer.build(trained.trainable_variables)
      optimizers = compiling.Optimizers(trained)
      best = BestEpoch(
        model,
        monitor=monitor,
        patience=patience,
        counts_from=counts_from(epochs),
      )
      if index and not resumed:
        # A later phase starts from the best epoch so far, and must improve on it.
        best.start_from(best_value)
      first_epoch = 0
      if resumed and checkpoint:
        first_epoch = checkpoint.restore_phase(optimizers, best)
        progress.report(
          f"{phase.name}: going on after epoch {first_epoch} of {epochs}", epoch=first_epoch
        )
      # The task's callbacks come first, so that all others see the logs that they add.
      callbacks = [
        *own_callbacks(),
        Report(
          phase=phase.name,
          epochs=epochs,
          steps=steps,
          rows=phase_train.size,
          history=history,
          of=of,
          seconds_left=clock.seconds_left if clock else None,
        ),
        *([clock] if clock else []),
        best,
      ]
      if log_dir:
        events = keras.callbacks.TensorBoard(f"{log_dir}/{phase.name}", write_graph=False)
        callbacks.insert(-2, events)
      if checkpoint:
        callbacks.append(checkpoint.callback(index, optimizers, best, history))
      is_over = resumed is not None and ENDED_BY in history[-1]
      if first_epoch < epochs and not best.exhausted and not is_over:
        label = compiling.labelled(trained)
        _fit(
          trained,
          distribution,
          asked=asked if jit_compile is None else jit_compile,
          train=label(phase_train.batches(batch_size, seed)),
          val=label(phase_val.batches(max(batch_size, 256), None)),
          initial_epoch=first_epoch,
          epochs=epochs,
          callbacks=callbacks,
        )
      best.restore()
      best_value = best.value
  return history


def _fit(
  model: keras.Model,
  distribution: tf.distribute.Strategy,
  *,
  asked: bool | str | None,
  **arguments: Any,
) -> None:
  """Trains a compiled model.

  Args:
    model: compiled.
    distribution: the strategy; several workers train with `workers.fit`.
    asked: whether XLA compiles the steps, as in `xla.fit`.
    **arguments: the other arguments of `xla.fit` and `workers.fit`.

  Raises:
    BadInputError: `asked` is True, but several workers train or a layer does not support XLA.
  """
  with compiling.watched(model), warnings.catch_warnings():
    # A phase without trainable weights is judged, not trained.
    warnings.filterwarnings("ignore", "The model does not have any trainable weights")
    if not isinstance(distribution, tf.distribute.MultiWorkerMirroredStrategy):
      xla.fit(model, asked=asked, replicas=distribution.num_replicas_in_sync, **arguments)
    elif asked is True:
      raise BadInputError("Several workers train without XLA. Leave train.jit_compile out.")
    else:
      workers.fit(model, strategy=distribution, **arguments)
