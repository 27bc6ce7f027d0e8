"""Builds the function that a served model answers with: calls the model, then forms its outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf
import tensorflow_transform as tft

from dlpipe.dotted_paths import load_function
from pipeline.problems.calibration import Calibration
from pipeline.task import Task
from pipeline.training import datasets
from pipeline.training.export import calibrating, signatures
from pipeline.training.export.certain import Certain


def answering(
  task: Task,
  model: keras.Model,
  tft_output: tft.TFTransformOutput,
  options: Mapping[str, Any],
  calibration: Calibration | None = None,
  certain: Certain | None = None,
) -> signatures.Outputs:
  """Returns the in-graph function from transformed features to the outputs of `serving_default`.

  Args:
    task: the model's task.
    model: the trained model.
    tft_output: the transform graph.
    options: the data options that the model was trained with; the problem's `answer` reads them.
    calibration: how the model's output becomes scores; None leaves it as it is.
    certain: adds what the model does not know; None adds nothing.
  """
  problem = task.problem
  if problem.serving_outputs is not None:
    return load_function(problem.serving_outputs)(model, tft_output)
  answer = load_function(problem.answer)(tft_output, problem.vocabulary, options)

  def outputs(features: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    asked = model_inputs(task, features)
    if certain is None or certain.ask is None:
      said, evidence = model(asked, training=False), None
    else:
      said, evidence = certain.ask(asked)
    found = answer(calibrating.scaled(said, calibration, problem), features)
    return found if certain is None else dict(certain.outputs(found, features, evidence))

  return outputs


def model_inputs(task: Task, features: Mapping[str, tf.Tensor]) -> Any:
  """Returns what a model of the task reads of transformed features, as in training."""
  not_inputs = {task.problem.label_id_key, *task.left_out()}
  inputs = {name: value for name, value in features.items() if name not in not_inputs}
  return datasets.single(_cut(inputs, task.sequence_keys))


def _cut(inputs: dict[str, tf.Tensor], sequence_keys: Sequence[str]) -> dict[str, tf.Tensor]:
  """Cuts sequences to the longest row of the batch, as training does: padding only costs time."""
  sequences = [name for name in sequence_keys if name in inputs]
  if not sequences:
    return inputs
  ids = inputs[sequences[0]]
  places = tf.range(1, tf.shape(ids)[1] + 1)
  longest = tf.maximum(tf.reduce_max(tf.where(ids != 0, places, 0)), 1)
  return {
    name: tf.cast(value[:, :longest], tf.int32) if name in sequences else value
    for name, value in inputs.items()
  }
