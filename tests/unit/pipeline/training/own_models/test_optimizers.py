"""Optimizers of one's own, models that are compiled already, and callbacks of one's own."""

import logging

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from dlpipe import progress
from dlpipe.errors import BadInputError
from pipeline.task import Phase

_EPOCHS = 3
_CROSS_ENTROPY = keras.losses.SparseCategoricalCrossentropy


def _compile_args(params):
  return {
    "loss": _CROSS_ENTROPY(from_logits=True),
    "metrics": [keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
  }


def _plan(params):
  return (Phase(name="train", epochs=_EPOCHS, learning_rate=0.05),)


def _logits(**arguments):
  inputs = keras.Input((4,))
  hidden = layers.Dense(8, activation="relu")(inputs)
  return arguments.pop("model", keras.Model)(inputs, layers.Dense(2, dtype="float32")(hidden))


def _args(**more):
  return lambda params: {**_compile_args(params), **more}


def test_an_optimizer_of_ones_own_keeps_its_schedule_and_says_so(learn, caplog):
  caplog.set_level(logging.INFO, logger=progress.LOGGER_NAME)
  decay = keras.optimizers.schedules.ExponentialDecay(0.5, decay_steps=3, decay_rate=0.1)
  own = _args(optimizer=keras.optimizers.SGD(decay))
  learned = learn(_logits, compile_args=own)
  assert isinstance(learned.model.optimizer, keras.optimizers.SGD)
  # 48 rows in batches of 16 are three steps an epoch.
  rates = [row["learning_rate"] for row in learned.history]
  assert rates == pytest.approx([0.05, 0.005, 0.0005], rel=1e-4)
  assert [line for line in caplog.messages if "own SGD" in line] == [
    "trained by the task's own SGD at its own rate: the phase's rate and schedule are not used"
  ]


def test_a_named_optimizer_is_keras_own(learn):
  learned = learn(_logits, compile_args=_args(optimizer="adamw"))
  assert isinstance(learned.model.optimizer, keras.optimizers.AdamW)
  assert [row["learning_rate"] for row in learned.history] == pytest.approx([0.001] * _EPOCHS)


@pytest.mark.parametrize(
  "make", [keras.optimizers.AdamW, lambda rate: keras.optimizers.SGD(rate, momentum=0.9)]
)
def test_a_function_of_the_schedule_is_given_the_phases(learn, caplog, make):
  caplog.set_level(logging.INFO, logger=progress.LOGGER_NAME)
  learned = learn(_logits, compile_args=_args(optimizer=make))
  assert type(learned.model.optimizer) is type(make(0.1))
  rates = [row["learning_rate"] for row in learned.history]
  cosine = [0.05 * (1 + np.cos(np.pi * epoch / _EPOCHS)) / 2 for epoch in (1, 2, 3)]
  assert rates == pytest.approx(cosine, abs=1e-6)
  assert not any("own rate" in line for line in caplog.messages)


def _compiled(**more):
  model = _logits()
  model.compile(keras.optimizers.SGD(0.25), **_compile_args({}), **more)
  return model


def test_what_build_model_compiled_is_trained_as_it_is(learn):
  learned = learn(_compiled, compile_args=lambda hp: {})
  assert isinstance(learned.model.optimizer, keras.optimizers.SGD)
  assert [row["learning_rate"] for row in learned.history] == [0.25] * _EPOCHS
  assert "val_accuracy" in learned.history[0]


@pytest.mark.parametrize(
  ("changes", "said"),
  [
    ({"compile_args": _compile_args}, "compile_args gives loss, metrics besides"),
    (
      {"compile_args": lambda hp: {}, "training_plan": lambda hp: 2 * _plan(hp)},
      "training has 2 phases",
    ),
  ],
)
def test_two_compiles_are_refused(learn, changes, said):
  with pytest.raises(BadInputError, match=said):
    learn(_compiled, **changes)


def test_several_optimizers_train_their_own_parts_and_are_kept(learn, tmp_path):
  class Two(keras.Model):
    """As the guide's example of two networks that learn in one step."""

    def __init__(self):
      super().__init__()
      self.body, self.head = layers.Dense(8, activation="relu"), layers.Dense(2)
      self.tracker = keras.metrics.Mean(name="loss")

    def call(self, inputs):
      return self.head(self.body(inputs))

    def compile(self, body_optimizer, head_optimizer, loss_fn):
      super().compile()
      self.body_optimizer, self.head_optimizer = body_optimizer, head_optimizer
      self.loss_fn = loss_fn

    @property
    def metrics(self):
      return [self.tracker]

    def train_step(self, data):
      x, y = data
      with tf.GradientTape(persistent=True) as tape:
        loss = self.loss_fn(y, self(x))
      for part, optimizer in (
        (self.body, self.body_optimizer),
        (self.head, self.head_optimizer),
      ):
        weights = part.trainable_weights
        optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
      self.tracker.update_state(loss)
      return {"loss": self.tracker.result()}

    def test_step(self, data):
      x, y = data
      self.tracker.update_state(self.loss_fn(y, self(x)))
      return {"loss": self.tracker.result()}

  def build():
    model = Two()
    model.compile(
      keras.optimizers.Adam(0.05), keras.optimizers.SGD(0.5), _CROSS_ENTROPY(from_logits=True)
    )
    return model

  learned = learn(build, compile_args=lambda hp: {}, checkpoint_dir=tmp_path)
  assert learned.history[-1]["val_loss"] < learned.history[0]["val_loss"]
  # Keras' own compile leaves an RMSprop behind, at a rate that trains nothing.
  assert [row["learning_rate"] for row in learned.history] == pytest.approx([0.05] * _EPOCHS)
  kept = np.load(tmp_path / "state.npz")
  # Adam has two for each of the two weights, and both optimizers their step and rate.
  assert len([name for name in kept.files if name.startswith("optimizer/")]) >= 8


class OwnMetric(keras.callbacks.Callback):
  def on_epoch_end(self, epoch, logs=None):
    logs["val_own"] = float(epoch == 1)


def test_callbacks_of_ones_own_are_called_and_may_add_to_the_logs(learn):
  told = []

  def callbacks(params):
    seen = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: told.append(epoch))
    return [OwnMetric(), seen]

  learned = learn(_logits, callbacks=callbacks, monitor=("val_own", "max"))
  assert told == [0, 1, 2]
  assert [row["val_own"] for row in learned.history] == [0.0, 1.0, 0.0]


def test_callbacks_may_stop_training_and_set_the_rate_of_ones_own_optimizer(learn):
  def callbacks(params):
    return [
      keras.callbacks.LearningRateScheduler(lambda epoch: 0.1 / (epoch + 1)),
      keras.callbacks.EarlyStopping("loss", min_delta=100, patience=1),
    ]

  own = _args(optimizer=keras.optimizers.SGD(0.7))
  learned = learn(_logits, callbacks=callbacks, compile_args=own)
  assert [row["learning_rate"] for row in learned.history] == pytest.approx([0.1, 0.05])


def test_averages_of_weights_are_judged_and_kept(learn):
  """Adam(use_ema=True): what Keras' fit leaves at its end, of the best epoch."""
  told = {}

  class Told(keras.callbacks.Callback):
    def on_test_begin(self, logs=None):
      told["judged"] = self.model.get_weights()

    def on_epoch_end(self, epoch, logs=None):
      told["trained"] = self.model.get_weights()
      told["averages"] = [np.array(v) for v in self.model.optimizer._model_variables_moving_average]

  own = _args(optimizer=keras.optimizers.SGD(0.5, use_ema=True, ema_momentum=0.8))
  # The last epoch is the best by a monitor that grows.
  learned = learn(
    _logits,
    compile_args=own,
    callbacks=lambda params: [Told(), Growing()],
    monitor=("val_growing", "max"),
  )
  for kept, judged, average, trained in zip(
    learned.model.get_weights(), told["judged"], told["averages"], told["trained"], strict=True
  ):
    np.testing.assert_array_equal(kept, average)
    np.testing.assert_array_equal(judged, average)
    assert not np.array_equal(trained, average)


class Growing(keras.callbacks.Callback):
  def on_epoch_end(self, epoch, logs=None):
    logs["val_growing"] = float(epoch)


def test_a_second_swap_of_averages_is_refused(learn):
  own = _args(optimizer=keras.optimizers.SGD(0.5, use_ema=True))
  with pytest.raises(BadInputError, match="have SwapEMAWeights. Leave it out"):
    learn(_logits, compile_args=own, callbacks=lambda params: [keras.callbacks.SwapEMAWeights()])


@pytest.mark.parametrize(
  "callback",
  [
    keras.callbacks.ReduceLROnPlateau(patience=1),
    keras.callbacks.LearningRateScheduler(lambda epoch: 0.1),
  ],
)
def test_two_that_set_the_rate_are_refused_before_the_first_epoch(learn, callback):
  said = f"callbacks have {type(callback).__name__}, which sets the learning rate, but a schedule"
  with pytest.raises(BadInputError, match=said):
    learn(_logits, callbacks=lambda params: [callback])


def test_weights_that_a_callback_restores_by_another_metric_are_told(learn, caplog):
  caplog.set_level(logging.INFO, logger=progress.LOGGER_NAME)
  stopping = keras.callbacks.EarlyStopping("val_loss", patience=9, restore_best_weights=True)
  learn(_logits, callbacks=lambda params: [stopping], monitor=("val_accuracy", "max"))
  assert (
    "the weights of the best epoch by val_accuracy are kept, and not those that EarlyStopping "
    "restores, by val_loss"
  ) in caplog.messages
  caplog.clear()
  learn(_logits, callbacks=lambda params: [stopping], monitor=("val_loss", "min"))
  assert not any("restores" in line for line in caplog.messages)
