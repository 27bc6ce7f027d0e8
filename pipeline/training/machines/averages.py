"""Averages of weights: what an optimizer with `use_ema=True` trains for.

Keras' `fit` leaves the averages in the model at its end. Training here keeps the best epoch, so the
averages are what val judges and what is kept of each epoch.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np

from dlpipe.errors import BadInputError


def averages_of(model: keras.Model) -> Sequence[Any]:
  """Returns the average of each trainable weight; empty if the optimizer keeps none."""
  optimizer: Any = getattr(model, "optimizer", None)
  optimizer = getattr(optimizer, "inner_optimizer", optimizer)  # of mixed precision
  if not getattr(optimizer, "use_ema", False) or not optimizer.built:
    return ()
  return list(optimizer._model_variables_moving_average)


@contextlib.contextmanager
def averaged(model: keras.Model) -> Iterator[None]:
  """Inside the block, the weights are their averages, if the optimizer keeps any."""
  averages = averages_of(model)
  if not averages:
    yield
    return
  weights = model.trainable_variables
  before = [np.asarray(weight) for weight in weights]
  for weight, average in zip(weights, averages, strict=True):
    weight.assign(np.asarray(average))
  try:
    yield
  finally:
    for weight, value in zip(weights, before, strict=True):
      weight.assign(value)


class JudgedByAverages(keras.callbacks.Callback):
  """Puts the averages into the model while val is read."""

  def __init__(self) -> None:
    super().__init__()
    self._block = contextlib.ExitStack()

  def on_test_begin(self, logs: Any = None) -> None:
    """Puts the averages into the model."""
    self._block.enter_context(averaged(self.model))

  def on_test_end(self, logs: Any = None) -> None:
    """Puts the weights back that training goes on with."""
    self._block.close()


def require_one_swap(callbacks: Sequence[keras.callbacks.Callback]) -> None:
  """Checks that no callback of the task swaps averages as well.

  Raises:
    BadInputError: one does.
  """
  swap = getattr(keras.callbacks, "SwapEMAWeights", None)
  if swap and any(isinstance(each, swap) for each in callbacks):
    raise BadInputError(
      "The task's callbacks have SwapEMAWeights. Leave it out: with use_ema=True, val judges the "
      "averages of the weights, and the best epoch keeps them."
    )
