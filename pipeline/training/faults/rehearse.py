"""`rehearse`: asks a model before its first epoch, and refuses what could not be served.

Whoever wrote the model learns of a fault in seconds. The gates see most faults as well, but after
the training, and by what follows from them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

from dlpipe.dotted_paths import load_function
from dlpipe.errors import BadInputError
from pipeline.problem import Problem
from pipeline.training.datasets import Split
from pipeline.training.faults.traced import Traced, listed, trace

_ROWS = 4
_KINDS = "pipeline.problems."
_NODE = re.compile(r"\{\{.*?\}\}")
# Beginnings of lines in the message of an op that say where it stands.
_PLACES = ("[[", "File ", "Graph execution error", "Detected at node", "<stack traces")
# Largest difference of two answers, as a part of the largest number in them: rounding differs with
# the number of rows, in half precision by more.
_SAME, _SAME_IN_HALF = 1e-3, 3e-2


def rehearse(
  problem: Problem, model: keras.Model, tft_output: tft.TFTransformOutput, train: Split
) -> None:
  """Asks an untrained model as a server will ask the trained one.

  Args:
    problem: the kind of answer.
    model: built.
    tft_output: the transform graph.
    train: some rows of it are asked for.

  Raises:
    BadInputError: the model could be trained, but not served; the message says what to change.
  """
  [(inputs, _)] = train.batches(_ROWS, None).take(1)
  try:
    for fault in _faults(problem, trace(model, train, _ROWS), tft_output, inputs):
      raise BadInputError(fault)
  except tf.errors.OpError as err:
    raise BadInputError(
      f"The model of build_model cannot answer rows of train: {_words(err)}"
    ) from err


def _faults(
  problem: Problem, traced: Traced, tft_output: tft.TFTransformOutput, inputs: Any
) -> Iterator[str]:
  """Yields a sentence for each fault; a later one may come from an earlier one."""
  if reasons := traced.unservable():
    yield f"The model of build_model cannot be served: {' '.join(reasons)}"
  if names := traced.stray_variables():
    yield (
      f"The model of build_model reads variables that Keras does not know as its weights: "
      f"{listed(names)}. They would neither be trained nor exported. Make weights with "
      "self.add_weight(...) or keras.Variable, and hold layers as attributes of the model or of "
      "another layer, also in lists."
    )
  if names := traced.changed_variables(inputs):
    yield (
      f"The model of build_model changes {listed(names)} whenever it answers, so its answers would "
      "depend on earlier requests. Change weights only if `training` is true, an argument of call."
    )
  said = traced.ask(inputs)
  if fault := _wrong_shape(problem, tft_output, said):
    yield fault
  numbers = _numbers(said)
  if not all(np.isfinite(each).all() for each in numbers):
    yield (
      f"The untrained model of build_model answers rows of train with {_not_finite(numbers)}, so "
      "there is nothing to learn from. Look for a division by zero, a logarithm or a root of what "
      "may be 0 or less, and inputs that are not scaled."
    )
  again = _difference(numbers, _numbers(traced.ask(inputs)))
  same = _SAME if keras.config.dtype_policy().compute_dtype == "float32" else _SAME_IN_HALF
  if again > same:
    yield (
      f"The model of build_model answers the same rows differently each time, by {again:.2g} of "
      "its largest number, so what is served would not be what was evaluated. Noise and dropout "
      "must do nothing if `training` is false: do not call them with training=True."
    )
  one = tf.nest.map_structure(lambda each: each[:1], inputs)
  alone = _difference([each[:1] for each in numbers], _numbers(traced.ask(one)))
  if alone > same:
    yield (
      f"The model of build_model answers a row differently if it is alone in its batch, by "
      f"{alone:.2g} of its largest number, so answers would depend on other requests. Compute "
      "statistics of a batch only if `training` is true, as BatchNormalization does, and not over "
      "the axis of the rows."
    )


def _wrong_shape(problem: Problem, tft_output: tft.TFTransformOutput, said: Any) -> str | None:
  """Says how the model's output differs from what the kind of answer takes; None if it fits."""
  own = problem.serving_outputs is not None or not problem.answer.startswith(_KINDS)
  if own or problem.units is None:
    return None
  units = load_function(problem.units)(tft_output, problem.vocabulary)
  wanted = f"The model of build_model must return [batch, {units}], {_meaning(problem, tft_output)}"
  if not isinstance(said, tf.Tensor):
    names = list(said) if isinstance(said, dict) else [str(i) for i in range(len(said))]
    return (
      f"{wanted}. Received: several outputs ({listed(names)}). Return one of them if `training` is "
      "false, or give the problem an `answer` of your own: PROBLEM.but(answer=...)."
    )
  if said.shape.rank == 1 and units == 1:
    return None
  if said.shape.rank != 2 or said.shape[1] != units:
    shape = ", ".join(["batch", *map(str, said.shape[1:])])
    return f"{wanted}. Received: [{shape}]. Change its last layer."
  return None


def _meaning(problem: Problem, tft_output: tft.TFTransformOutput) -> str:
  if problem.vocabulary is None:
    return "a number for each row"
  labels = [name.decode() for name in tft_output.vocabulary_by_name(problem.vocabulary)]
  return f"a number for each of the {len(labels)} labels ({listed(labels)})"


def _words(error: tf.errors.OpError) -> str:
  """Returns what an op said, without the places in the graph."""
  lines = [line.strip() for line in error.message.splitlines()]
  telling = [line for line in lines if line and not line.startswith(_PLACES)]
  return _NODE.sub("", telling[-1]).strip() if telling else type(error).__name__


def _numbers(said: Any) -> list[np.ndarray]:
  """Returns the outputs that are numbers, as float32."""
  return [
    np.asarray(tf.cast(each, tf.float32))
    for each in tf.nest.flatten(said)
    if isinstance(each, tf.Tensor) and (each.dtype.is_floating or each.dtype.is_integer)
  ]


def _not_finite(numbers: list[np.ndarray]) -> str:
  return "nan" if any(np.isnan(each).any() for each in numbers) else "infinity"


def _difference(some: list[np.ndarray], others: list[np.ndarray]) -> float:
  """Returns the largest difference, as a part of the largest number; 0 of equal ones."""
  found = 0.0
  for one, other in zip(some, others, strict=True):
    if one.shape != other.shape:
      return float("inf")
    if one.size:
      largest = max(float(np.abs(one).max()), 1e-6)
      found = max(found, float(np.abs(one - other).max()) / largest)
  return found
