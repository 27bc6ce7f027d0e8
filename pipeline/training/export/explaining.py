"""Builds the function behind the signature `explain`: how a task explains the model it trained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf
import tensorflow_transform as tft

from dlpipe.dotted_paths import load_function
from pipeline.explanations.target import (
  CannotExplain,
  Explanation,
  Features,
  Target,
  report_without,
)
from pipeline.problems.calibration import Calibration
from pipeline.task import Task
from pipeline.training.answering import model_inputs
from pipeline.training.export import calibrating


def explanation(
  task: Task,
  model: keras.Model,
  tft_output: tft.TFTransformOutput,
  options: Mapping[str, Any],
  calibration: Calibration | None = None,
) -> Explanation | None:
  """Returns the in-graph function from transformed features to the outputs of `explain`.

  Args:
    task: the model's task.
    model: the trained model, after `answering` has seen it.
    tft_output: the transform graph.
    options: the data options that the model was trained with.
    calibration: how the model's output becomes scores.

  Returns:
    The function; None, and the reason in the progress, if the task or the model offers no way.
  """
  if task.input.explain is None:
    return None
  try:
    return load_function(task.input.explain)(model, target(task, tft_output, options, calibration))
  except Exception as err:  # a user's model can be anything, and is served without this signature
    report_without(err)
    return None


def target(
  task: Task,
  tft_output: tft.TFTransformOutput,
  options: Mapping[str, Any],
  calibration: Calibration | None,
) -> Target:
  """Returns what is explained of a model's answers."""
  problem = task.problem
  answer = load_function(problem.answer)(tft_output, problem.vocabulary, options)
  names = tft_output.vocabulary_by_name(problem.vocabulary) if problem.vocabulary else None

  def numbers(said: Any, features: Features) -> tf.Tensor:
    if problem.serving_outputs is not None:
      raise CannotExplain("the task's own serving_outputs makes the answers")
    if not isinstance(said, tf.Tensor) or said.shape.rank != 2:
      raise CannotExplain("the model has several outputs")
    values = calibrating.scaled(said, calibration, problem)
    if names is None:
      values = answer(values, features)[problem.prediction_key][:, tf.newaxis]
    return tf.cast(values, tf.float32)

  return Target(
    features=tft_output.transformed_feature_spec().keys(),
    inputs=lambda features: model_inputs(task, features),
    numbers=numbers,
    labels=None if names is None else [name.decode() for name in names],
  )
