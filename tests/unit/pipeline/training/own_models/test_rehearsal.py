"""A model that could be trained and not served is refused before its first epoch."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

from dlpipe.errors import BadInputError, DlpipeError
from pipeline.task import Phase


def _no_epoch(params):
  raise AssertionError("the model is trained")


def _sequential(*before, classes=2):
  return lambda: keras.Sequential(
    [keras.Input((4,)), layers.Dense(8, activation="relu"), *before, layers.Dense(classes)]
  )


class Scaled(layers.Layer):
  """Keras 3 does not track a tf.Variable."""

  def __init__(self):
    super().__init__()
    self.gain = tf.Variable(1.0, name="gain")

  def call(self, inputs):
    return inputs * self.gain


class Hidden(keras.Model):
  """Its layer is in a closure, where Keras does not look."""

  def __init__(self):
    super().__init__()
    hidden, self.head = layers.Dense(8, name="hidden"), layers.Dense(2)
    self.body = lambda inputs: hidden(inputs)

  def call(self, inputs):
    return self.head(self.body(inputs))


class Noise(layers.Layer):
  def call(self, inputs):
    return inputs + tf.random.normal(tf.shape(inputs))


class Counting(layers.Layer):
  def build(self, shape):
    self.mean = self.add_weight(shape=(shape[-1],), trainable=False, name="running_mean")

  def call(self, inputs):
    self.mean.assign(0.9 * self.mean + 0.1 * ops.mean(inputs, axis=0))
    return inputs - self.mean


class Centred(layers.Layer):
  def call(self, inputs):
    return inputs - ops.mean(inputs, axis=0, keepdims=True)


class Python(layers.Layer):
  def call(self, inputs):
    said = tf.py_function(lambda each: each.numpy() * 2, [inputs], tf.float32)
    return tf.ensure_shape(said, inputs.shape)


class Reading(layers.Layer):
  def __init__(self, path):
    super().__init__()
    self._path = str(path)

  def call(self, inputs):
    return inputs - tf.io.decode_raw(tf.io.read_file(self._path), tf.float32)


class Root(layers.Layer):
  def call(self, inputs):
    return ops.sqrt(-1 - inputs)


class LeftOn(keras.Model):
  """Dropout in inference, too."""

  def __init__(self):
    super().__init__()
    self.body, self.dropout, self.head = layers.Dense(32), layers.Dropout(0.5), layers.Dense(2)

  def call(self, inputs):
    return self.head(self.dropout(self.body(inputs), training=True))


def _two_outputs():
  inputs = keras.Input((4,))
  outputs = {name: layers.Dense(2, name=name)(inputs) for name in ("main", "aux")}
  return keras.Model(inputs, outputs)


@pytest.mark.parametrize(
  ("build", "said"),
  [
    (_sequential(Scaled()), r"variables that Keras does not know as its weights: gain\. They"),
    (Hidden, r"does not know as its weights: .*hidden/kernel, .*hidden/bias\. .*attributes of the"),
    (_sequential(Noise()), r"answers the same rows differently each time, by .*training=True"),
    (LeftOn, r"answers the same rows differently each time"),
    (_sequential(Counting()), r"changes .*/running_mean whenever it answers.*`training` is true"),
    (_sequential(Centred()), r"answers a row differently if it is alone in its batch"),
    (_sequential(Python()), r"EagerPyFunc calls back into the Python process"),
    (_sequential(Root()), r"answers rows of train with nan"),
    (_sequential(classes=3), r"\[batch, 2\], .* 2 labels \(low, high\)\. Received: \[batch, 3\]"),
    (_sequential(layers.Reshape((8, 1))), r"Received: \[batch, 8, 2\]\. Change its last layer"),
    (_two_outputs, r"Received: several outputs \((main, aux|aux, main)\)\. Return one of them"),
  ],
)
def test_what_could_not_be_served_is_refused_before_it_is_trained(learn, build, said):
  with pytest.raises(BadInputError, match=said):
    learn(build, training_plan=_no_epoch)


def test_a_model_that_reads_a_file_when_it_answers_is_refused(learn, tmp_path):
  path = tmp_path / "mean.bin"
  path.write_bytes(np.zeros(8, np.float32).tobytes())
  with pytest.raises(BadInputError, match=r"ReadFile reads a file of this machine .*build_model"):
    learn(_sequential(Reading(path)), training_plan=_no_epoch)


class RunningNorm(layers.Layer):
  """State that only training changes."""

  def build(self, shape):
    self.mean = self.add_weight(shape=(shape[-1],), trainable=False, name="running_mean")

  def call(self, inputs, training=False):
    if training:
      self.mean.assign(0.9 * self.mean + 0.1 * ops.mean(inputs, axis=0))
    return inputs - self.mean


def _one_epoch(params):
  return (Phase(name="train", epochs=1, learning_rate=0.05),)


@pytest.mark.parametrize(
  "layer",
  [RunningNorm(), layers.BatchNormalization(), layers.Dropout(0.5), layers.GaussianNoise(1)],
)
def test_what_only_training_does_is_allowed(learn, layer):
  assert len(learn(_sequential(layer), training_plan=_one_epoch).history) == 1


class Mistaken(keras.Model):
  def __init__(self):
    super().__init__()
    self.head = layers.Dense(2)

  def call(self, inputs):
    return self.head(inputs) + self.missing


def test_an_error_of_ones_own_code_is_told_with_file_and_line(learn):
  said = (
    r"^The model of build_model failed at .*test_rehearsal\.py, line \d+, in call: "
    r"AttributeError: .*'Mistaken' object has no attribute 'missing'"
  )
  with pytest.raises(DlpipeError, match=said):
    learn(Mistaken)


def test_an_error_in_a_layer_is_told_as_it_was(learn):
  class Short(layers.Layer):
    def call(self, inputs):
      return tf.matmul(inputs, tf.ones((7, 2)))

  said = r"test_rehearsal\.py, line \d+, in call: ValueError: .*\(calling Short\.call\(\)\)"
  with pytest.raises(DlpipeError, match=said):
    learn(lambda: _sequential(Short())())


def test_an_error_in_the_graph_is_told_in_a_line(learn):
  class Short(layers.Layer):
    def call(self, inputs):
      return tf.reshape(inputs, [-1, 7])

  said = r"cannot answer rows of train: Input to reshape is a tensor with 32 values.*multiple of 7$"
  with pytest.raises(BadInputError, match=said):
    learn(lambda: _sequential(Short())())
