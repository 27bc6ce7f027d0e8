"""Explains answers to pictures by a map of what in the picture speaks for them.

A network that ends a last map of 7 x 7 places or more in one layer (global pooling, or Flatten) is
explained by that map: each place by its values times the slope of the answer. Where layers without
bends follow, as in most networks, the places and the intercept add up to the answer. A smaller map
says too little about where, so such a network, and any other, has integrated gradients.

Sources: Zhou et al. 2016, "Learning Deep Features for Discriminative Localization" (class
activation maps), https://arxiv.org/abs/1512.04150; Draelos et al. 2020, "Use HiResCAM instead of
Grad-CAM", https://arxiv.org/abs/2011.08891; Sundararajan et al. 2017, "Axiomatic Attribution for
Deep Networks" (integrated gradients), https://arxiv.org/abs/1703.01365
"""

from __future__ import annotations

import collections
from collections.abc import Iterator
from typing import Any

import keras
import tensorflow as tf
from keras import layers

from pipeline.explanations import heat
from pipeline.explanations.target import CannotExplain, Explanation, Features, Target

_LEAST_PLACES = 7  # of a side of the last map; fewer were no better than chance on 28 pixels
_CELLS = 14  # about as many cells has a side of a map of pixels,
_LEAST_CELL = 4  # pixels of a cell's side: smaller ones alternate between for and against,
_LEAST_CELLS = 7  # unless a small picture would have fewer cells than these
_ENDS = (layers.GlobalAveragePooling2D, layers.GlobalMaxPooling2D, layers.Flatten)


def explain(model: keras.Model, target: Target) -> Explanation:
  """Returns the function from transformed features to a map of each picture.

  Its outputs are `map` `[batch, h, w]` float32, the part of each place in the answer;
  `map_png_bytes` `[batch]` string, the map over the picture as a PNG file; and those of
  `Target.account`. A class activation has the size of the network's last map, integrated gradients
  have about 14 cells a side, and 7 or 8 of four pixels in a small picture.

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
  for node in _behind(model.outputs[0]):
    if _ends_map(node):
      [last] = node.input_tensors
      # A network that joins pooled maps of several depths has no map that tells all.
      is_whole = all(
        each.input_tensors and not (_ends_map(each) and each.input_tensors[0] is not last)
        for each in _behind(model.outputs[0], but_for=last)
      )
      return last if is_whole and min(last.shape[1:3]) >= _LEAST_PLACES else None
  return None


def _ends_map(node: Any) -> bool:
  return isinstance(node.operation, _ENDS) and len(node.input_tensors[0].shape) == 4


def _behind(answer: Any, *, but_for: Any = None) -> Iterator[Any]:
  """Yields the calls of layers that made a tensor, the last first, and each once.

  Args:
    answer: the tensor.
    but_for: a tensor behind which is not looked; None looks as far as the input.
  """
  waiting, seen = collections.deque([answer]), {id(but_for)}
  while waiting:
    tensor = waiting.popleft()
    if id(tensor) not in seen:
      seen.add(id(tensor))
      made_by = tensor._keras_history
      node = made_by.operation._inbound_nodes[made_by.node_index]
      waiting.extend(node.input_tensors)
      yield node


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
  number, columns = target.chosen(model(pictures, training=False), features)
  # One step, in the middle of the way: a second one costs two passes more and tells hardly more.
  middle = (plain + pictures) / 2
  with tf.GradientTape() as tape:
    tape.watch(middle)
    halfway = target.of_columns(model(middle, training=False), features, columns)
  slope = _slope(tape, halfway, middle)
  parts = _in_cells(tf.reduce_sum((pictures - plain) * slope, axis=3))
  # Asking about the plain picture would cost another pass, so what it adds is left unexplained.
  return _outputs(target, pictures, parts, number, columns, tf.zeros_like(number))


def _in_cells(parts: tf.Tensor) -> tf.Tensor:
  """Adds up the parts of neighbouring pixels.

  A slope goes to one of the pixels whose values tie in a pooling, and which one is chance.
  """
  height, width = parts.shape[1:3]
  longer = max(height, width)
  side = max(1, min(max(_LEAST_CELL, longer // _CELLS), longer // _LEAST_CELLS))
  rows, columns = -(-height // side), -(-width // side)
  padded = tf.pad(parts, [[0, 0], [0, rows * side - height], [0, columns * side - width]])
  return tf.reduce_sum(tf.reshape(padded, [-1, rows, side, columns, side]), axis=(2, 4))


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
