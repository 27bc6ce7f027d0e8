"""A recurrent layer whose every step reads what its last state attends to, with a cheap gradient.

A loop whose gradient TensorFlow derives keeps every intermediate tensor and multiplies weights'
gradients step by step. `AttentiveGRU` keeps the gates, and multiplies them once for all steps.

Source: Luong, Pham, Manning 2015, "Effective Approaches to Attention-based Neural Machine
Translation", section 3.3 (input feeding), https://arxiv.org/abs/1508.04025; the cell is Keras' GRU
(`reset_after`).
"""

from __future__ import annotations

import dataclasses
from typing import Any

import keras
import tensorflow as tf

NEVER = -1e9  # a logit that softmax makes 0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Memory:
  """The encoded sources that a decoder attends to.

  Attributes:
    keys: `[batch, source time, units]`, compared with the decoder's states.
    values: `[batch, source time, ...]`, averaged by attention.
    fed: `[batch, source time, 3 * units]`, what a step's gates get of each value.
    bias: `[batch, source time]` float32, 0 at a token and very negative after the end.
  """

  keys: tf.Tensor
  values: tf.Tensor
  fed: tf.Tensor
  bias: tf.Tensor


def attend(queries: tf.Tensor, memory: Memory) -> tf.Tensor:
  """Returns the attention of `[batch, n, units]`: `[batch, n, source time]` float32."""
  scores = tf.matmul(queries, memory.keys, transpose_b=True)
  # In float16 the bias would become minus infinity, and an empty source nan.
  return tf.nn.softmax(tf.cast(scores, tf.float32) + memory.bias[:, tf.newaxis])


class AttentiveGRU(keras.layers.Layer):
  """A GRU; each step's gates also get the average of `memory.fed` that the last state attends to.

  Args:
    units: number of units.
  """

  def __init__(self, units: int, **kwargs: Any):
    super().__init__(**kwargs)
    self.units = units

  def build(self, input_shape: Any, *_: Any) -> None:
    """Creates the weights of the gates, in the order of Keras' GRU: update, reset, candidate."""
    size = 3 * self.units
    self.kernel = self.add_weight(shape=(input_shape[-1], size), name="kernel")
    self.recurrent_kernel = self.add_weight(
      shape=(self.units, size), initializer="orthogonal", name="recurrent_kernel"
    )
    self.bias = self.add_weight(shape=(2, size), initializer="zeros", name="bias")
    self.built = True

  def call(self, sequence: tf.Tensor, state: tf.Tensor, memory: Memory) -> tf.Tensor:
    """Returns the states after each step.

    Args:
      sequence: `[batch, time, features]`.
      state: `[batch, units]`, before the first step.
      memory: the sources.

    Returns:
      `[batch, time, units]`.
    """
    kernel, recurrent, bias = (
      tf.convert_to_tensor(each) for each in (self.kernel, self.recurrent_kernel, self.bias)
    )
    inputs = tf.transpose(tf.tensordot(sequence, kernel, 1) + bias[0], [1, 0, 2])
    states = _scan(inputs, state, memory.keys, memory.fed, memory.bias, recurrent, bias[1])
    return tf.transpose(states, [1, 0, 2])

  def step(
    self, inputs: tf.Tensor, states: tf.Tensor, attention: tf.Tensor, fed: tf.Tensor
  ) -> tf.Tensor:
    """Runs one step of several hypotheses of each source.

    Args:
      inputs: `[batch, beam, features]`.
      states: `[batch, beam, units]`.
      attention: `[batch, beam, source time]` float32, that of `states`.
      fed: the memory's.

    Returns:
      `[batch, beam, units]`.
    """
    kind = states.dtype
    kernel, recurrent, bias = (
      tf.cast(tf.convert_to_tensor(weight), kind)
      for weight in (self.kernel, self.recurrent_kernel, self.bias)
    )
    width, size = states.shape[1], 3 * self.units
    read = tf.matmul(tf.cast(attention, kind), fed)
    inputs = tf.matmul(tf.reshape(inputs, [-1, inputs.shape[-1]]), kernel) + bias[0]
    states = tf.reshape(states, [-1, self.units])
    recalled = tf.matmul(states, recurrent) + bias[1]
    after, _ = _cell(inputs + tf.reshape(read, [-1, size]), recalled, states)
    return tf.reshape(after, [-1, width, self.units])


def _cell(
  inputs: tf.Tensor, recalled: tf.Tensor, state: tf.Tensor
) -> tuple[tf.Tensor, tuple[tf.Tensor, ...]]:
  """Returns the next state, and the gates: update, reset, candidate, and what reset multiplies.

  Args:
    inputs: `[n, 3 * units]`, what the gates get of the input.
    recalled: `[n, 3 * units]`, what they get of the state.
    state: `[n, units]`.
  """
  update_in, reset_in, candidate_in = tf.split(inputs, 3, axis=1)
  update_recalled, reset_recalled, candidate_recalled = tf.split(recalled, 3, axis=1)
  update = tf.sigmoid(update_in + update_recalled)
  reset = tf.sigmoid(reset_in + reset_recalled)
  candidate = tf.tanh(candidate_in + reset * candidate_recalled)
  return candidate + update * (state - candidate), (update, reset, candidate, candidate_recalled)


@tf.custom_gradient
def _scan(inputs, state, keys, fed, mask, recurrent, bias):
  """Runs the GRU; returns `[time, batch, units]`.

  Args:
    inputs: `[time, batch, 3 * units]`, what the gates get of the inputs.
    state: `[batch, units]`.
    keys: `[batch, source time, units]`.
    fed: `[batch, source time, 3 * units]`.
    mask: `[batch, source time]` float32; gets no gradient.
    recurrent: `[units, 3 * units]`.
    bias: `[3 * units]`.
  """
  kind, steps, units = inputs.dtype, tf.shape(inputs)[0], state.shape[-1]

  def rows(count: int, dtype: tf.DType = kind) -> list[tf.TensorArray]:
    return [tf.TensorArray(dtype, size=steps) for _ in range(count)]

  def forward(step, last, *written):
    scores = tf.cast(tf.linalg.matvec(keys, last), tf.float32) + mask
    attention = tf.cast(tf.nn.softmax(scores), kind)
    read = tf.linalg.matvec(fed, attention, transpose_a=True)
    after, gates = _cell(inputs[step] + read, tf.matmul(last, recurrent) + bias, last)
    kept = (after, attention, *gates)
    return (
      step + 1,
      after,
      *(each.write(step, value) for each, value in zip(written, kept, strict=True)),
    )

  _, _, *written = tf.while_loop(lambda step, *_: step < steps, forward, (0, state, *rows(6)))
  after, *kept = (each.stack() for each in written)
  before = tf.concat([state[tf.newaxis], after[:-1]], axis=0)

  def gradient(upstream):
    attention, update, reset, candidate, candidate_recalled = kept
    recurrent_t = tf.transpose(recurrent)

    def backward(step, ahead, *written):
      step -= 1
      d_after = upstream[step] + ahead
      u, r, n, a, last = update[step], reset[step], candidate[step], attention[step], before[step]
      held = d_after * u
      d_candidate = tf.raw_ops.TanhGrad(y=n, dy=d_after - held)
      d_update = tf.raw_ops.SigmoidGrad(y=u, dy=d_after * (last - n))
      d_reset = tf.raw_ops.SigmoidGrad(y=r, dy=d_candidate * candidate_recalled[step])
      d_inputs = tf.concat([d_update, d_reset, d_candidate], axis=1)
      d_recalled = tf.concat([d_update, d_reset, d_candidate * r], axis=1)
      d_attention = tf.linalg.matvec(fed, d_inputs)
      d_scores = a * (d_attention - tf.reduce_sum(a * d_attention, axis=1, keepdims=True))
      d_last = (
        held
        + tf.matmul(d_recalled, recurrent_t)
        + tf.linalg.matvec(keys, d_scores, transpose_a=True)
      )
      kept = (d_inputs, d_recalled, d_scores)
      return (
        step,
        d_last,
        *(each.write(step, value) for each, value in zip(written, kept, strict=True)),
      )

    _, d_state, *written = tf.while_loop(
      lambda step, *_: step > 0, backward, (steps, tf.zeros_like(state), *rows(3))
    )
    d_inputs, d_recalled, d_scores = (each.stack() for each in written)

    def outer(left, right):
      """Sums the outer products over time: `[batch, source time, units]`."""
      return tf.einsum("tbs,tbu->bsu", left, right)

    recalled = tf.reshape(d_recalled, [-1, 3 * units])
    return (
      d_inputs,
      d_state,
      outer(d_scores, before),
      outer(attention, d_inputs),
      None,
      tf.matmul(tf.reshape(before, [-1, units]), recalled, transpose_a=True),
      # A sum over so many rows loses too much in half precision.
      tf.cast(tf.reduce_sum(tf.cast(recalled, tf.float32), axis=0), kind),
    )

  return after, gradient
