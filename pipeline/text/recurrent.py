"""Recurrent layers over sequences of different lengths, without masks."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
from keras import ops

from pipeline.text import gru_scan


class _Scanned(keras.layers.RNN):
  """Runs what Keras leaves to its own loop in `gru_scan`, where that computes the same."""

  def inner_loop(
    self, sequences: tf.Tensor, initial_state: Any, mask: Any, training: bool = False
  ) -> tuple[tf.Tensor, tf.Tensor, list[tf.Tensor]]:
    """Turns `[batch, time, features]` into the last output, all outputs and the last state."""
    if mask is not None or not _is_plain(self):
      return super().inner_loop(sequences, initial_state, mask, training)
    state = initial_state[0] if isinstance(initial_state, (list, tuple)) else initial_state
    [outputs] = gru_scan.gru(sequences, state[tf.newaxis], [_weights(self)], training=training)
    shown = outputs if self.return_sequences else outputs[-1:]
    return outputs[-1], tf.transpose(shown, [1, 0, 2]), [outputs[-1]]


@keras.saving.register_keras_serializable(package="dlpipe")
class GRU(keras.layers.GRU, _Scanned):
  """`keras.layers.GRU` with a faster loop on CPUs; the same arguments, weights and outputs.

  On a GPU it is cuDNN's, as Keras chooses. With dropout, a mask or activations other than Keras'
  default it is Keras' own loop.
  """


def _is_plain(layer: keras.layers.GRU) -> bool:
  """Returns whether `gru_scan` computes what the layer is."""
  return (
    layer.activation is keras.activations.tanh
    and layer.recurrent_activation is keras.activations.sigmoid
    and layer.use_bias
    and layer.reset_after
    and not (layer.dropout or layer.recurrent_dropout or layer.go_backwards or layer.unroll)
  )


def _weights(layer: keras.layers.GRU) -> gru_scan.Weights:
  """Returns the weights, in the type that the layer computes in."""
  cell = layer.cell
  weights = (cell.kernel, cell.recurrent_kernel, cell.bias)
  return gru_scan.Weights(*(ops.cast(each, layer.compute_dtype) for each in weights))


class ReverseWithin(keras.layers.Layer):
  """Reverses `[batch, time, units]` up to each row's length, and keeps the rest unchanged."""

  def call(self, sequence, lengths):
    """Reverses the first `lengths`, `[batch]` int32, of each row."""
    return tf.reverse_sequence(sequence, lengths, seq_axis=1)


class Bidirectional(keras.layers.Layer):
  """A recurrent layer in both directions, each starting at an end of the text.

  Keras' layer takes a mask, which costs a selection at every step and excludes the fast kernels of
  GPUs. Reversing within the length needs no mask: a cell reaches the padding after all outputs that
  are used.

  Args:
    cell: `GRU`, whose directions share one loop on a CPU, or `keras.layers.LSTM`.
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

  def call(self, sequence, lengths, training=False):
    """Turns `[batch, time, features]` and `[batch]` into `[batch, time, 2 * units]`."""
    if self._in_one_loop():
      return self._together(sequence, lengths, bool(training))
    backward = self.backward(self._reverse(sequence, lengths))
    return ops.concatenate([self.forward(sequence), self._reverse(backward, lengths)], axis=-1)

  def _in_one_loop(self) -> bool:
    # What Keras asks before it takes cuDNN's kernels.
    by_cudnn = self.forward.use_cudnn and tf.config.list_logical_devices("GPU")
    return isinstance(self.forward, GRU) and _is_plain(self.forward) and not by_cudnn

  def _together(self, sequence: tf.Tensor, lengths: tf.Tensor, training: bool) -> tf.Tensor:
    state = tf.zeros([2, tf.shape(sequence)[0], self._units], sequence.dtype)
    weights = [_weights(each) for each in (self.forward, self.backward)]
    outputs = gru_scan.gru(sequence, state, weights, lengths=lengths, training=training)
    return tf.transpose(tf.concat(outputs, axis=-1), [1, 0, 2])

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
