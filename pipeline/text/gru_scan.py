"""A gated recurrent unit (GRU) as one loop with a gradient of its own, for CPUs.

Keras' loop multiplies the inputs step by step, and TensorFlow derives its gradient op by op. Here a
pass of the loop takes a chunk of steps: one product for all their inputs, little more than the
recurrence for each, and in the gradient one product for their share of each weight. Several
directions go through the same loop, as a batch.

Source: Cho et al. 2014, https://arxiv.org/abs/1406.1078v1 (`reset_after`, as in Keras and cuDNN).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

# Steps of one pass of the loop; more of them cost more time to trace than they save.
_CHUNK = 8
# Added to what the update gate is computed from, it makes the gate 1: the state stays as it is.
_HOLD = 1e4


class Weights(NamedTuple):
  """The weights of one direction, in Keras' order of the gates: update, reset, candidate."""

  kernel: tf.Tensor  # [features, 3 * units]
  recurrent: tf.Tensor  # [units, 3 * units]
  bias: tf.Tensor  # [2, 3 * units]: of the inputs and of the recurrence


def gru(
  inputs: tf.Tensor,
  state: tf.Tensor,
  weights: Sequence[Weights],
  *,
  lengths: tf.Tensor | None = None,
  training: bool,
) -> list[tf.Tensor]:
  """Runs one direction, or the two directions of a text.

  Args:
    inputs: `[batch, time, features]`, float.
    state: `[directions, batch, units]`, the first state of each direction.
    weights: of the forward direction, and of the backward direction if there are two.
    lengths: `[batch]` int32. The backward direction passes over what comes after, so that it starts
      at the end of each row.
    training: whether what the gradient needs is kept. If False, TensorFlow derives the gradient.

  Returns:
    `[time, batch, units]` for each direction, in the order of the inputs.
  """
  scan = _Scan(inputs, state, lengths)
  flat = [tensor for each in weights for tensor in each]
  if not training:
    return scan.forward(inputs, state, flat, keep=False)[0]

  @tf.custom_gradient
  def learned(inputs: tf.Tensor, state: tf.Tensor, *flat: tf.Tensor) -> Any:
    outputs, kept = scan.forward(inputs, state, flat, keep=True)
    return outputs, lambda *upstream: scan.backward(inputs, flat, kept, upstream)

  return list(learned(inputs, state, *flat))


class _Scan:
  """The loop over one batch and its gradient.

  Step `s` is at time `s` for the forward direction, and at `time - 1 - s` for the backward one.
  With two directions, all tensors of a step are `[directions, batch, ...]`, else `[batch, ...]`.
  """

  def __init__(self, inputs: tf.Tensor, state: tf.Tensor, lengths: tf.Tensor | None):
    self._directions, self._units = state.shape[0], state.shape[2]
    self._features, self._lengths = inputs.shape[2], lengths
    self._time = tf.shape(inputs)[1] if inputs.shape[1] is None else inputs.shape[1]

  def forward(
    self, inputs: tf.Tensor, state: tf.Tensor, flat: Sequence[tf.Tensor], *, keep: bool
  ) -> tuple[list[tf.Tensor], list[tf.TensorArray]]:
    """Returns the outputs, and by step: gates, candidate, its recurrent part, the state before."""
    units = self._units
    recurrent, own = self._joined(flat[1::3]), [bias[1, 2 * units :] for bias in flat[2::3]]
    own_bias = tf.stack(own)[:, tf.newaxis] if self._directions > 1 else own[0]
    outputs = [self._array(inputs.dtype, [None, units]) for _ in range(self._directions)]
    rows = [self._directions, None] if self._directions > 1 else [None]
    widths = (2 * units, units, units, units) if keep else ()
    kept = [self._array(inputs.dtype, [*rows, width]) for width in widths]

    def chunk(begin: Any, carried: Any, steps: int) -> Any:
      hidden, outputs, kept = carried
      outputs, kept = list(outputs), list(kept)
      given = self._projected(inputs, flat, begin, steps)
      for step, (to_gates, to_candidate) in enumerate(zip(*given, strict=True)):
        before = hidden
        gates, recalled = tf.split(tf.matmul(hidden, recurrent), [2 * units, units], axis=-1)
        gates = tf.sigmoid(to_gates + gates)
        update, reset = tf.split(gates, 2, axis=-1)
        recalled += own_bias
        candidate = tf.tanh(to_candidate + reset * recalled)
        hidden = candidate + update * (hidden - candidate)
        for direction, output in enumerate(self._by_direction(hidden)):
          at = self._at(direction, begin + step)
          outputs[direction] = outputs[direction].write(at, output)
        values = (gates, candidate, recalled, before)[: len(kept)]
        kept = [array.write(begin + step, v) for array, v in zip(kept, values, strict=True)]
      return hidden, outputs, kept

    first = state if self._directions > 1 else state[0]
    _, outputs, kept = self._upward(chunk, (first, outputs, kept))
    return [output.stack() for output in outputs], kept

  def backward(
    self,
    inputs: tf.Tensor,
    flat: Sequence[tf.Tensor],
    kept: Sequence[tf.TensorArray],
    upstream: Sequence[tf.Tensor],
  ) -> list[tf.Tensor]:
    """Returns the gradients of inputs, state and weights."""
    units, directions, dtype = self._units, self._directions, inputs.dtype
    kernels, recurrent = flat[0::3], self._joined(flat[1::3])
    turned = tf.linalg.matrix_transpose(recurrent)
    arrays = [self._array(dtype, [None, units]).unstack(each) for each in upstream]

    def chunk(begin: Any, carried: Any, steps: int) -> Any:
      d_hidden, sums, d_inputs = carried
      d_inputs = list(d_inputs)
      by_step: list[tuple[tf.Tensor, ...]] = []
      for step in reversed(range(steps)):
        gates, candidate, recalled, before = (array.read(begin + step) for array in kept)
        update, reset = tf.split(gates, 2, axis=-1)
        d_output = [a.read(self._at(number, begin + step)) for number, a in enumerate(arrays)]
        d_hidden += self._joined(d_output)
        held = d_hidden * update
        d_candidate = tf.raw_ops.TanhGrad(y=candidate, dy=d_hidden - held)
        d_gates = tf.concat([d_hidden * (before - candidate), d_candidate * recalled], axis=-1)
        d_gates = tf.raw_ops.SigmoidGrad(y=gates, dy=d_gates)
        d_recurrent = tf.concat([d_gates, d_candidate * reset], axis=-1)
        d_hidden = held + tf.matmul(d_recurrent, turned)
        by_step.insert(0, (before, d_recurrent, d_candidate))
      # [directions, steps * batch, ...] each
      before, d_recurrent, d_candidate = (
        tf.reshape(tf.stack(each, axis=-3), [directions, -1, each[0].shape[-1]])
        for each in zip(*by_step, strict=True)
      )
      d_given = tf.concat([d_recurrent[..., : 2 * units], d_candidate], axis=-1)
      d_kernels = []
      for direction, kernel in enumerate(kernels):
        read = tf.reshape(self._read(inputs, direction, begin, steps), [-1, self._features])
        d_kernels.append(tf.matmul(read, d_given[direction], transpose_a=True))
        d_read = tf.matmul(d_given[direction], kernel, transpose_b=True)
        d_read = tf.unstack(tf.reshape(d_read, [steps, -1, self._features]))
        for step, each in enumerate(d_read):
          at = self._at(direction, begin + step)
          d_inputs[direction] = d_inputs[direction].write(at, each)
      added = [
        *d_kernels,
        tf.matmul(before, d_recurrent, transpose_a=True),
        tf.stack([tf.reduce_sum(d_given, axis=1), tf.reduce_sum(d_recurrent, axis=1)], axis=1),
      ]
      # Sums over a text lose too much in half precision.
      sums = [one + tf.cast(other, one.dtype) for one, other in zip(sums, added, strict=True)]
      return d_hidden, sums, d_inputs

    shapes = [
      *[[self._features, 3 * units]] * directions,
      [directions, units, 3 * units],
      [directions, 2, 3 * units],
    ]
    wide = tf.as_dtype(tf.float32 if dtype.size < 4 else dtype)
    sums = [tf.zeros(shape, wide) for shape in shapes]
    d_inputs = [self._array(dtype, [None, self._features]) for _ in kernels]
    no_gradient = tf.zeros_like(upstream[0][0])
    d_hidden = self._joined([no_gradient] * directions)
    d_hidden, sums, d_inputs = self._downward(chunk, (d_hidden, sums, d_inputs))
    *d_kernels, d_recurrents, d_biases = (tf.cast(each, dtype) for each in sums)
    d_read = tf.add_n([array.stack() for array in d_inputs])
    by_direction = zip(d_kernels, tf.unstack(d_recurrents), tf.unstack(d_biases), strict=True)
    return [
      tf.transpose(d_read, [1, 0, 2]),
      tf.stack(self._by_direction(d_hidden)),
      *(each for direction in by_direction for each in direction),
    ]

  def _projected(
    self, inputs: tf.Tensor, flat: Sequence[tf.Tensor], begin: Any, steps: int
  ) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
    """Returns by step what the inputs add to both gates and to the candidate."""
    units, found = self._units, []
    for direction, (kernel, bias) in enumerate(zip(flat[0::3], flat[2::3], strict=True)):
      # The recurrence's bias of the gates is added at once; reset multiplies the candidate's.
      to_gates = tf.concat([bias[1, : 2 * units], tf.zeros([units], bias.dtype)], axis=0)
      read = tf.reshape(self._read(inputs, direction, begin, steps), [-1, self._features])
      given = tf.nn.bias_add(tf.matmul(read, kernel), bias[0] + to_gates)
      given = tf.reshape(given, [steps, -1, 3 * units])
      if direction and self._lengths is not None:
        times = self._time - 1 - begin - tf.range(steps)
        is_past = tf.cast(times[:, tf.newaxis] >= self._lengths, given.dtype)
        update_only = tf.constant([_HOLD] * units + [0] * 2 * units, given.dtype)
        given += is_past[..., tf.newaxis] * update_only
      found.append(given)
    joined = tf.stack(found, axis=1) if self._directions > 1 else found[0]
    to_gates, to_candidate = tf.split(joined, [2 * units, units], axis=-1)
    return tf.unstack(to_gates, steps), tf.unstack(to_candidate, steps)

  def _read(self, inputs: tf.Tensor, direction: int, begin: Any, steps: int) -> tf.Tensor:
    """Returns the inputs of some steps in their order, `[steps, batch, features]`."""
    first = self._time - steps - begin if direction else begin
    part = tf.slice(inputs, [0, first, 0], [tf.shape(inputs)[0], steps, self._features])
    read = tf.transpose(part, [1, 0, 2])
    return tf.reverse(read, [0]) if direction and steps > 1 else read

  def _at(self, direction: int, step: Any) -> Any:
    return self._time - 1 - step if direction else step

  def _joined(self, tensors: Sequence[tf.Tensor]) -> tf.Tensor:
    return tf.stack(tensors) if self._directions > 1 else tensors[0]

  def _by_direction(self, tensor: tf.Tensor) -> list[tf.Tensor]:
    return tf.unstack(tensor) if self._directions > 1 else [tensor]

  def _array(self, dtype: tf.DType, shape: list[int | None]) -> tf.TensorArray:
    return tf.TensorArray(dtype, self._time, element_shape=shape)

  def _upward(self, chunk: Callable[..., Any], carried: Any) -> Any:
    if isinstance(self._time, int) and self._time <= _CHUNK:
      return chunk(0, carried, self._time)
    whole = self._time // _CHUNK * _CHUNK
    carried = _repeat(chunk, carried, first=0, end=whole, by=_CHUNK)
    return _repeat(chunk, carried, first=whole, end=self._time, by=1)

  def _downward(self, chunk: Callable[..., Any], carried: Any) -> Any:
    if isinstance(self._time, int) and self._time <= _CHUNK:
      return chunk(0, carried, self._time)
    whole = self._time // _CHUNK * _CHUNK
    carried = _repeat(chunk, carried, first=self._time - 1, end=whole - 1, by=-1)
    return _repeat(chunk, carried, first=whole - _CHUNK, end=-_CHUNK, by=-_CHUNK)


def _repeat(chunk: Callable[..., Any], carried: Any, *, first: Any, end: Any, by: int) -> Any:
  """Calls `chunk` with `first`, `first + by` and so on before `end`, each with `abs(by)` steps."""

  def goes_on(begin: tf.Tensor, _: Any) -> tf.Tensor:
    return begin < end if by > 0 else begin > end

  def one(begin: tf.Tensor, carried: Any) -> Any:
    return begin + by, chunk(begin, carried, abs(by))

  start = tf.convert_to_tensor(first, tf.int32)
  return tf.while_loop(goes_on, one, (start, carried), parallel_iterations=1)[1]
