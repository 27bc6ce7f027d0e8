"""Weighs the classes in training, so that rare ones count as much as common ones.

The weights multiply the loss of each row and its part in Keras' metrics. They are applied inside
the loss and the metrics, and not as `sample_weight`, so that a training step of the task's own,
several replicas and every phase heed them.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
from keras import ops

from dlpipe import progress
from dlpipe.errors import BadInputError
from pipeline.problem import Problem
from pipeline.training import datasets

_SETTING = "train.class_weights"
NONE, AUTO = "none", "auto"
# Bounds of a weight by frequency: the noise of a handful of rows should not rule the training.
_LIGHTEST, _HEAVIEST = 0.1, 10.0
_SHOWN = 8
_BATCH = 256
_ACCURACY = ("accuracy", "acc")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ClassWeights:
  """The weight of each class, in the order of the ids.

  Attributes:
    by_label: label to weight.
  """

  by_label: Mapping[str, float]

  def compiled(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Returns arguments of `compile` whose losses and metrics are weighted.

    Raises:
      BadInputError: there is no loss in them.
    """
    if not arguments.get("loss"):
      raise BadInputError(
        f"{_SETTING} multiplies the loss that compile_args returns, and there is none. Weigh the "
        "classes in the model's own loss, or leave the setting out."
      )
    weights = np.array(list(self.by_label.values()), np.float32)
    found = dict(arguments)
    found["loss"] = _each(arguments["loss"], lambda loss: WeightedLoss(loss, weights))
    found["metrics"] = _each(arguments.get("metrics"), lambda metric: _weighted(metric, weights))
    return found

  def beside(self, batches: tf.data.Dataset) -> tf.data.Dataset:
    """Returns batches of `(inputs, label, weight)` from those of `(inputs, label)`."""
    weights = np.array(list(self.by_label.values()), np.float32)
    return batches.map(lambda x, y: (x, y, _of_rows(y, weights, "float32")))


class RequireAsked(keras.callbacks.Callback):
  """Refuses a training step that does not use the weighted loss."""

  def on_train_begin(self, logs: Any = None) -> None:
    """Forgets that Keras asked for the loss when it built the model."""
    for loss in _weighted_losses(self.model):
      loss.was_asked = False

  def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
    """Checks the first step.

    Raises:
      BadInputError: the step did not ask for the loss.
    """
    losses = _weighted_losses(self.model)
    if losses and not any(loss.was_asked for loss in losses):
      raise BadInputError(
        f"{_SETTING} multiplies the loss that compile_args returns, and this model's training step "
        "does not use it. Call self.compute_loss in train_step, or weigh the classes there and "
        "leave the setting out."
      )


def class_weights(
  problem: Problem,
  wanted: str | Mapping[str, float],
  train: datasets.Split,
  tft_output: tft.TFTransformOutput,
) -> ClassWeights | None:
  """Returns the weights of the classes, and says them; None if all classes count alike.

  Args:
    problem: the kind of answer; its labels are classes.
    wanted: `none`; `auto`, the inverse of each class's frequency; or weights by label, where a
      class that is not named weighs 1.
    train: the training split.
    tft_output: the transform graph, with the vocabulary of classes.

  Raises:
    BadInputError: a label is no class of train.
  """
  if wanted == NONE or problem.vocabulary is None:
    return None
  labels = [name.decode() for name in tft_output.vocabulary_by_name(problem.vocabulary)]
  if isinstance(wanted, str):
    weights, said = _by_frequency(_counts(train, len(labels))), "by frequency "
  else:
    _require_known(wanted, labels)
    weights, said = [float(wanted.get(label, 1.0)) for label in labels], ""
  found = ClassWeights(by_label=dict(zip(labels, weights, strict=True)))
  progress.report(f"classes weigh {said}{_shown(found.by_label)} ({_SETTING})", epoch=0)
  return found


def _by_frequency(counts: np.ndarray) -> list[float]:
  """Returns `rows / (classes * rows of the class)`, within bounds; the mean over the rows is 1."""
  weights = np.clip(counts.sum() / (len(counts) * np.maximum(counts, 1)), _LIGHTEST, _HEAVIEST)
  return [float(weight) for weight in weights * counts.sum() / (weights * counts).sum()]


def _counts(train: datasets.Split, classes: int) -> np.ndarray:
  if train.arrays is not None:
    return _counted(train.arrays[1], classes)
  progress.report(f"counting the classes of {train.size:,} examples ({_SETTING})")
  labels = train.batches(_BATCH, None).map(lambda inputs, label: label)
  return sum((_counted(each, classes) for each in labels.as_numpy_iterator()), np.zeros(classes))


def _counted(labels: np.ndarray, classes: int) -> np.ndarray:
  return np.bincount(labels[labels >= 0].ravel(), minlength=classes).astype(float)


def _require_known(wanted: Mapping[str, float], labels: Sequence[str]) -> None:
  for label in wanted:
    if label not in labels:
      near = difflib.get_close_matches(label, labels, n=1)
      hint = f" Did you mean {near[0]!r}?" if near else ""
      more = f" and {len(labels) - _SHOWN:,} more" if len(labels) > _SHOWN else ""
      raise BadInputError(
        f"{_SETTING} weighs {label!r}, which is no class of train.{hint} Its classes are "
        f"{', '.join(map(repr, labels[:_SHOWN]))}{more}."
      )


def _shown(weights: Mapping[str, float]) -> str:
  ordered = sorted(weights.items(), key=lambda item: -item[1])
  if len(ordered) > _SHOWN:
    half = _SHOWN // 2
    ends = [ordered[:half], ordered[-half:]]
    return " ... ".join(", ".join(f"{n!r} {w:.3g}" for n, w in end) for end in ends)
  return ", ".join(f"{name!r} {weight:.3g}" for name, weight in ordered)


def _each(given: Any, change: Callable[[Any], Any]) -> Any:
  """Returns losses or metrics, which may be nested, each changed; None stays."""
  if isinstance(given, Mapping):
    return {name: _each(value, change) for name, value in given.items()}
  if isinstance(given, (list, tuple)):
    return [_each(value, change) for value in given]
  return None if given is None else change(given)


def _weighted_losses(model: keras.Model) -> list[WeightedLoss]:
  return [
    each
    for each in keras.tree.flatten(getattr(model, "loss", None))
    if isinstance(each, WeightedLoss)
  ]


class WeightedLoss(keras.losses.Loss):
  """A loss whose rows count by the weights of their classes."""

  def __init__(self, loss: Any, weights: np.ndarray):
    """Takes a loss as `compile` does: an object, a function or a name."""
    self._loss = keras.losses.get(loss)
    is_object = isinstance(self._loss, keras.losses.Loss)
    super().__init__(
      name=getattr(self._loss, "name", None),
      reduction=self._loss.reduction if is_object else "sum_over_batch_size",
    )
    self._rows = self._loss.call if is_object else self._loss
    self._weights = weights
    self.was_asked = False

  def call(self, y_true: Any, y_pred: Any) -> Any:
    """Computes the weighted loss of each row."""
    self.was_asked = True
    losses = self._rows(y_true, y_pred)
    if not len(losses.shape):
      raise BadInputError(
        f"{_SETTING} multiplies the loss of each row, and the loss of compile_args gives one "
        "number for the batch. Return the rows' losses, [batch]."
      )
    return losses * _of_rows(y_true, self._weights, losses.dtype)


def _of_rows(labels: Any, weights: np.ndarray, dtype: Any) -> Any:
  """Returns the weight of each row, `[batch]`; a label that train lacks weighs 1."""
  ids = ops.reshape(ops.cast(labels, "int32"), (-1,))
  # One more for the id -1.
  known = ops.convert_to_tensor(np.append(weights, 1.0), dtype=dtype)
  return ops.take(known, ops.where(ids < 0, len(weights), ids))


def _weighted(metric: Any, weights: np.ndarray) -> Any:
  """Returns the metric with weighted rows; a function of the task's own stays as it is."""
  if isinstance(metric, str):
    is_accuracy = metric in _ACCURACY
    metric = (
      keras.metrics.SparseCategoricalAccuracy(name=metric)
      if is_accuracy
      else keras.metrics.get(metric)
    )
  if not isinstance(metric, keras.Metric):
    return metric
  update_state = metric.update_state

  def weighted_update(y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
    rows = _of_rows(y_true, weights, "float32")
    return update_state(y_true, y_pred, rows if sample_weight is None else rows * sample_weight)

  metric.update_state = weighted_update
  return metric
