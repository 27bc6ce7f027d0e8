"""Recurrent layers over sequences of different lengths, without masks."""

from __future__ import annotations

import keras
import tensorflow as tf
from keras import ops


class ReverseWithin(keras.layers.Layer):
  """Reverses `[batch, time, units]` up to each row's length, and keeps the rest unchanged."""

  def call(self, sequence, lengths):
    """`lengths` is `[batch]` int32."""
    return tf.reverse_sequence(sequence, lengths, seq_axis=1)


class Bidirectional(keras.layers.Layer):
  """A recurrent layer in both directions, each starting at an end of the text.

  Keras' layer takes a mask, which costs a selection at every step and excludes the fast kernels of
  GPUs. Reversing within the length needs no mask: a cell reaches the padding after all outputs that
  are used.

  Args:
    cell: `keras.layers.GRU` or `keras.layers.LSTM`.
    units: number of units of each direction.
  """

  def __init__(self, cell: type[keras.layers.Layer], units: int, **kwargs):
    super().__init__(**kwargs)
    self._units = units
    self.forward = cell(units, return_sequences=True, name="forward")
    self.backward = cell(units, return_sequences=True, name="backward")
    self._reverse = ReverseWithin()

  def build(self, input_shape, *_):
    """Builds both directions."""
    self.forward.build(input_shape)
    self.backward.build(input_shape)

  def call(self, sequence, lengths):
    """`[batch, time, features]` and `[batch]` to `[batch, time, 2 * units]`."""
    backward = self.backward(self._reverse(sequence, lengths))
    return ops.concatenate([self.forward(sequence), self._reverse(backward, lengths)], axis=-1)

  def compute_output_shape(self, input_shape, *_):
    return (*input_shape[:2], 2 * self._units)


def ends(sequence: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
  """Returns the final state of each direction of a `Bidirectional`.

  Args:
    sequence: `[batch, time, 2 * units]`, the output of the layer.
    lengths: `[batch]` int32.

  Returns:
    `[batch, 2 * units]`: the forward direction's last state, and the backward direction's, which is
    at the first position. For a row of length 0 the values have no meaning.
  """
  units = sequence.shape[-1] // 2
  last = tf.gather(sequence, tf.maximum(lengths - 1, 0), batch_dims=1)
  return tf.concat([last[:, :units], sequence[:, 0, units:]], axis=1)
