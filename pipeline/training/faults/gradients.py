"""Tells which weights a loss does not teach; Keras says it in a warning that nobody sees."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from dlpipe import progress
from dlpipe.errors import BadInputError
from pipeline.training.faults.traced import listed


def watch_gradients(optimizer: keras.Optimizer) -> None:
  """Makes an optimizer's `apply` report weights without a gradient, when a step is traced.

  `del optimizer.apply` undoes it.
  """
  apply, said = optimizer.apply, set()

  def watched(grads: Sequence[Any], trainable_variables: Any = None) -> Any:
    grads = list(grads)
    if trainable_variables is None:
      variables = list(getattr(optimizer, "_trainable_variables", ()))
    else:
      variables = trainable_variables = list(trainable_variables)
    # Keras says it if their numbers differ.
    missing = [_name(v) for v, grad in zip(variables, grads, strict=False) if grad is None]
    if grads and len(missing) == len(grads):
      raise BadInputError(
        f"No weight has a gradient ({listed(missing)}), so nothing can be learned. Between the "
        "weights and the loss there is an operation without one: a cast to integers, argmax, "
        "round, a Python or NumPy function, or tf.stop_gradient."
      )
    if missing and tuple(missing) not in said:
      said.add(tuple(missing))
      progress.report(
        f"not trained, because the loss does not depend on them: {listed(missing)}", epoch=0
      )
    return apply(grads, trainable_variables)

  optimizer.apply = watched


def _name(variable: Any) -> str:
  return str(getattr(variable, "path", variable.name))
