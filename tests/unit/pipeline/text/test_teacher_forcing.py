"""The training step that is written out: its loss, its gradients, what it counts."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipeline.text.teacher_forcing import TeacherForcedModel, smoothed_cross_entropy

_TOKENS = 5


class _Copier(TeacherForcedModel):
  """Predicts each token from the one before it, by one table."""

  def __init__(self, **options):
    super().__init__(
      **{"start_id": 2, "label_smoothing": 0.0, "clip_norm": 1.0, "name": "copier", **options}
    )
    self.table = self.add_weight(shape=(_TOKENS, _TOKENS), initializer="zeros", name="table")
    self.seen = []

  def call(self, source):
    return source

  def target_states(self, source, shifted, *, training):
    self.seen.append((shifted, training))
    return tf.one_hot(shifted, _TOKENS)

  def logits(self, states):
    return tf.matmul(states, self.table)


def _compiled(rate=0.1, **options):
  model = _Copier(**options)
  model.compile(keras.optimizers.SGD(rate), jit_compile=False, run_eagerly=True)
  model.optimizer.build(model.trainable_variables)
  return model


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
def test_smoothed_loss_is_keras(smoothing):
  rng = np.random.default_rng(1)
  logits = tf.constant(rng.normal(size=(7, _TOKENS)) * 3, tf.float32)
  labels = tf.constant(rng.integers(0, _TOKENS, 7))
  smoothed, likelihood = smoothed_cross_entropy(logits, labels, smoothing)
  of_keras = keras.losses.CategoricalCrossentropy(
    from_logits=True, label_smoothing=smoothing, reduction="none"
  )
  np.testing.assert_allclose(smoothed, of_keras(tf.one_hot(labels, _TOKENS), logits), rtol=1e-5)
  expected = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
  np.testing.assert_allclose(likelihood, expected, rtol=1e-5)


def test_each_token_is_predicted_from_the_true_one_before_it():
  model = _compiled()
  model.train_step((tf.constant([[1]]), tf.constant([[4, 3, 0]])))
  [(shifted, training)] = model.seen
  assert shifted.numpy().tolist() == [[2, 4, 3]]
  assert training is True
  model.test_step((tf.constant([[1]]), tf.constant([[4, 3, 0]])))
  assert model.seen[1][1] is False


def test_one_step_is_gradient_descent_on_the_mean_over_tokens():
  model = _compiled(rate=1.0, clip_norm=100.0)
  model.train_step((tf.constant([[1]]), tf.constant([[4, 3, 0]])))
  uniform = 1 / _TOKENS
  expected = np.zeros((_TOKENS, _TOKENS))
  for before, token in ((2, 4), (4, 3)):  # the padding after 3 teaches nothing
    expected[before] = (np.eye(_TOKENS)[token] - uniform) / 2
  np.testing.assert_allclose(model.table.numpy(), expected, atol=1e-6)


def test_gradients_are_clipped_to_the_norm():
  model = _compiled(rate=1.0, clip_norm=0.01)
  model.train_step((tf.constant([[1]]), tf.constant([[4, 3]])))
  assert np.linalg.norm(model.table.numpy()) == pytest.approx(0.01, rel=1e-4)


def test_replicas_clip_to_a_norm_that_their_sum_keeps_to(monkeypatch):
  one = tf.distribute.get_strategy()

  class Four:
    num_replicas_in_sync = 4

    def __getattr__(self, name):
      return getattr(one, name)

  monkeypatch.setattr(tf.distribute, "get_strategy", Four)
  model = _compiled(rate=1.0, clip_norm=0.01)
  model.train_step((tf.constant([[1]]), tf.constant([[4, 3]])))
  assert np.linalg.norm(model.table.numpy()) == pytest.approx(0.01 / 4, rel=1e-4)


def test_loss_and_accuracy_are_of_tokens_without_padding():
  model = _compiled(rate=0.0)
  model.table.assign(np.eye(_TOKENS, k=1) * 50)  # 2 -> 3 -> 4
  logs = model.test_step((tf.constant([[1], [1]]), tf.constant([[3, 4, 0], [4, 0, 0]])))
  assert float(logs["accuracy"]) == pytest.approx(2 / 3)
  assert float(logs["loss"]) == pytest.approx(50 / 3, rel=1e-4)


def test_fit_learns_in_graph_and_resets_its_metrics_each_epoch():
  model = _Copier()
  model.compile(keras.optimizers.Adam(0.2), jit_compile=False)
  model.optimizer.build(model.trainable_variables)
  rows = tf.data.Dataset.from_tensors((tf.constant([[1]]), tf.constant([[3, 4, 1]])))
  history = model.fit(rows.repeat(10), validation_data=rows, epochs=4, verbose=0).history
  assert history["val_accuracy"][-1] == 1.0
  assert history["loss"][-1] < 0.1 < history["loss"][0]


def test_mixed_precision_clips_unscaled_gradients():
  model = _Copier(clip_norm=0.01)
  optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(1.0), initial_scale=1024.0)
  model.compile(optimizer, jit_compile=False, run_eagerly=True)
  optimizer.build(model.trainable_variables)
  model.train_step((tf.constant([[1]]), tf.constant([[4, 3]])))
  assert np.linalg.norm(model.table.numpy()) == pytest.approx(0.01, rel=1e-3)
