"""A learning rate that rises before it follows its schedule: large first steps spoil attention."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf


class WarmUp(keras.optimizers.schedules.LearningRateSchedule):
  """Follows a schedule, from nothing on in the first part of its steps.

  Args:
    schedule: a cosine.
    part: part of the schedule's steps in which the rate rises linearly, 0 to 1.
  """

  def __init__(self, schedule: keras.optimizers.schedules.CosineDecay, part: float):
    self._schedule, self._part = schedule, part

  def __call__(self, step: Any) -> tf.Tensor:
    """Returns the rate of a step."""
    rising = max(self._part * self._schedule.decay_steps, 1.0)
    return self._schedule(step) * tf.minimum((tf.cast(step, tf.float32) + 1) / rising, 1.0)

  def get_config(self) -> dict[str, Any]:
    """Returns the arguments."""
    return {"schedule": self._schedule, "part": self._part}
