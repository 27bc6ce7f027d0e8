"""Implements `fit` for several workers; each is a process with its own `TF_CONFIG`.

Keras 3's own `fit` refuses tf.distribute.MultiWorkerMirroredStrategy:
https://github.com/keras-team/keras/issues/20585. This one calls the model's `train_step` and
`test_step` in the strategy, as `fit` does for a single worker, and the same callbacks.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from pipeline.training.logs import StepCallbacks


def fit(
  model: keras.Model,
  *,
  strategy: tf.distribute.Strategy,
  train: tf.data.Dataset,
  val: tf.data.Dataset,
  initial_epoch: int,
  epochs: int,
  callbacks: Sequence[keras.callbacks.Callback],
) -> None:
  """Trains a compiled model on all workers at once; every worker must call it with equal arguments.

  Args:
    model: built and compiled in the scope of `strategy`.
    strategy: the strategy of several workers.
    train: whole batches, the same on every worker; each worker takes its part. Batches with fewer
      rows than replicas are skipped.
    val: as `train`.
    initial_epoch: number of the first epoch, from 0.
    epochs: the number after the last epoch.
    callbacks: receive the same logs on every worker: the mean over all replicas.
  """
  train_part, val_part = (
    strategy.distribute_datasets_from_function(functools.partial(_part, data))
    for data in (train, val)
  )
  train_step, test_step = (_step(strategy, model, name) for name in ("train_step", "test_step"))
  told = StepCallbacks(list(callbacks), model=model, epochs=epochs, verbose=0)
  model.stop_training = False
  told.on_train_begin()
  for epoch in range(initial_epoch, epochs):
    model.reset_metrics()
    told.on_epoch_begin(epoch)
    logs = _pass(
      train_step, train_part, lambda step, logs: told.on_train_batch_end(step, _of_one(logs))
    )
    seen = _mean(strategy, logs)
    model.reset_metrics()
    told.on_test_begin()
    judged = _mean(strategy, _pass(test_step, val_part, lambda step, logs: None))
    told.on_test_end(judged)
    told.on_epoch_end(epoch, {**seen, **{f"val_{name}": value for name, value in judged.items()}})
    if model.stop_training:
      break
  told.on_train_end()


def _part(data: tf.data.Dataset, context: tf.distribute.InputContext) -> tf.data.Dataset:
  """Returns this worker's part of every batch, one element per replica."""
  replicas = context.num_replicas_in_sync
  own = replicas // context.num_input_pipelines
  first = context.input_pipeline_id * own

  def rows(batch: Any) -> tf.Tensor:
    return tf.shape(tf.nest.flatten(batch)[0])[0]

  def parts(*batch: Any) -> tf.data.Dataset:
    elements = [
      tf.data.Dataset.from_tensors(tf.nest.map_structure(lambda x, i=i: x[i::replicas], batch))
      for i in range(first, first + own)
    ]
    return functools.reduce(lambda joined, element: joined.concatenate(element), elements)

  return data.filter(lambda *batch: rows(batch) >= replicas).flat_map(parts).prefetch(2)


def _step(
  strategy: tf.distribute.Strategy, model: keras.Model, name: str
) -> Callable[[Any], dict[str, Any]]:
  function = getattr(model, name)

  @tf.function(reduce_retracing=True)
  def step(batch: Any) -> dict[str, Any]:
    return strategy.run(function, args=(batch,))

  return step


def _pass(
  step: Callable[[Any], dict[str, Any]],
  data: Any,
  after: Callable[[int, dict[str, Any]], None],
) -> dict[str, Any]:
  """Runs a step for each batch; returns the last logs, which are means over the whole pass."""
  logs: dict[str, Any] = {}
  for number, batch in enumerate(data):
    logs = step(batch)
    after(number, logs)
  return logs


def _mean(strategy: tf.distribute.Strategy, logs: dict[str, Any]) -> dict[str, float]:
  return {
    name: float(strategy.reduce(tf.distribute.ReduceOp.MEAN, value, axis=None))
    for name, value in sorted(logs.items())
  }


def _of_one(logs: dict[str, Any]) -> dict[str, Any]:
  """Returns the logs of the first replica."""
  return {name: tf.nest.flatten(value)[0] for name, value in logs.items()}
