"""Calibrates a trained model on val; the exported graph divides its outputs by the temperature."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from dlpipe import progress
from dlpipe.dotted_paths import load_function
from pipeline.problem import Problem
from pipeline.problems.calibration import (
  LEAST_OF_SIGMOID,
  LEAST_OF_SOFTMAX,
  LOGITS,
  SIGMOID,
  SOFTMAX,
  Calibration,
)
from pipeline.training.datasets import Split, traced
from pipeline.training.export import signatures

_MOST_ROWS = 4_000  # one number needs no more
_BATCH = 256
_KINDS = "pipeline.problems."


def calibrated(
  problem: Problem, model: keras.Model, val: Split, *, wanted: bool, seed: int
) -> Calibration | None:
  """Fits the temperature of a trained model, and says so.

  Args:
    problem: the kind of answer.
    model: the trained model.
    val: the validation split; up to 4,000 rows of it count.
    wanted: whether the user wants scores to be calibrated. If not, this only finds out whether the
      model ends in logits.
    seed: seed for the choice of rows.

  Returns:
    The calibration; None if the kind of answer has no scores of labels.
  """
  if problem.calibration is None or problem.serving_outputs is not None:
    return None
  signatures.without_cudnn(model)  # as it is exported
  found = _asked(model, val, seed)
  if found is None:
    calibration = Calibration(reason="the model has several outputs")
  else:
    calibration = load_function(problem.calibration)(*found, wanted=wanted)
  progress.report(f"scores {calibration.sentence}", epoch=0)
  return calibration


def scaled(said: Any, calibration: Calibration | None, problem: Problem) -> Any:
  """Divides a model's output by the temperature, in graph.

  The kinds' own `answer` takes logits, so probabilities become their logarithms. A task's own
  `answer` gets what its model gives: logits, or probabilities.

  Args:
    said: the model's output, `[batch, classes]`.
    calibration: the result of `calibrated`.
    problem: the kind of answer.
  """
  if calibration is None or (calibration.form == LOGITS and calibration.reason is not None):
    return said
  values = tf.cast(said, tf.float32)
  if calibration.form == SOFTMAX:
    values = tf.math.log(tf.maximum(values, LEAST_OF_SOFTMAX))
  elif calibration.form == SIGMOID:
    within = tf.clip_by_value(values, LEAST_OF_SIGMOID, 1 - LEAST_OF_SIGMOID)
    values = tf.math.log(within) - tf.math.log1p(-within)
  values /= calibration.temperature
  if calibration.form == LOGITS or problem.answer.startswith(_KINDS):
    return values
  return tf.nn.softmax(values) if calibration.form == SOFTMAX else tf.nn.sigmoid(values)


def _asked(model: keras.Model, val: Split, seed: int) -> tuple[np.ndarray, np.ndarray] | None:
  """Returns a model's outputs and the labels of val; None if there are several outputs."""
  ask = traced(lambda inputs: model(inputs, training=False), val, _BATCH)
  outputs, labels = [], []
  for inputs, label in val.batches(_BATCH, seed).take(-(-_MOST_ROWS // _BATCH)):
    said = ask(inputs)
    if not isinstance(said, tf.Tensor) or said.shape.rank != 2:
      return None
    outputs.append(said.numpy())
    labels.append(label.numpy())
  return np.concatenate(outputs), np.concatenate(labels)
