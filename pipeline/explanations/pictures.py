"""Explains answers to pictures by a map of what in the picture speaks for them.

A network that ends its last map in one layer (global pooling, or Flatten) is explained by that map:
each place by its values times the slope of the answer. Where layers without bends follow, as in
most networks, the places and the intercept add up to the answer. Any other network is explained by
integrated gradients.

Sources: Zhou et al. 2016, "Learning Deep Features for Discriminative Localization" (class
activation maps), https://arxiv.org/abs/1512.04150; Draelos et al. 2020, "Use HiResCAM instead of
Grad-CAM", https://arxiv.org/abs/2011.08891; Sundararajan et al. 2017, "Axiomatic Attribution for
Deep Networks" (integrated gradients), https://arxiv.org/abs/1703.01365
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
from keras import layers

from pipeline.explanations import heat
from pipeline.explanations.target import CannotExplain, Explanation, Features, Target

_ENDS = (layers.GlobalAveragePooling2D, layers.GlobalMaxPooling2D, layers.Flatten)
# Gauss-Radau: two steps from the plain picture to the whole one, exact for a slope of degree 2.
_STEPS = ((1 / 3, 3 / 4), (1.0, 1 / 4))  # place, weight


def explain(model: keras.Model, target: Target) -> Explanation:
  """Returns the function from transformed features to a map of each picture.

  Its outputs are `map` `[batch, h, w]` float32, the part of each place in the answer;
  `map_png_bytes` `[batch]` string, the map over the picture as a PNG file; and those of
  `Target.account`. A class activation has the size of the network's last map, integrated gradients
  that of the picture.

  Args:
    model: a model of one picture, `[batch, height, width, channels]`.
    target: what to explain.

  Raises:
    CannotExplain: the model's input is no picture.
  """
  inputs = getattr(model, "inputs", None) or []
  if len(inputs) != 1 or len(inputs[0].shape) != 4 or None in inputs[0].shape[1:]:
    raise CannotExplain("the model does not take one picture of a fixed size")
  last = _last_map(model)
  if last is None:
    return lambda features: _integrated(model, target, features)
  body = keras.Model(inputs[0], last)
  head = keras.Model(last, model.outputs[0])
  return lambda features: _activated(body, head, target, features)


def _last_map(model: keras.Model) -> Any:
  """Returns the tensor in which the network's last map ends; None if no known layer ends one."""
  if len(model.outputs) != 1:
    return None
  for layer in reversed(model.layers):
    if isinstance(layer, _ENDS) and len(layer.input.shape) == 4:
      # A map of one place says nothing about where.
      return layer.input if max(layer.input.shape[1:3]) > 1 else None
  return None


def _activated(
  body: keras.Model, head: keras.Model, target: Target, features: Features
) -> dict[str, tf.Tensor]:
  pictures = target.inputs(features)
  places = body(pictures, training=False)
  with tf.GradientTape() as tape:
    tape.watch(places)
    number, columns = target.chosen(head(places, training=False), features)
  slope = _slope(tape, number, places)
  parts = tf.reduce_sum(tf.cast(places, tf.float32) * slope, axis=3)
  # What is said of an empty map, of which all rows have the same.
  said = head(tf.zeros_like(places[:1]), training=False)
  said = tf.repeat(said, tf.shape(places)[0], axis=0)
  intercept = target.of_columns(said, features, columns)
  return _outputs(target, pictures, parts, number, columns, intercept)


def _integrated(model: keras.Model, target: Target, features: Features) -> dict[str, tf.Tensor]:
  pictures = tf.cast(target.inputs(features), tf.float32)
  plain = tf.reduce_mean(pictures, axis=(1, 2), keepdims=True)
  slopes = tf.zeros_like(pictures)
  number = columns = None
  for place, weight in reversed(_STEPS):
    step = plain + place * (pictures - plain)
    with tf.GradientTape() as tape:
      tape.watch(step)
      said = model(step, training=False)
      if columns is None:
        number, columns = target.chosen(said, features)
        there = number
      else:
        there = target.of_columns(said, features, columns)
    slopes += weight * _slope(tape, there, step)
  parts = tf.reduce_sum((pictures - plain) * slopes, axis=3)
  # Asking about the plain picture would cost another pass, so what it adds is left unexplained.
  return _outputs(target, pictures, parts, number, columns, tf.zeros_like(number))


def _slope(tape: tf.GradientTape, number: tf.Tensor, of: tf.Tensor) -> tf.Tensor:
  found = tape.gradient(number, of)
  if found is None:
    raise CannotExplain("the answer has no gradient by the picture")
  return tf.cast(found, tf.float32)


def _outputs(
  target: Target,
  pictures: tf.Tensor,
  parts: tf.Tensor,
  number: Any,
  columns: Any,
  intercept: tf.Tensor,
) -> dict[str, tf.Tensor]:
  return {
    "map": parts,
    "map_png_bytes": heat.png(pictures, parts),
    **target.account(number, columns, intercept, tf.reduce_sum(parts, axis=(1, 2))),
  }
