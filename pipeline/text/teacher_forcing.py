"""A model with a custom training step: TensorFlow's low-level API inside Keras' `fit`.

`TeacherForcedModel` writes out what `keras.Model` does behind `compile` and `fit`: it records the
forward pass with `tf.GradientTape`, computes gradients, clips them and applies them. The shared
loop calls it like any other model: Keras still handles batches, checkpoints, the learning-rate
schedule, early stopping and progress. Your model may override `train_step` in the same way.
"""

from __future__ import annotations

import keras
import tensorflow as tf


class TeacherForcedModel(keras.Model):
  """Learns a sequence token by token, each from the true tokens before it.

  A subclass implements `target_states` and `logits`. Targets are `[batch, time]` int, 0 after
  their end; position 0 predicts from `start_id`.
  """

  def __init__(self, *, start_id: int, label_smoothing: float, clip_norm: float, name: str):
    """Takes the largest global norm of the gradients; larger gradients are scaled down.

    The gradients of replicas are summed, so each replica gets its share of this norm.
    """
    super().__init__(name=name)
    self._start_id, self._smoothing, self._clip_norm = start_id, label_smoothing, clip_norm
    self._loss = keras.metrics.Mean(name="loss")
    self._accuracy = keras.metrics.Mean(name="accuracy")

  def target_states(self, source: tf.Tensor, shifted: tf.Tensor, *, training: bool) -> tf.Tensor:
    """Maps `[batch, time]` source and shifted target to `[batch, time, units]` for `logits`."""
    raise NotImplementedError

  def logits(self, states: tf.Tensor) -> tf.Tensor:
    """Maps `[n, units]` to `[n, tokens]` float32."""
    raise NotImplementedError

  def prepare(self, source: tf.Tensor, target: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Changes a training batch before the training step; returns it unchanged here."""
    return source, target

  def train_step(self, data: tuple[tf.Tensor, tf.Tensor]) -> dict[str, tf.Tensor]:
    """Runs one training step on `(source, target)`."""
    source, target = self.prepare(*data)
    with tf.GradientTape() as tape:
      smoothed, likelihood, right = self._judge(source, target, training=True)
      # Each replica takes its part of the mean; mixed precision scales small gradients up.
      replicas = tf.distribute.get_strategy().num_replicas_in_sync
      loss = self.optimizer.scale_loss(tf.reduce_mean(smoothed) / replicas)
    variables = [variable.value for variable in self.trainable_variables]
    gradients, _ = tf.clip_by_global_norm(
      tape.gradient(loss, variables), self.optimizer.scale_loss(self._clip_norm / replicas)
    )
    self.optimizer.apply(gradients, self.trainable_variables)
    return self._update(likelihood, right)

  def test_step(self, data: tuple[tf.Tensor, tf.Tensor]) -> dict[str, tf.Tensor]:
    """Runs one evaluation step on `(source, target)`."""
    _, likelihood, right = self._judge(*data, training=False)
    return self._update(likelihood, right)

  def _judge(
    self, source: tf.Tensor, target: tf.Tensor, *, training: bool
  ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Returns for each true token: loss, negative log-likelihood, and whether it ranks first."""
    shifted = tf.pad(target[:, :-1], [[0, 0], [1, 0]], constant_values=self._start_id)
    states = self.target_states(source, shifted, training=training)
    # The logits are the largest cost, so they are not computed for the padding.
    is_token = target != 0
    logits = self.logits(tf.boolean_mask(states, is_token))
    labels = tf.boolean_mask(target, is_token)
    smoothed, likelihood = smoothed_cross_entropy(logits, labels, self._smoothing)
    return smoothed, likelihood, tf.argmax(logits, axis=1, output_type=labels.dtype) == labels

  def _update(self, likelihood: tf.Tensor, right: tf.Tensor) -> dict[str, tf.Tensor]:
    self._loss.update_state(likelihood)
    self._accuracy.update_state(tf.cast(right, tf.float32))
    return {"loss": self._loss.result(), "accuracy": self._accuracy.result()}


def smoothed_cross_entropy(
  logits: tf.Tensor, labels: tf.Tensor, smoothing: float
) -> tuple[tf.Tensor, tf.Tensor]:
  """Computes cross-entropy with label smoothing: all tokens share `smoothing` of the weight.

  It does not build the `[n, tokens]` array of smoothed labels.

  Args:
    logits: `[n, tokens]` float32.
    labels: `[n]` int.
    smoothing: 0 to 1.

  Returns:
    `[n]` float32 each: the smoothed cross-entropy, and the negative log-likelihood.

  Source: Szegedy et al. 2016, "Rethinking the Inception Architecture for Computer Vision",
  https://arxiv.org/abs/1512.00567
  """
  normalizer = tf.reduce_logsumexp(logits, axis=1)
  chosen = tf.gather(logits, labels, batch_dims=1)
  smoothed = normalizer - (1 - smoothing) * chosen - smoothing * tf.reduce_mean(logits, axis=1)
  return smoothed, normalizer - chosen
