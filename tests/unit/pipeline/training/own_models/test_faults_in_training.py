"""Faults that show in training: what diverges, and what the loss does not teach."""

import logging
import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from dlpipe import progress
from dlpipe.errors import BadInputError, DlpipeError
from pipeline.training.training_record import ENDED_BY

_CROSS_ENTROPY = keras.losses.SparseCategoricalCrossentropy


def _args(**more):
  return lambda params: {
    "loss": _CROSS_ENTROPY(from_logits=True),
    "metrics": [keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
    **more,
  }


def _model(*layers_between):
  return keras.Sequential([keras.Input((4,)), layers.Dense(4), *layers_between, layers.Dense(2)])


class _Breaks(keras.losses.Loss):
  """Is nan from a step on."""

  def __init__(self, step):
    super().__init__()
    self._step, self._count = step, tf.Variable(0)

  def call(self, y_true, y_pred):
    loss = _CROSS_ENTROPY(from_logits=True, reduction=None)(y_true, y_pred)
    return tf.where(self._count.assign_add(1) > self._step, math.nan, 1.0) * loss


def test_a_training_that_diverges_at_once_fails_and_says_what_to_do(learn):
  said = (
    r"The training diverged\. train epoch 1, step 1: the weight .*/kernel has become nan, and no "
    r"epoch before can be kept\. Lower the learning rate \(--set train\.learning_rate=\.\.\.\)"
  )
  # An accuracy stays a number, and would pick weights that are none.
  with pytest.raises(DlpipeError, match=said):
    learn(_model, compile_args=_args(loss=_Breaks(0)), monitor=("val_accuracy", "max"))


def test_a_training_that_diverges_later_keeps_the_best_epoch_before(learn, caplog):
  caplog.set_level(logging.INFO, logger=progress.LOGGER_NAME)
  # Three steps of training and one of val are an epoch.
  own = _args(loss=_Breaks(5))
  learned = learn(_model, compile_args=own, monitor=("val_accuracy", "max"))
  assert [row["epoch"] for row in learned.history] == [1, 2]
  assert math.isfinite(learned.history[0]["val_accuracy"])
  assert math.isnan(learned.history[1]["val_accuracy"])
  assert "has become nan" in learned.history[1][ENDED_BY]
  assert all(np.isfinite(each).all() for each in learned.model.get_weights())
  [line] = [line for line in caplog.messages if "has become nan" in line]
  assert line.endswith("; training ends here, and the best epoch before is kept")


def test_a_loss_that_is_not_finite_alone_ends_nothing(learn):
  class Odd(keras.metrics.Mean):
    def update_state(self, y_true, y_pred, sample_weight=None):
      super().update_state(math.nan)

  learned = learn(_model, compile_args=_args(metrics=[Odd(name="odd")]))
  assert len(learned.history) == 3
  assert ENDED_BY not in learned.history[-1]


class _Rounded(layers.Layer):
  def call(self, inputs):
    return tf.cast(tf.cast(10 * inputs, tf.int32), tf.float32)


def test_weights_that_the_loss_does_not_teach_are_named(learn, caplog):
  caplog.set_level(logging.INFO, logger=progress.LOGGER_NAME)

  def build():
    inputs = keras.Input((4,))
    cut = _Rounded()(layers.Dense(4, name="lost")(inputs))
    return keras.Model(inputs, layers.Dense(2)(layers.Concatenate()([inputs, cut])))

  assert len(learn(build).history) == 3
  assert [line for line in caplog.messages if "does not depend" in line] == [
    "not trained, because the loss does not depend on them: lost/kernel, lost/bias"
  ]


def test_a_model_that_cannot_learn_at_all_is_refused(learn):
  def build():
    return keras.Sequential([keras.Input((4,)), layers.Dense(2, name="only"), _Rounded()])

  with pytest.raises(
    BadInputError, match=r"No weight has a gradient \(.*only/kernel, .*only/bias\)"
  ):
    learn(build)


def test_a_callback_that_ends_a_phase_is_recorded(learn):
  def callbacks(params):
    return [keras.callbacks.EarlyStopping("loss", min_delta=100, patience=1)]

  learned = learn(_model, callbacks=callbacks)
  assert len(learned.history) == 2
  assert learned.history[-1][ENDED_BY] == "a callback of the task"
