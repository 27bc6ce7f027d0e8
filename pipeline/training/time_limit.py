"""Fits a training into a time: its schedules run by the clock and come down when the time is up.

Nobody has to know how long a step takes. The rate at a moment is that of the schedule at the part
of the time that has passed, so a training that is cut short is annealed all the same.

Source: Li, Yumer and Ramanan 2020, "Budgeted Training: Rethinking Deep Neural Network Training
Under Resource Constraints", https://arxiv.org/abs/1905.04753
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from dlpipe import progress
from pipeline.task import Phase
from pipeline.training.training_record import ENDED_BY, MINUTES

# Epochs that the user did not set: time alone should not make a small data set train for hours.
_MOST_LONGER = 4


class TimeLimit:
  """The time of one training, shared by its phases."""

  def __init__(
    self,
    minutes: float,
    *,
    fixed_epochs: Collection[str] = (),
    clock: Callable[[], float] = time.monotonic,
  ):
    """Starts the clock.

    Args:
      minutes: the most minutes to train.
      fixed_epochs: settings of epochs that hold; other phases get up to four times their epochs.
      clock: the time in seconds.
    """
    self._left_s = 60 * minutes
    self._fixed = fixed_epochs
    self.clock = clock
    self._started = clock()
    self._shares: list[float] = []
    self._names: list[str] = []
    self._used: dict[str, float] = {}

  def begin(
    self, phases: Sequence[Phase], steps: int, history: Sequence[Mapping[str, Any]]
  ) -> None:
    """Shares the time between the phases.

    A phase gets time by its epochs, but at least half of an equal share: its steps may be dear.

    Args:
      phases: the phases.
      steps: the steps of an epoch.
      history: the rows of a training that goes on after a kill; their time has been used.
    """
    epochs = [max(phase.epochs, phase.min_steps / steps) for phase in phases]
    least = 1 / (2 * len(phases))
    self._shares = [max(each / sum(epochs), least) for each in epochs]
    self._names = [phase.name for phase in phases]
    self._used = dict.fromkeys(self._names, 0.0)
    for row in history:
      self._used[row["phase"]] += row["seconds"]
      self._left_s -= row["seconds"]

  def most_epochs(self, phase: Phase, epochs: int) -> int:
    """Returns the most epochs of a phase for which so many are planned."""
    is_fixed = phase.epochs_setting is None or phase.epochs_setting in self._fixed
    return epochs if is_fixed else _MOST_LONGER * epochs

  def seconds_of(self, index: int) -> tuple[float, float]:
    """Returns the seconds that a phase has used before, and those that it may still use."""
    left = self._left_s - (self.clock() - self._started)
    share = self._shares[index] / sum(self._shares[index:])
    return self._used[self._names[index]], max(left * share, 0.0)


class _ByClock(keras.optimizers.schedules.LearningRateSchedule):
  """A schedule that is as far as its steps or its time, whichever is further."""

  def __init__(
    self, schedule: keras.optimizers.schedules.LearningRateSchedule, steps: int, passed: tf.Variable
  ):
    self._schedule, self._steps, self._passed = schedule, steps, passed

  def __call__(self, step: Any) -> Any:
    by_time = self._passed * self._steps
    return self._schedule(tf.maximum(tf.cast(step, tf.float32), by_time))

  def get_config(self) -> dict[str, Any]:
    raise NotImplementedError("A schedule by the clock belongs to one training.")


class PhaseClock(keras.callbacks.Callback):
  """Ends a phase when its time is up, in the middle of an epoch if need be, and validates it.

  It must come after the callback that fills the history.
  """

  def __init__(
    self,
    limit: TimeLimit,
    index: int,
    *,
    steps: int,
    epochs: int,
    val_part: float,
    history: list[dict[str, Any]],
  ):
    """Prepares a phase; call it in the scope of the strategy.

    Args:
      limit: the training's time.
      index: the phase's place.
      steps: the steps of an epoch.
      epochs: the most epochs.
      val_part: rows of val to rows of train.
      history: the rows of epochs.
    """
    super().__init__()
    self._limit, self._index = limit, index
    self._steps, self._epochs, self._val_part = steps, epochs, val_part
    self._history = history
    self._passed = tf.Variable(0.0, trainable=False, name="passed_time")
    self._before_s = self._whole_s = self._began = 0.0
    self._epoch_began = self._val_began = 0.0
    self._step_s = 0.0
    self._val_s: float | None = None
    self._has_ended = False

  def schedule(
    self, schedule: keras.optimizers.schedules.LearningRateSchedule
  ) -> keras.optimizers.schedules.LearningRateSchedule:
    """Returns the schedule by this clock."""
    return _ByClock(schedule, self._steps * self._epochs, self._passed)

  def on_train_begin(self, logs: Any = None) -> None:
    """Starts the phase's time."""
    self._before_s, left_s = self._limit.seconds_of(self._index)
    self._whole_s = self._before_s + left_s
    self._began = self._limit.clock()
    self._move_on()

  def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
    """Starts the epoch's time."""
    self._epoch_began = self._limit.clock()

  def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
    """Moves the schedule on; ends training when only the time to validate is left."""
    self._step_s = (self._limit.clock() - self._epoch_began) / (batch + 1)
    self._move_on()
    if self._left_to_train_s() <= 0:
      self._end()

  def on_test_begin(self, logs: Any = None) -> None:
    """Starts the time of a validation."""
    self._val_began = self._limit.clock()

  def on_test_end(self, logs: Any = None) -> None:
    """Remembers how long validation takes."""
    self._val_s = self._limit.clock() - self._val_began

  def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
    """Marks the epoch that the time ended; begins none that has no time for a step."""
    if epoch + 1 < self._epochs and self._left_to_train_s() < self._step_s:
      self._end()
    if self._has_ended:
      row = self._history[-1]
      row[ENDED_BY] = MINUTES
      progress.report(f"{row['phase']}: the time is up ({MINUTES})", epoch=epoch + 1)

  def seconds_left(self) -> float:
    """Returns the seconds that the phase may still use."""
    return max(self._whole_s - self._used_s(), 0.0)

  def _end(self) -> None:
    self._has_ended = True
    self.model.stop_training = True

  def _left_to_train_s(self) -> float:
    return self._time_to_train_s() - self._used_s()

  def _time_to_train_s(self) -> float:
    """Returns the phase's time without its next validation."""
    # Before the first one, as if a row cost as much as in training.
    expected = self._step_s * self._steps * self._val_part
    return self._whole_s - (expected if self._val_s is None else self._val_s)

  def _used_s(self) -> float:
    return self._before_s + self._limit.clock() - self._began

  def _move_on(self) -> None:
    self._passed.assign(min(self._used_s() / max(self._time_to_train_s(), 1e-9), 1.0))
