"""Asks a compiled model for its metrics of val before the first epoch: an epoch may take hours."""

from __future__ import annotations

import keras
import tensorflow as tf

from dlpipe.errors import BadInputError
from pipeline.training.faults.traced import listed


def look_at_val(
  model: keras.Model, val: tf.data.Dataset, monitor: str, *, may_be_added: bool
) -> None:
  """Runs the test step on the first batch of val.

  Args:
    model: compiled.
    val: whole batches.
    monitor: the metric that picks the best epoch, such as `val_accuracy`.
    may_be_added: whether callbacks of the task could add it to the logs.

  Raises:
    BadInputError: the step has no such metric.
  """
  batches = getattr(model, "steps_per_execution", 1) or 1
  logs = model.evaluate(val.take(batches), return_dict=True, verbose=0)
  if not may_be_added:
    require_monitor(monitor, [f"val_{name}" for name in logs])


def require_monitor(monitor: str, names: list[str]) -> None:
  """Checks that the metric that picks the best epoch is there.

  Raises:
    BadInputError: it is not.
  """
  if monitor not in names:
    raise BadInputError(
      f"The best epoch is picked by {monitor!r}, and training has no such metric. It has: "
      f"{listed(sorted(names))}. Give a metric that name in compile_args or test_step, or pick by "
      "another: problem=PROBLEM.but(monitor=('val_loss', 'min'))."
    )
