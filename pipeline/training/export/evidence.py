"""Finds what a model makes of an input before it answers: the evidence for `familiarity`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import tensorflow as tf
from keras import layers

# Added before a root is taken, which is steep at 0, and to a length.
_LEAST_ROOT, _LEAST_LENGTH = 1e-3, 1e-6


class Seen(NamedTuple):
  """What a model makes of a batch of inputs.

  Attributes:
    evidence: `[batch, units]`; inputs are compared by it with those of train.
    traits: `[batch, traits]`, by which they are compared with those of val, of similar size, since
      what hardly varies counts less; None without.
  """

  evidence: tf.Tensor
  traits: tf.Tensor | None = None


# From a model's inputs to its output, and what it makes of them.
Asked = Callable[[Any], tuple[Any, Seen]]


def asking(model: keras.Model) -> tuple[Asked, str] | str:
  """Returns a function that asks a model for its answer and its evidence, and names the evidence.

  A model with a method `evidence(inputs) -> [batch, units]` says itself what it is, and by a method
  `traits` what of an input train cannot be compared by, because there it is never missing. Of any
  other model, built from Keras' functional API, evidence is the input of the last layer that has
  weights.

  Args:
    model: the trained model.

  Returns:
    The function and the words; or why there is no such evidence.
  """
  own = getattr(model, "evidence", None)
  if own is not None:
    traits = getattr(model, "traits", lambda inputs: None)
    return (
      lambda inputs: (model(inputs, training=False), Seen(own(inputs), traits(inputs))),
      "the model's evidence",
    )
  try:
    outputs = model.outputs
    [last] = outputs if isinstance(outputs, (list, tuple)) else [outputs]
  except (AttributeError, TypeError, ValueError):
    return "the model does not show its layers, and has no method `evidence`"
  found = _before_last_weights(last)
  if found is None:
    return "no single layer of the model gives its answer, and it has no method `evidence`"
  tensor, name = found
  # As the model itself takes them: one input is no list, several come by their names.
  inputs = getattr(getattr(model, "_functional", model), "_inputs_struct", model.inputs)
  if isinstance(inputs, (list, tuple)) and len(inputs) == 1:
    [inputs] = inputs
  both = keras.Model(inputs, [last, tensor])

  def ask(inputs: Any) -> tuple[Any, Seen]:
    said, evidence = both(inputs, training=False)
    return said, Seen(shaped(evidence))

  return ask, f"what the layer {name!r} reads"


def shaped(evidence: Any) -> tf.Tensor:
  """Maps `[batch, units]` to `[batch, units + 1]` float32: roots at one length, and its logarithm.

  A few large numbers would decide alone, and how large all are.

  Source: Perronnin, Sanchez and Mensink 2010, "Improving the Fisher Kernel for Large-Scale Image
  Classification".
  """
  values = tf.cast(evidence, tf.float32)
  length = tf.sqrt(tf.reduce_mean(tf.square(values), axis=1, keepdims=True)) + _LEAST_LENGTH
  scaled = values / length
  roots = tf.sqrt(tf.abs(scaled) + _LEAST_ROOT) - _LEAST_ROOT**0.5
  return tf.concat([tf.sign(scaled) * roots, tf.math.log(length)], axis=1)


def _before_last_weights(tensor: Any) -> tuple[Any, str] | None:
  """Returns the input of the last layer with weights, and that layer's name; None if there is none.

  Layers without weights between it and the output must have one input: activations, scalings.
  """
  while True:
    history = getattr(tensor, "_keras_history", None)
    if history is None:
      return None
    operation = history.operation
    inputs = operation._inbound_nodes[history.node_index].input_tensors
    if len(inputs) != 1:
      return None
    [before] = inputs
    if getattr(operation, "weights", ()):
      is_list = len(before.shape) == 2 and before.shape[1] is not None
      is_number = keras.backend.is_float_dtype(keras.backend.standardize_dtype(before.dtype))
      return (_before_scaling(before), operation.name) if is_list and is_number else None
    tensor = before


def _before_scaling(tensor: Any) -> Any:
  """Returns a tensor as it was before dropout and batch normalization, which hide its size."""
  while True:
    operation = tensor._keras_history.operation
    if not isinstance(operation, (layers.Dropout, layers.BatchNormalization)):
      return tensor
    [tensor] = operation._inbound_nodes[tensor._keras_history.node_index].input_tensors
