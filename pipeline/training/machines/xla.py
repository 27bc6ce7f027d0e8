"""Whether XLA compiles a model's steps: where a GPU is seen, by what the model and its data are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from dlpipe import progress
from dlpipe.errors import BadInputError
from pipeline.training.machines import strategy

_SETTING = "train.jit_compile"
# What TensorFlow says of a step that XLA cannot compile.
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
) -> None:
  """Trains a compiled model; one that XLA turns out not to compile is trained without it.

  Args:
    model: compiled.
    asked: True or False is obeyed; None and "auto" decide.
    replicas: how many devices train together.
    train: whole batches.
    val: whole batches.
    initial_epoch: the first epoch's number.
    epochs: the number after the last epoch's.
    callbacks: told of each epoch.

  Raises:
    BadInputError: XLA is asked for, and layers cannot be compiled.
  """
  asked = None if asked == "auto" else asked
  model.jit_compile = decide(
    model, train, asked=None if asked is None else bool(asked), replicas=replicas
  )
  done = _Done(initial_epoch)
  arguments: dict[str, Any] = {
    "validation_data": val,
    "epochs": epochs,
    "callbacks": [*callbacks, done],
    "verbose": 0,
  }
  try:
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
  """Whether XLA is to compile the model's steps; says why not, where a GPU is seen.

  Raises:
    BadInputError: it is asked for, and layers cannot be compiled.
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
  """How many epochs are done."""

  def __init__(self, epochs: int):
    super().__init__()
    self.epochs = epochs

  def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
    """Counts."""
    self.epochs = epoch + 1


def _against(model: keras.Model) -> str:
  """What of the model speaks against it, as Keras itself asks its layers; empty if nothing."""
  if model.run_eagerly:
    return "the model is compiled with run_eagerly"
  layers = [each.name for each in model._flatten_layers() if not each.supports_jit]
  return f"it does not compile the layers {', '.join(dict.fromkeys(layers))}" if layers else ""


def _shapes_vary(data: tf.data.Dataset) -> bool:
  """Whether a batch's tensors have other sizes from batch to batch, the number of rows aside."""
  shapes = [spec.shape for spec in tf.nest.flatten(data.element_spec)]
  return any(shape.rank is None or None in shape.as_list()[1:] for shape in shapes)
