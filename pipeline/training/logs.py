"""Makes the logs of a training step one flat dictionary, whose numbers wait until they are read."""

from __future__ import annotations

import collections
from collections.abc import Iterator, Mapping
from typing import Any

import keras
import tensorflow as tf

from dlpipe.errors import BadInputError


class StepLogs(collections.UserDict[str, float]):
  """Logs of a step, as numbers. Reading one waits for the step, which a GPU may not have ended."""

  def __getitem__(self, name: str) -> float:
    """Returns the number, when it is known."""
    return float(self.data[name])


class StepCallbacks(keras.callbacks.CallbackList):
  """Calls callbacks after each step with `StepLogs`.

  Keras makes the logs numbers after each step, so that the next one waits until a GPU is idle.
  """

  def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
    """Calls each callback after a step of training."""
    told = StepLogs(logs or {})
    for callback in self.callbacks:
      callback.on_train_batch_end(batch, logs=told)

  def on_test_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
    """Calls each callback after a step of validation."""
    told = StepLogs(logs or {})
    for callback in self.callbacks:
      callback.on_test_batch_end(batch, logs=told)


def flat(logs: Any, step: str) -> dict[str, tf.Tensor]:
  """Flattens nested logs, as Keras does, and replaces metrics by their results.

  A name that occurs in several groups gets its group's name as a prefix, as in `head_accuracy`.

  Args:
    logs: the result of the step: numbers, metrics and dictionaries of such, by name.
    step: name of the step, for errors.

  Raises:
    BadInputError: `logs` is not a dictionary, or a value is not a single number.
  """
  if not isinstance(logs, Mapping):
    raise BadInputError(
      f"{step} must return a dictionary of metrics by name, such as {{'loss': loss}}. Received: "
      f"{type(logs).__name__}"
    )
  found = list(_leaves(logs, ()))
  names = [path[-1] for path, _ in found]
  values = {}
  for path, value in found:
    name = path[-1] if names.count(path[-1]) == 1 else "_".join(path)
    tensor = tf.convert_to_tensor(value)
    if tensor.shape.rank:
      raise BadInputError(
        f"{step} must return single numbers. Received: {name!r} of shape {tuple(tensor.shape)}"
      )
    values[name] = tensor
  return values


def _leaves(logs: Mapping[str, Any], above: tuple[str, ...]) -> Iterator[tuple[Any, Any]]:
  for name, value in logs.items():
    if isinstance(value, keras.Metric):
      value = value.result()
    if isinstance(value, Mapping):
      yield from _leaves(value, (*above, str(name)))
    else:
      yield (*above, str(name)), value
