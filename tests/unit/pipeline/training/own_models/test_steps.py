"""Training steps and losses of one's own, in the shapes of Keras' guides."""

import logging

import keras
import pytest
import tensorflow as tf
from keras import layers, ops

from dlpipe import progress
from dlpipe.errors import BadInputError
from pipeline.problems import classes
from pipeline.training.machines import precision, strategy

_CROSS_ENTROPY = keras.losses.SparseCategoricalCrossentropy


def _compile_args(params):
  return {
    "loss": _CROSS_ENTROPY(from_logits=True),
    "metrics": [keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
  }


def _logits(**arguments):
  inputs = keras.Input((4,))
  hidden = layers.Dense(8, activation="relu")(inputs)
  return arguments.pop("model", keras.Model)(inputs, layers.Dense(2, dtype="float32")(hidden))


class OwnStep(keras.Model):
  """The guide's first example, at the low level: GradientTape, compute_loss, metrics by name."""

  def train_step(self, data):
    x, y = data
    with tf.GradientTape() as tape:
      y_pred = self(x, training=True)
      loss = self.compute_loss(x=x, y=y, y_pred=y_pred)
    gradients = tape.gradient(loss, self.trainable_variables)
    self.optimizer.apply(gradients, self.trainable_variables)
    return self._told(y, y_pred, loss)

  def test_step(self, data):
    x, y = data
    y_pred = self(x, training=False)
    return self._told(y, y_pred, self.compute_loss(x=x, y=y, y_pred=y_pred))

  def _told(self, y, y_pred, loss):
    for metric in self.metrics:
      if metric.name == "loss":
        metric.update_state(loss)
      else:
        metric.update_state(y, y_pred)
    return {metric.name: metric.result() for metric in self.metrics}


class NestedLogs(OwnStep):
  def _told(self, y, y_pred, loss):
    plain = super()._told(y, y_pred, loss)
    return {"loss": plain["loss"], "of": {"train": {"doubled": 2 * plain["loss"]}}}


class MetricObjects(OwnStep):
  def _told(self, y, y_pred, loss):
    super()._told(y, y_pred, loss)
    return {metric.name: metric for metric in self.metrics}


@pytest.mark.parametrize("model", [OwnStep, MetricObjects])
def test_a_training_step_may_return_metrics_as_the_guides_do(learn, model):
  rows = learn(lambda: _logits(model=model), monitor=("val_accuracy", "max")).history
  assert {"loss", "accuracy", "val_loss", "val_accuracy"} <= set(rows[0])
  assert rows[-1]["loss"] < rows[0]["loss"]
  # The optimizer, the batches and the metrics are those of Keras' own step.
  for one, other in zip(rows, learn(_logits).history, strict=True):
    for name in ("loss", "accuracy", "val_loss", "val_accuracy"):
      assert one[name] == pytest.approx(other[name], rel=1e-4), name


def test_a_dictionary_in_a_dictionary_is_taken_apart(learn):
  rows = learn(lambda: _logits(model=NestedLogs), monitor=("val_doubled", "min")).history
  for row in rows:
    assert row["doubled"] == pytest.approx(2 * row["loss"], rel=1e-5)
    assert row["val_doubled"] == pytest.approx(2 * row["val_loss"], rel=1e-5)


def test_a_training_step_that_tells_more_than_numbers_is_refused(learn):
  class Vectors(OwnStep):
    def _told(self, y, y_pred, loss):
      return {"loss": loss, "scores": y_pred}

  with pytest.raises(BadInputError, match=r"single numbers.*'scores' of shape"):
    learn(lambda: _logits(model=Vectors))

  class Number(OwnStep):
    def _told(self, y, y_pred, loss):
      return loss

  with pytest.raises(BadInputError, match="must return a dictionary"):
    learn(lambda: _logits(model=Number))


def test_a_loss_of_ones_own_is_what_is_learned(learn):
  class Weighted(keras.Model):
    def __init__(self, *args, **kwargs):
      super().__init__(*args, **kwargs)
      self.tracker = keras.metrics.Mean(name="weighted")

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
      loss = 10 * ops.mean(_CROSS_ENTROPY(from_logits=True, reduction=None)(y, y_pred))
      loss += ops.sum(self.losses)
      self.tracker.update_state(loss)
      return loss

  rows = learn(lambda: _logits(model=Weighted), compile_args=lambda hp: {}).history
  assert rows[0]["loss"] > 3
  assert rows[-1]["val_loss"] < rows[0]["val_loss"]
  assert rows[0]["val_weighted"] == pytest.approx(rows[0]["val_loss"], rel=0.1)


def _answer_of(output):
  """An answer from one of several outputs, as docs/adding-a-task.md has it."""

  def answer(tft_output, vocabulary, options):
    of_kind = classes.answer(tft_output, vocabulary, options)
    return lambda said, features: of_kind(said[output], features)

  return answer


def test_several_outputs_may_have_losses_of_their_own(learn):
  def build():
    inputs = keras.Input((4,))
    hidden = layers.Dense(8, activation="relu")(inputs)
    outputs = {
      "main": layers.Dense(2, name="main")(hidden),
      "aux": layers.Dense(2, name="aux")(inputs),
    }
    return keras.Model(inputs, outputs)

  rows = learn(
    build,
    compile_args=lambda hp: {
      "loss": {name: _CROSS_ENTROPY(from_logits=True) for name in ("main", "aux")},
      "loss_weights": {"main": 1.0, "aux": 0.5},
      "metrics": {"main": [keras.metrics.SparseCategoricalAccuracy(name="accuracy")]},
    },
    monitor=("val_main_accuracy", "max"),
    answer=_answer_of("main"),
  ).history
  assert {"main_loss", "aux_loss", "val_main_accuracy"} <= set(rows[0])
  assert rows[0]["main_loss"] < rows[0]["loss"] > rows[0]["aux_loss"]


def test_a_list_of_losses_goes_with_a_list_of_outputs(learn):
  def build():
    inputs = keras.Input((4,))
    return keras.Model(inputs, [layers.Dense(2)(inputs), layers.Dense(2)(inputs)])

  losses = [_CROSS_ENTROPY(from_logits=True) for _ in range(2)]
  rows = learn(build, compile_args=lambda hp: {"loss": losses}, answer=_answer_of(0)).history
  assert rows[-1]["loss"] < rows[0]["loss"]


def _args(**more):
  return lambda params: {**_compile_args(params), **more}


def test_a_step_that_does_not_scale_its_loss_is_refused_in_mixed_precision(learn):
  with pytest.raises(BadInputError, match=r"self.optimizer.scale_loss\(loss\)"):
    learn(lambda: _logits(model=OwnStep), train={"mixed_precision": True})


def test_a_step_that_scales_its_loss_learns_in_mixed_precision(learn):
  class Scaled(OwnStep):
    def train_step(self, data):
      x, y = data
      with tf.GradientTape() as tape:
        y_pred = self(x, training=True)
        loss = self.compute_loss(x=x, y=y, y_pred=y_pred)
        scaled = self.optimizer.scale_loss(loss)
      gradients = tape.gradient(scaled, self.trainable_variables)
      self.optimizer.apply(gradients, self.trainable_variables)
      return self._told(y, y_pred, loss)

  own = _args(optimizer=keras.optimizers.SGD(0.5))
  mixed = {"mixed_precision": True}
  learned = learn(lambda: _logits(model=Scaled), compile_args=own, train=mixed)
  assert learned.precision == "mixed_float16"
  of_keras = learn(_logits, compile_args=_args(optimizer=keras.optimizers.SGD(0.5)), train=mixed)
  for one, other in zip(learned.history, of_keras.history, strict=True):
    assert one["loss"] == pytest.approx(other["loss"], rel=1e-2)


@pytest.mark.parametrize(
  ("pays", "jit_compile", "taken"),
  [(True, None, True), (False, None, False), (True, True, False), (True, False, True)],
)
def test_bfloat16_is_taken_and_said_where_the_model_gains_by_it(
  learn, monkeypatch, caplog, pays, jit_compile, taken
):
  monkeypatch.setattr(precision, "has_bfloat16_units", lambda: True)
  monkeypatch.setattr(strategy, "sees_gpu", lambda: False)
  caplog.set_level(logging.INFO, logger=progress.LOGGER_NAME)
  train = {"mixed_precision": None, "jit_compile": jit_compile}
  learned = learn(_logits, train=train, pays=pays)
  assert learned.precision == ("mixed_bfloat16" if taken else "float32")
  said = "layers compute in bfloat16, faster here; train.mixed_precision=false: float32"
  assert (said in caplog.messages) is taken
  assert learned.model.layers[-1].compute_dtype == "float32"


def test_a_metric_to_pick_by_that_is_missing_is_refused_before_the_first_epoch(learn):
  steps = []

  class Counted(OwnStep):
    def train_step(self, data):
      steps.append(data)
      return super().train_step(data)

  own = {"loss": _CROSS_ENTROPY(from_logits=True), "metrics": ["sparse_categorical_accuracy"]}
  said = (
    r"picked by 'val_accuracy', and training has no such metric\. It has: val_loss, "
    r"val_sparse_categorical_accuracy\. Give a metric that name"
  )
  with pytest.raises(BadInputError, match=said):
    learn(
      lambda: _logits(model=Counted),
      compile_args=lambda params: own,
      monitor=("val_accuracy", "max"),
    )
  assert steps == []


def test_a_test_step_that_fails_does_so_before_the_first_epoch(learn):
  steps = []

  class NoTestStep(keras.Model):
    """Its loss is in train_step, and val is judged by none."""

    def train_step(self, data):
      steps.append(data)
      x, y = data
      with tf.GradientTape() as tape:
        loss = _CROSS_ENTROPY(from_logits=True)(y, self(x, training=True))
      gradients = tape.gradient(loss, self.trainable_variables)
      self.optimizer.apply(gradients, self.trainable_variables)
      return {"loss": loss}

  with pytest.raises(ValueError, match="loss"):
    learn(lambda: _logits(model=NoTestStep), compile_args=lambda params: {})
  assert steps == []
