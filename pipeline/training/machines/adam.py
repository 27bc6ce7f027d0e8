"""Adam as one op for each weight."""

from __future__ import annotations

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="dlpipe")
class FusedAdam(keras.optimizers.Adam):
  """`keras.optimizers.Adam` that passes once over each weight and its state.

  Keras' own takes ten ops, each of which passes over all rows of an embedding. The result is the
  same to rounding, except for rows that a batch reads several times: their gradients are added up
  before they are squared, as the method says and as Keras does for a dense gradient; Keras squares
  each by itself. `ResourceApplyAdam` has kernels for CPUs, GPUs and XLA.

  Source: Kingma, Ba 2015, https://arxiv.org/abs/1412.6980
  """

  def update_step(
    self, gradient: tf.Tensor | tf.IndexedSlices, variable: tf.Variable, learning_rate: tf.Tensor
  ) -> None:
    """Updates one weight in place; a sparse gradient is made dense."""
    if self.amsgrad:
      super().update_step(gradient, variable, learning_rate)
      return
    dtype = variable.dtype
    step = tf.cast(self.iterations.value + 1, dtype)
    index = self._get_variable_index(variable)
    tf.raw_ops.ResourceApplyAdam(
      var=variable.handle,
      m=self._momentums[index].value.handle,
      v=self._velocities[index].value.handle,
      beta1_power=tf.cast(self.beta_1, dtype) ** step,
      beta2_power=tf.cast(self.beta_2, dtype) ** step,
      lr=tf.cast(learning_rate, dtype),
      beta1=tf.cast(self.beta_1, dtype),
      beta2=tf.cast(self.beta_2, dtype),
      epsilon=tf.cast(self.epsilon, dtype),
      grad=tf.cast(tf.convert_to_tensor(gradient), dtype),
    )
