"""Decides whether XLA compiles a model's steps: by GPU, model and data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from dlpipe import progress
from dlpipe.errors import BadInputError
from pipeline.training.logs import StepCallbacks
from pipeline.training.machines import strategy

_SETTING = "train.jit_compile"
# Words in TensorFlow's errors if XLA cannot compile a step.
_REFUSALS = ("XLA", "tf2xla", "Detected unsupported operations")


def fit(
  model: keras.Model,
  *,
  asked: bool | str | None,
  replicas: int,
  train: tf.data.Dataset,
  val: tf.data.Dataset,
  initial_epoch: int,
  epochs: int,
  callbacks: Sequence[keras.callbacks.Callback],
  first: Callable[[], None] = lambda: None,
) -> None:
  """Trains a compiled model; trains without XLA if XLA fails and `asked` did not demand it.

  Args:
    model: compiled.
    asked: whether XLA compiles the steps; None and "auto" let `decide` choose.
    replicas: number of devices that train together.
    train: whole batches.
    val: whole batches.
    initial_epoch: number of the first epoch, from 0.
    epochs: the number after the last epoch.
    callbacks: Keras callbacks.
    first: called before the first epoch, with the model as it is trained.

  Raises:
    BadInputError: `asked` is True, but XLA cannot compile a layer.
  """
  asked = None if asked == "auto" else asked
  model.jit_compile = decide(
    model, train, asked=None if asked is None else bool(asked), replicas=replicas
  )
  done = _Done(initial_epoch)
  steps = int(train.cardinality())
  told = StepCallbacks(
    [*callbacks, done],
    add_history=True,
    model=model,
    verbose=0,
    epochs=epochs,
    steps=steps if steps >= 0 else None,
  )
  arguments: dict[str, Any] = {
    "validation_data": val,
    "epochs": epochs,
    "callbacks": told,
    "verbose": 0,
  }
  try:
    first()
    model.fit(train, initial_epoch=initial_epoch, **arguments)
  except tf.errors.OpError as err:
    if asked or not model.jit_compile or not any(word in str(err) for word in _REFUSALS):
      raise
    progress.report(
      f"not compiled by XLA, which says: {err.message.strip().splitlines()[0]} ({_SETTING})",
      epoch=done.epochs,
    )
    model.jit_compile = False
    model.make_train_function(force=True)
    model.make_test_function(force=True)
    model.fit(train, initial_epoch=done.epochs, **arguments)


def decide(model: keras.Model, data: tf.data.Dataset, *, asked: bool | None, replicas: int) -> bool:
  """Returns whether XLA compiles the model's steps; if it does not on a GPU, reports why.

  Raises:
    BadInputError: `asked` is True, but XLA cannot compile a layer.
  """
  if asked is False or (asked is None and not strategy.sees_gpu()):
    return False
  reason = _against(model)
  if asked:
    if reason:
      raise BadInputError(f"XLA is asked for, but {reason}. Set {_SETTING} to false.")
    return True
  if not reason and replicas > 1:
    reason = "several devices train together"
  if not reason and _shapes_vary(data):
    reason = "the batches are of several lengths, and each would be compiled anew"
  if reason:
    progress.report(f"not compiled by XLA: {reason} ({_SETTING})", epoch=0)
  return not reason


class _Done(keras.callbacks.Callback):
  """Counts the completed epochs."""

  def __init__(self, epochs: int):
    super().__init__()
    self.epochs = epochs

  def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
    """Counts one epoch."""
    self.epochs = epoch + 1


def _against(model: keras.Model) -> str:
  """Returns why XLA cannot compile the model, from Keras' `supports_jit`; empty if it can."""
  if model.run_eagerly:
    return "the model is compiled with run_eagerly"
  layers = [each.name for each in model._flatten_layers() if not each.supports_jit]
  return f"it does not compile the layers {', '.join(dict.fromkeys(layers))}" if layers else ""


def _shapes_vary(data: tf.data.Dataset) -> bool:
  """Returns whether the shapes of batches vary in a dimension other than the rows."""
  shapes = [spec.shape for spec in tf.nest.flatten(data.element_spec)]
  return any(shape.rank is None or None in shape.as_list()[1:] for shape in shapes)
