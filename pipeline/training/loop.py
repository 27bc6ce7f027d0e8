"""Runs the training loop: trains phases, keeps the best epoch's weights, resumes after a kill."""

from __future__ import annotations

import dataclasses
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
from pipeline.training.faults.finite import Finite
from pipeline.training.faults.first_look import look_at_val
from pipeline.training.freezing import FrozenFeatures, frozen
from pipeline.training.machines import workers, xla
from pipeline.training.machines.averages import JudgedByAverages, require_one_swap
from pipeline.training.time_limit import PhaseClock, TimeLimit
from pipeline.training.training_record import BY_CALLBACK, ENDED_BY

_LEAST_VAL_BATCH = 256


@dataclasses.dataclass(kw_only=True)
class Training:
  """A model, and how it is trained; `run` trains it, once.

  Attributes:
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
  """

  model: keras.Model
  phases: Sequence[Phase]
  train: datasets.Split
  val: datasets.Split
  compile_args: Callable[[], Mapping[str, Any]]
  batch_size: int
  monitor: tuple[str, str]
  patience: int
  seed: int
  distribution: tf.distribute.Strategy
  checkpoint_dir: pathlib.Path | None
  log_dir: str | None
  own_callbacks: Callable[[], Sequence[keras.callbacks.Callback]] = tuple
  jit_compile: bool | None = None
  features: FrozenFeatures | None = None
  shorten: Callable[[Phase, int], int] = lambda phase, epochs: epochs
  limit: TimeLimit | None = None
  of: str = ""

  def run(self) -> list[dict[str, Any]]:
    """Trains the model in place and leaves the best epoch's weights in it.

    Returns:
      One row per epoch: `phase`, `epoch`, `epochs` of its schedule, `seconds`, `learning_rate` and
      Keras' own logs.

    Raises:
      BadInputError: the task's arguments of `compile` conflict with the phases or the machine.
    """
    is_compiled = self.model.compiled
    if is_compiled:
      compiling.require_no_other(self.model, self.phases, self.compile_args())
    checkpoint = Checkpoint(self.checkpoint_dir, self.model) if self.checkpoint_dir else None
    state = checkpoint.restore() if checkpoint else None
    history: list[dict[str, Any]] = list(state["history"]) if state else []
    best_value = -math.inf
    features = self.features or FrozenFeatures()
    if self.limit:
      self.limit.begin(self.phases, math.ceil(self.train.size / self.batch_size), history)
    for index, phase in enumerate(self.phases):
      if state and index < state["phase"]:
        continue
      is_resumed = bool(state and index == state["phase"])
      with frozen(self.model, phase, (self.train, self.val), features) as (trained, splits):
        one = _PhaseRun(self, phase, index, trained, *splits, history, checkpoint)
        one.plan(is_resumed=is_resumed)
        one.compile(is_compiled=is_compiled)
        best_value = one.train(is_resumed=is_resumed, so_far=best_value)
    return history


class _PhaseRun:
  """One phase of a training: `plan`, then `compile`, then `train`."""

  def __init__(
    self,
    training: Training,
    phase: Phase,
    index: int,
    model: keras.Model,
    train: datasets.Split,
    val: datasets.Split,
    history: list[dict[str, Any]],
    checkpoint: Checkpoint | None,
  ):
    """Takes the model and the splits as the phase sees them: without its frozen first layers."""
    self._training, self._phase, self._index = training, phase, index
    self._model, self._train, self._val = model, train, val
    self._history, self._checkpoint = history, checkpoint
    self._steps = math.ceil(train.size / training.batch_size)
    self._epochs = 0
    self._asked: bool | str | None = None
    self._clock: PhaseClock | None = None
    self._finite: Finite | None = None
    self._has_own_callbacks = False

  def plan(self, *, is_resumed: bool) -> None:
    """Decides on the number of epochs."""
    training, phase, steps = self._training, self._phase, self._steps
    epochs = training.shorten(phase, max(phase.epochs, math.ceil(phase.min_steps / steps)))
    if training.limit and self._model.trainable_variables:
      epochs = training.limit.most_epochs(phase, epochs)
    elif epochs > phase.epochs and not is_resumed:
      progress.report(
        f"{training.of}{phase.name}: {phase.epochs} epochs are {phase.epochs * steps} steps; "
        f"trained for {epochs} (model.min_steps)",
        epochs=epochs,
      )
    self._epochs = epochs

  def compile(self, *, is_compiled: bool) -> None:
    """Compiles the model unless the task did, and makes the optimizer's variables."""
    training, model = self._training, self._model
    arguments = dict(training.compile_args())
    self._asked = model.jit_compile if is_compiled else arguments.pop("jit_compile", None)
    with training.distribution.scope():
      if training.limit:
        self._clock = PhaseClock(
          training.limit,
          self._index,
          steps=self._steps,
          epochs=self._epochs,
          val_part=self._val.size / self._train.size,
          history=self._history,
        )
      if not is_compiled:
        schedule = compiling.schedule_of(self._phase, self._steps * self._epochs)
        if self._clock:
          schedule = self._clock.schedule(schedule)
        compiling.compile_phase(model, arguments, schedule=schedule, of=training.of)
      if model.optimizer is not None and not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)

  def train(self, *, is_resumed: bool, so_far: float) -> float:
    """Trains, and leaves the best epoch's weights in the model.

    Args:
      is_resumed: whether the phase goes on from a checkpoint.
      so_far: the best value of the phases before.

    Returns:
      The best value.
    """
    training, epochs = self._training, self._epochs
    optimizers = compiling.Optimizers(self._model)
    best = BestEpoch(
      training.model,
      monitor=training.monitor,
      patience=training.patience,
      counts_from=counts_from(epochs),
    )
    if self._index and not is_resumed:
      # A later phase starts from the best epoch so far, and must improve on it.
      best.start_from(so_far)
    first_epoch = 0
    if is_resumed and self._checkpoint:
      first_epoch = self._checkpoint.restore_phase(optimizers, best)
      progress.report(
        f"{self._phase.name}: going on after epoch {first_epoch} of {epochs}", epoch=first_epoch
      )
    callbacks = self._callbacks(best)
    if self._checkpoint:
      callbacks.append(self._checkpoint.callback(self._index, optimizers, best, self._history))
    is_over = is_resumed and ENDED_BY in self._history[-1]
    if first_epoch < epochs and not best.exhausted and not is_over:
      label, batch_size = compiling.labelled(self._model), training.batch_size
      _fit(
        self._model,
        training.distribution,
        asked=self._asked if training.jit_compile is None else training.jit_compile,
        train=label(self._train.batches(batch_size, training.seed)),
        val=label(self._val.batches(max(batch_size, _LEAST_VAL_BATCH), None)),
        initial_epoch=first_epoch,
        epochs=epochs,
        callbacks=callbacks,
        monitor=training.monitor[0],
        may_be_added=self._has_own_callbacks,
      )
      self._say_who_ended(best)
    best.restore()
    return best.value

  def _say_who_ended(self, best: BestEpoch) -> None:
    """Records why the phase has fewer epochs than planned, unless it was for `train.patience`."""
    rows = [row for row in self._history if row["phase"] == self._phase.name]
    if not rows:  # a callback may end a phase before its first epoch
      return
    row = rows[-1]
    if row["epoch"] < self._epochs and ENDED_BY not in row and not best.exhausted:
      row[ENDED_BY] = (self._finite and self._finite.found) or BY_CALLBACK

  def _callbacks(self, best: BestEpoch) -> list[keras.callbacks.Callback]:
    training, clock = self._training, self._clock
    report = Report(
      phase=self._phase.name,
      epochs=self._epochs,
      steps=self._steps,
      rows=self._train.size,
      history=self._history,
      of=training.of,
      seconds_left=clock.seconds_left if clock else None,
    )
    own = training.own_callbacks()
    self._has_own_callbacks = bool(own)
    self._finite = Finite(self._phase.name, best)
    require_one_swap(own)
    compiling.require_obeyed(self._model, own, training.monitor[0])
    # The task's callbacks come first, so that all others see the logs that they add.
    callbacks = [JudgedByAverages(), *own, self._finite, report, *([clock] if clock else []), best]
    if training.log_dir:
      folder = f"{training.log_dir}/{self._phase.name}"
      callbacks.insert(-2, keras.callbacks.TensorBoard(folder, write_graph=False))
    return callbacks


def _fit(
  model: keras.Model,
  distribution: tf.distribute.Strategy,
  *,
  asked: bool | str | None,
  monitor: str,
  may_be_added: bool,
  **arguments: Any,
) -> None:
  """Trains a compiled model.

  Args:
    model: compiled.
    distribution: the strategy; several workers train with `workers.fit`.
    asked: whether XLA compiles the steps, as in `xla.fit`.
    monitor: the metric that picks the best epoch.
    may_be_added: whether callbacks of the task could add it to the logs.
    **arguments: the other arguments of `xla.fit` and `workers.fit`.

  Raises:
    BadInputError: `asked` is True, but several workers train or a layer does not support XLA; or
      the metric that picks the best epoch is missing.
  """
  with compiling.watched(model), warnings.catch_warnings():
    # A phase without trainable weights is judged, not trained.
    warnings.filterwarnings("ignore", "The model does not have any trainable weights")
    # `watched` reports them.
    warnings.filterwarnings("ignore", "Gradients do not exist for variables")
    if not isinstance(distribution, tf.distribute.MultiWorkerMirroredStrategy):
      val = arguments["val"]
      xla.fit(
        model,
        asked=asked,
        replicas=distribution.num_replicas_in_sync,
        first=lambda: look_at_val(model, val, monitor, may_be_added=may_be_added),
        **arguments,
      )
    elif asked is True:
      raise BadInputError("Several workers train without XLA. Leave train.jit_compile out.")
    else:
      workers.fit(model, strategy=distribution, **arguments)
