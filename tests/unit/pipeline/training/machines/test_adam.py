"""One op for each weight learns what Keras' Adam learns; rows that repeat are one gradient."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipeline.training.machines.adam import FusedAdam

_ROWS = 7


class _Lookup(keras.layers.Layer):
  """An embedding of ids, read by rows or as a product with a dense gradient."""

  def __init__(self, *, sparse: bool):
    super().__init__()
    self._sparse = sparse

  def build(self, _):
    self.table = self.add_weight(shape=(_ROWS, 4), initializer="glorot_uniform", name="table")

  def call(self, ids):
    if self._sparse:
      return tf.gather(tf.convert_to_tensor(self.table), ids)
    return tf.one_hot(ids, _ROWS) @ tf.convert_to_tensor(self.table)


def _trained(optimizer, *, sparse=False, jit=False, scale=False) -> list[np.ndarray]:
  keras.utils.set_random_seed(1)
  lookup = _Lookup(sparse=sparse)
  model = keras.Sequential([keras.Input([3], dtype="int32"), lookup, keras.layers.Dense(2)])
  if scale:
    optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
  model.compile(optimizer, "mse", jit_compile=jit)
  rng = np.random.default_rng(0)
  # The last row is never read.
  ids, wanted = rng.integers(0, _ROWS - 1, (64, 3)), rng.normal(size=(64, 3, 2))
  model.fit(ids, wanted, batch_size=8, epochs=3, shuffle=False, verbose=0)
  return [*model.get_weights(), *(np.asarray(each) for each in model.optimizer.variables)]


def _assert_close(found: list[np.ndarray], expected: list[np.ndarray]) -> None:
  for one, other in zip(found, expected, strict=True):
    np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
  "arguments", [{}, {"weight_decay": 0.01, "global_clipnorm": 0.1}, {"amsgrad": True}], ids=str
)
@pytest.mark.parametrize("trained", [{}, {"jit": True}, {"scale": True}], ids=str)
def test_weights_and_state_are_those_of_keras(arguments, trained):
  schedule = keras.optimizers.schedules.CosineDecay(0.05, 24)
  found, expected = (
    _trained(kind(schedule, **arguments), **trained) for kind in (FusedAdam, keras.optimizers.Adam)
  )
  _assert_close(found, expected)


def test_a_row_that_is_read_again_and_again_has_one_gradient():
  # Keras squares each of its parts by itself, and takes too large steps.
  _assert_close(_trained(FusedAdam(0.05), sparse=True), _trained(FusedAdam(0.05)))


def test_the_copies_of_several_devices_are_updated():
  [cpu, *_] = tf.config.list_logical_devices("CPU")
  with tf.distribute.MirroredStrategy([cpu.name]).scope():
    found = _trained(FusedAdam(0.05), sparse=True)
  _assert_close(found, _trained(FusedAdam(0.05)))
