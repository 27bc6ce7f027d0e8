"""Recurrent layers over sequences of different lengths, without masks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from pipeline.text import gru_scan


class _Fused(keras.layers.RNN):
  """Runs what Keras leaves to its own loop by `fused`, where that computes the same."""

  def fused(
    self, sequences: tf.Tensor, states: Sequence[tf.Tensor], *, training: bool
  ) -> tuple[tf.Tensor, list[tf.Tensor]]:
    """`[batch, time, features]` to the outputs, `[time, batch, units]`, and the last states."""
    raise NotImplementedError

  def inner_loop(
    self, sequences: tf.Tensor, initial_state: Any, mask: Any, training: bool = False
  ) -> tuple[tf.Tensor, tf.Tensor, list[tf.Tensor]]:
    """`[batch, time, features]` to the last output, all outputs and the last states."""
    if mask is not None or not _is_plain(self):
      return super().inner_loop(sequences, initial_state, mask, training)
    states = initial_state if isinstance(initial_state, (list, tuple)) else [initial_state]
    outputs, states = self.fused(sequences, states, training=training)
    shown = outputs if self.return_sequences else outputs[-1:]
    return outputs[-1], tf.transpose(shown, [1, 0, 2]), states


@keras.saving.register_keras_serializable(package="dlpipe")
class GRU(keras.layers.GRU, _Fused):
  """`keras.layers.GRU` with a faster loop on CPUs; the same arguments, weights and outputs.

  On a GPU it is cuDNN's, as Keras chooses. With dropout, a mask or activations other than Keras'
  default it is Keras' own loop.
  """

  def fused(
    self, sequences: tf.Tensor, states: Sequence[tf.Tensor], *, training: bool
  ) -> tuple[tf.Tensor, list[tf.Tensor]]:
    """Runs `gru_scan`."""
    state, weights = states[0][tf.newaxis], gru_scan.Weights(*_weights(self))
    [outputs] = gru_scan.gru(sequences, state, [weights], training=training)
    return outputs, [outputs[-1]]


@keras.saving.register_keras_serializable(package="dlpipe")
class LSTM(keras.layers.LSTM, _Fused):
  """`keras.layers.LSTM` as one op on CPUs; else as `GRU` is, with the same limits."""

  def __init__(self, *args, **kwargs):
    super().__init__(*args, **kwargs)
    self.supports_jit = False  # XLA has no kernel for the op

  def fused(
    self, sequences: tf.Tensor, states: Sequence[tf.Tensor], *, training: bool
  ) -> tuple[tf.Tensor, list[tf.Tensor]]:
    """Runs `BlockLSTM`; the gradient of `BlockLSTMV2` takes one gate for another."""
    # Its order of the gates is input, candidate, forget, output.
    kernel, recurrent, bias = (
      tf.gather(tf.reshape(each, [-1, 4, self.units]), [0, 2, 1, 3], axis=1)
      for each in _weights(self)
    )
    weights = tf.concat([kernel, recurrent], axis=0)
    hidden, cell = states
    no_peephole = tf.zeros([self.units], sequences.dtype)
    result = tf.raw_ops.BlockLSTM(
      seq_len_max=tf.shape(sequences, tf.int64)[1],
      x=tf.transpose(sequences, [1, 0, 2]),
      cs_prev=cell,
      h_prev=hidden,
      w=tf.reshape(weights, [-1, 4 * self.units]),
      wci=no_peephole,
      wcf=no_peephole,
      wco=no_peephole,
      b=tf.reshape(bias, [-1]),
      forget_bias=0.0,
      cell_clip=-1.0,
      use_peephole=False,
    )
    return result.h, [result.h[-1], result.cs[-1]]


def _is_plain(layer: Any) -> bool:
  """Returns whether `fused` computes what the layer is."""
  return (
    layer.activation is keras.activations.tanh
    and layer.recurrent_activation is keras.activations.sigmoid
    and layer.use_bias
    and getattr(layer, "reset_after", True)
    and layer.compute_dtype in ("float16", "float32")
    and not (layer.dropout or layer.recurrent_dropout or layer.go_backwards or layer.unroll)
  )


def _weights(layer: Any) -> list[tf.Tensor]:
  """Returns kernel, recurrent kernel and bias, in the type that the layer computes in."""
  cell = layer.cell
  weights = (cell.kernel, cell.recurrent_kernel, cell.bias)
  return [ops.cast(each, layer.compute_dtype) for each in weights]


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
    cell: `GRU`, whose directions share one loop on a CPU, `LSTM`, or one of Keras'.
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
    """`[batch, time, features]` and `[batch]` to `[batch, time, 2 * units]`."""
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
    weights = [gru_scan.Weights(*_weights(each)) for each in (self.forward, self.backward)]
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
