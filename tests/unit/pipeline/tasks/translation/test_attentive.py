"""The scan that feeds attention back: its states, and its gradient against TensorFlow's own."""

import numpy as np
import tensorflow as tf

from pipeline.tasks.translation import attentive
from pipeline.tasks.translation.attentive import AttentiveGRU, Memory, attend

_STEPS, _BATCH, _SOURCE, _UNITS = 4, 3, 5, 6


def _arguments():
  rng = np.random.default_rng(0)

  def random(*shape):
    return tf.constant(rng.normal(size=shape), tf.float32)

  mask = np.zeros((_BATCH, _SOURCE), np.float32)
  mask[0, 3:] = attentive.NEVER
  mask[2, :] = attentive.NEVER  # an empty source
  return [
    random(_STEPS, _BATCH, 3 * _UNITS),
    random(_BATCH, _UNITS),
    random(_BATCH, _SOURCE, _UNITS),
    random(_BATCH, _SOURCE, 3 * _UNITS),
    tf.constant(mask),
    random(_UNITS, 3 * _UNITS),
    random(3 * _UNITS),
  ]


def _one_by_one(inputs, state, keys, fed, mask, recurrent, bias):
  states = []
  for step in inputs:
    attention = tf.nn.softmax(tf.linalg.matvec(keys, state) + mask)
    read = tf.einsum("bs,bsh->bh", attention, fed)
    said = tf.matmul(state, recurrent) + bias
    z, r, new = tf.split(step + read, 3, axis=1)
    z_said, r_said, new_said = tf.split(said, 3, axis=1)
    z, r = tf.sigmoid(z + z_said), tf.sigmoid(r + r_said)
    state = z * state + (1 - z) * tf.tanh(new + r * new_said)
    states.append(state)
  return tf.stack(states)


def test_its_gradient_is_tensorflows():
  arguments = _arguments()
  weights = tf.constant(np.random.default_rng(1).normal(size=(_STEPS, _BATCH, _UNITS)), tf.float32)
  found = {}
  for name, scan in (("ours", tf.function(attentive._scan)), ("theirs", _one_by_one)):
    with tf.GradientTape() as tape:
      tape.watch(arguments)
      states = scan(*arguments)
      loss = tf.reduce_sum(states * weights)
    of_all = [each for number, each in enumerate(arguments) if number != 4]  # not of the mask
    found[name] = [states, *tape.gradient(loss, of_all)]
  for ours, theirs in zip(*found.values(), strict=True):
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


def test_a_step_is_one_of_the_scan():
  tf.keras.utils.set_random_seed(1)
  _, state, keys, fed, mask, _, _ = _arguments()
  memory = Memory(keys=keys, values=fed, fed=fed, bias=mask)
  layer = AttentiveGRU(_UNITS)
  sequence = tf.random.normal([_BATCH, _STEPS, 2])
  at_once = layer(sequence, state, memory=memory)
  beam = tf.tile(state[:, tf.newaxis], [1, 2, 1])  # both hypotheses say the same
  for step in range(_STEPS):
    inputs = tf.tile(sequence[:, step, tf.newaxis], [1, 2, 1])
    beam = layer.step(inputs, beam, attend(beam, memory), memory.fed)
    np.testing.assert_allclose(beam[:, 0], at_once[:, step], atol=1e-6)
    np.testing.assert_allclose(beam[:, 1], at_once[:, step], atol=1e-6)
