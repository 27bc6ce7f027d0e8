"""Weights of classes: what they are, and that every way of training heeds them."""

import logging
import types

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from dlpipe import progress
from dlpipe.errors import BadInputError
from pipeline.problems.classes import PROBLEM, compile_args
from pipeline.task import Phase
from pipeline.training import datasets, loop
from pipeline.training.class_weights import RequireAsked, class_weights

_LABELS = [b"common", b"rare", b"rarest"]
_GRAPH = types.SimpleNamespace(vocabulary_by_name=lambda name: _LABELS)


@pytest.fixture(scope="module")
def split():
  """240 rows whose classes cannot be told apart: 200, 30 and 10 of them."""
  labels = np.repeat([0, 1, 2], [200, 30, 10])
  return datasets.in_memory({"x": np.ones((240, 1), "float32")}, labels)


def _of(wanted, split):
  return class_weights(PROBLEM, wanted, split, _GRAPH)


def test_none_weighs_nothing(split):
  assert _of("none", split) is None


def test_auto_is_the_inverse_of_the_frequency_and_is_said(split, caplog):
  caplog.set_level(logging.INFO, logger=progress.LOGGER_NAME)
  found = _of("auto", split).by_label
  assert found == pytest.approx({"common": 240 / 600, "rare": 240 / 90, "rarest": 240 / 30})
  assert caplog.messages == [
    "classes weigh by frequency 'rarest' 8, 'rare' 2.67, 'common' 0.4 (train.class_weights)"
  ]


def test_auto_is_bounded_and_its_mean_stays_one():
  labels = np.repeat([0, 1, 2], [99_990, 9, 1])
  found = _of("auto", datasets.in_memory({"x": np.ones((len(labels), 1))}, labels)).by_label
  weights = np.array(list(found.values()))
  assert weights.max() / weights.min() == pytest.approx(10 / (1 / 3), rel=1e-3)
  assert (weights[labels]).mean() == pytest.approx(1)


def test_classes_are_counted_where_the_split_is_read_in_each_epoch(split):
  streamed = datasets.Split(size=split.size, batches=split.batches)
  assert _of("auto", streamed) == _of("auto", split)


def test_a_label_that_is_not_named_weighs_one(split):
  assert _of({"rare": 5.0}, split).by_label == {"common": 1, "rare": 5, "rarest": 1}


def test_a_label_that_does_not_exist_is_refused(split):
  with pytest.raises(
    BadInputError,
    match=r"^train\.class_weights weighs 'raer', which is no class of train\. Did you mean 'rare'"
    r"\? Its classes are 'common', 'rare', 'rarest'\.",
  ):
    _of({"raer": 5.0}, split)


def test_what_adapts_a_model_is_given_the_weights(split):
  [(x, y, weights)] = _of({"rare": 5.0}, split).beside(split.batches(240, None)).take(1)
  np.testing.assert_array_equal(weights, np.where(y == 1, 5, 1))
  assert x.shape == (240, 1)


class OwnStep(keras.Model):
  """The guide's training step, by the compiled loss."""

  def train_step(self, data):
    x, y = data
    with tf.GradientTape() as tape:
      y_pred = self(x, training=True)
      loss = self.compute_loss(x=x, y=y, y_pred=y_pred)
    gradients = tape.gradient(loss, self.trainable_variables)
    self.optimizer.apply(gradients, self.trainable_variables)
    return {**self.compute_metrics(x, y, y_pred), "loss": loss}


class OwnLoss(OwnStep):
  """A training step that does not ask for the compiled loss."""

  def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, y_pred))


def _train(split, wanted, *, kind=keras.Model, phases=1, compile_args=compile_args, replicas=False):
  """Trains one step by all rows, from nothing; returns the shares that the classes have in it."""
  weights = _of(wanted, split)
  distribution = (
    tf.distribute.MirroredStrategy(["CPU:0"]) if replicas else tf.distribute.get_strategy()
  )
  with distribution.scope():
    inputs = keras.Input((1,))
    outputs = layers.Dense(3, use_bias=False, kernel_initializer="zeros")(inputs)
    model = kind(inputs, outputs)

  def arguments():
    given = {"optimizer": keras.optimizers.SGD, **compile_args(None)}
    return weights.compiled(given) if weights else given

  history = loop.Training(
    model=model,
    phases=[Phase(name=f"phase{n}", epochs=1, learning_rate=1.0) for n in range(phases)],
    train=split,
    val=split,
    compile_args=arguments,
    batch_size=240,
    monitor=("val_loss", "min"),
    patience=100,
    seed=1,
    distribution=distribution,
    checkpoint_dir=None,
    log_dir=None,
    own_callbacks=lambda: [RequireAsked()] if weights else [],
  ).run()
  # The gradient at 0 is a third of all weights less the weights of the class.
  logits = model.get_weights()[0][0]
  given = np.array([*weights.by_label.values()]) if weights else np.ones(3)
  whole = given[split.arrays[1]].mean()
  return (logits + whole / 3) / whole, history


@pytest.mark.parametrize(
  "settings", [{}, {"kind": OwnStep}, {"replicas": True}, {"phases": 2}], ids=str
)
def test_every_class_counts_alike(split, settings):
  shares, _ = _train(split, "auto", **settings)
  assert shares == pytest.approx([1 / 3] * 3, abs=1e-5)


def test_without_weights_every_row_counts_alike(split):
  shares, _ = _train(split, "none")
  assert shares == pytest.approx([200 / 240, 30 / 240, 10 / 240], abs=1e-5)


def test_a_weight_counts_as_so_many_rows(split):
  shares, _ = _train(split, {"rare": 5.0})
  assert shares == pytest.approx([200 / 360, 150 / 360, 10 / 360], abs=1e-5)


@pytest.mark.parametrize("name", ["accuracy", "acc"])
def test_the_accuracy_that_picks_the_best_epoch_is_weighted(split, name):
  """Else the epoch that always answers the commonest class would be the best."""

  def by_name(params):
    return {**compile_args(params), "metrics": [name]}

  _, history = _train(split, {"rare": 1000.0}, compile_args=by_name)
  assert history[-1][f"val_{name}"] == pytest.approx(30_000 / 30_210, abs=1e-3)


def test_the_usual_accuracy_is_weighted(split):
  _, history = _train(split, {"rare": 1000.0})
  assert history[-1]["val_accuracy"] == pytest.approx(30_000 / 30_210, abs=1e-3)


def test_a_loss_by_function_is_weighted(split):
  def rows(y_true, y_pred):
    return keras.ops.sparse_categorical_crossentropy(
      keras.ops.cast(y_true, "int32"), y_pred, from_logits=True
    )

  shares, _ = _train(split, "auto", compile_args=lambda params: {"loss": rows, "metrics": []})
  assert shares == pytest.approx([1 / 3] * 3, abs=1e-5)


@pytest.mark.parametrize(
  ("settings", "said"),
  [
    ({"kind": OwnLoss}, "this model's training step does not use it"),
    ({"compile_args": lambda params: {}}, "the loss that compile_args returns, and there is none"),
    (
      {"compile_args": lambda params: {"loss": lambda y, p: tf.reduce_mean(p)}},
      "one number for the batch",
    ),
  ],
)
def test_a_loss_that_weights_cannot_reach_is_refused(split, settings, said):
  with pytest.raises(BadInputError, match=said):
    _train(split, "auto", **settings)
