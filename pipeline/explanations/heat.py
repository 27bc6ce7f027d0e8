"""Draws maps over pictures, in graph: red for the answer, blue against it."""

from __future__ import annotations

import tensorflow as tf

_RED, _BLUE = (0.9, 0.1, 0.1), (0.1, 0.35, 0.95)
_MOST_COLOUR = 0.75
_LEAST_SIDE = 112  # pixels: a smaller picture is shown larger


def png(pictures: tf.Tensor, maps: tf.Tensor) -> tf.Tensor:
  """Draws each map over its picture, as a PNG file.

  Args:
    pictures: `[batch, height, width, channels]`, in any range.
    maps: `[batch, h, w]` float32; what is for the answer is positive.

  Returns:
    `[batch]` string: the picture in grey, coloured where the map is far from 0. A picture of less
    than 112 pixels is shown a whole number of times as large.
  """
  height, width = pictures.shape[1:3]
  grey = tf.reduce_mean(tf.cast(pictures, tf.float32), axis=3, keepdims=True)
  darkest = tf.reduce_min(grey, axis=(1, 2), keepdims=True)
  range_ = tf.reduce_max(grey, axis=(1, 2), keepdims=True) - darkest
  grey = (grey - darkest) / tf.where(range_ > 0, range_, 1.0)
  smooth = tf.image.resize(maps[..., tf.newaxis], (height, width))
  largest = tf.reduce_max(tf.abs(maps), axis=(1, 2))[:, tf.newaxis, tf.newaxis, tf.newaxis]
  strength = smooth / tf.where(largest > 0, largest, 1.0)
  colour = tf.where(strength > 0, tf.constant(_RED), tf.constant(_BLUE))
  amount = _MOST_COLOUR * tf.abs(strength)
  shown = tf.cast(tf.round(255 * (grey * (1 - amount) + colour * amount)), tf.uint8)
  times = -(-_LEAST_SIDE // max(height, width))
  if times > 1:
    shown = tf.repeat(tf.repeat(shown, times, axis=1), times, axis=2)
  return tf.map_fn(tf.io.encode_png, shown, fn_output_signature=tf.string)
