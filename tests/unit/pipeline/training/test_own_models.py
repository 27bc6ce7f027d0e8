"""Models, training steps and optimizers of one's own, in the shapes of Keras' guides.

"Customizing what happens in fit()", "Writing a training loop from scratch", "Making new layers and
models via subclassing", "Transfer learning and fine-tuning", "Writing your own callbacks".
"""

import dataclasses
import json
import logging
import sys
import types

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops
from tfx.components.trainer.fn_args_utils import FnArgs

from dlpipe import progress
from dlpipe.errors import BadInputError
from pipeline.settings.config import TrainConfig
from pipeline.task import Phase
from pipeline.tasks.images.task import TASK
from pipeline.training import datasets, learning, run

_EPOCHS = 3
_CROSS_ENTROPY = keras.losses.SparseCategoricalCrossentropy


@pytest.fixture(scope="module")
def splits():
  """48 and 24 rows of four numbers whose label is the sign of the first."""
  random = np.random.default_rng(0)

  def split(rows):
    x = random.normal(size=(rows, 4)).astype("float32")
    return datasets.in_memory({"x": x}, (x[:, 0] > 0).astype("int64"))

  return split(48), split(24)


def _compile_args(params):
  return {
    "loss": _CROSS_ENTROPY(from_logits=True),
    "metrics": [keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
  }


def _plan(params):
  return (Phase(name="train", epochs=_EPOCHS, learning_rate=0.05),)


@pytest.fixture
def learn(splits, monkeypatch):
  """Trains a task whose functions these are, by the task's own interface."""

  def of(build_model, *, monitor=("val_loss", "min"), checkpoint_dir=None, train=None, **functions):
    functions = {
      "build_model": lambda params, tft_output: build_model(),
      "compile_args": _compile_args,
      "training_plan": _plan,
      **functions,
    }
    monkeypatch.setitem(sys.modules, "my_model", types.SimpleNamespace(**functions))
    paths = {name: f"my_model.{name}" for name in functions}
    problem = TASK.problem.but(monitor=monitor, compile_args=paths.pop("compile_args"))
    task = dataclasses.replace(TASK, adapt=None, problem=problem, **paths)
    settings = TrainConfig(**{"mixed_precision": False, **(train or {})}).model_dump()
    before = keras.config.dtype_policy()
    try:
      return learning.learn(
        task,
        {"train": settings, "fixed_epochs": []},
        TASK.params.usual().replace(batch_size=16),
        types.SimpleNamespace(vocabulary_by_name=lambda name: [b"low", b"high"]),
        splits,
        distribution=tf.distribute.get_strategy(),
        checkpoint_dir=checkpoint_dir,
      )
    finally:
      keras.config.set_dtype_policy(before)

  return of


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
  ).history
  assert {"main_loss", "aux_loss", "val_main_accuracy"} <= set(rows[0])
  assert rows[0]["main_loss"] < rows[0]["loss"] > rows[0]["aux_loss"]


def test_a_list_of_losses_goes_with_a_list_of_outputs(learn):
  def build():
    inputs = keras.Input((4,))
    return keras.Model(inputs, [layers.Dense(2)(inputs), layers.Dense(2)(inputs)])

  losses = [_CROSS_ENTROPY(from_logits=True) for _ in range(2)]
  rows = learn(build, compile_args=lambda hp: {"loss": losses}).history
  assert rows[-1]["loss"] < rows[0]["loss"]


@keras.saving.register_keras_serializable(package="dlpipe_tests")
class Linear(layers.Layer):
  """The guide's layer: weights made in `build`, a loss of its own, a configuration."""

  def __init__(self, units, rate=1e-3, **kwargs):
    super().__init__(**kwargs)
    self.units, self.rate = units, rate

  def build(self, input_shape):
    self.w = self.add_weight(shape=(input_shape[-1], self.units), name="w")
    self.b = self.add_weight(shape=(self.units,), initializer="zeros", name="b")

  def call(self, inputs):
    self.add_loss(self.rate * ops.mean(ops.square(self.w)))
    return ops.matmul(inputs, self.w) + self.b

  def get_config(self):
    return {**super().get_config(), "units": self.units, "rate": self.rate}


@keras.saving.register_keras_serializable(package="dlpipe_tests")
class Subclassed(keras.Model):
  """A model that makes its weights when it is first called."""

  def __init__(self, units=6, classes=2, **kwargs):
    super().__init__(**kwargs)
    self.units, self.classes = units, classes
    self.first, self.head = Linear(units), Linear(classes)
    self.flatten, self.dropout = layers.Flatten(), layers.Dropout(0.1)

  def call(self, inputs, training=False):
    hidden = ops.relu(self.first(self.flatten(ops.cast(inputs, "float32"))))
    return self.head(self.dropout(hidden, training=training))

  def get_config(self):
    return {**super().get_config(), "units": self.units, "classes": self.classes}


def test_a_subclassed_model_is_built_by_its_first_batch_and_goes_on_after_a_kill(learn, tmp_path):
  whole = learn(Subclassed, checkpoint_dir=tmp_path / "whole")
  assert whole.model.count_params() == 4 * 6 + 6 + 6 * 2 + 2
  assert whole.history[-1]["loss"] < whole.history[0]["loss"]
  # Complete, so that nothing is trained again, and the weights are those of the checkpoint.
  again = learn(Subclassed, checkpoint_dir=tmp_path / "whole")
  assert again.history == whole.history
  x = np.ones((3, 4), "float32")
  np.testing.assert_array_equal(whole.model(x), again.model(x))


def test_a_subclassed_model_is_saved_by_its_configuration_too(learn, tmp_path):
  model = learn(Subclassed).model
  model.save(tmp_path / "model.keras")
  x = np.ones((3, 4), "float32")
  loaded = keras.models.load_model(tmp_path / "model.keras", compile=False)
  np.testing.assert_allclose(loaded(x), model(x), rtol=1e-6)


def test_a_subclassed_model_is_exported_and_answers_as_it_did(graph, tmp_path, monkeypatch):
  module = types.SimpleNamespace(build_model=lambda hp, tft_output: Subclassed(units=3))
  monkeypatch.setitem(sys.modules, "my_model", module)
  task = dataclasses.replace(TASK, build_model="my_model.build_model")
  monkeypatch.setattr(run, "get_task", lambda name: task)
  run.run_fn(
    FnArgs(
      **dict.fromkeys(FnArgs.__annotations__)
      | {
        "train_files": graph.files,
        "eval_files": graph.files,
        "transform_output": graph.path,
        "serving_model_dir": str(tmp_path / "export"),
        "model_run_dir": str(tmp_path / "run"),
        "custom_config": {
          "task": "images",
          "hyperparameters": TASK.params.usual().replace(image_size=12, epochs=1).as_json(),
          "fixed_epochs": ["epochs"],
          "input_bounds": {"max_pixels": 1_000},
          "train": TrainConfig(mixed_precision=False).model_dump(),
        },
      }
    )
  )
  served = tf.saved_model.load(str(tmp_path / "export")).signatures["serving_examples"]
  expected = np.load(tmp_path / "run/parity/expected.npz")
  answer = served(examples=tf.constant(graph.examples))
  np.testing.assert_allclose(answer["scores"], expected["scores"], atol=1e-6)
  assert json.loads((tmp_path / "run/history.json").read_text())["parameters"] > 0


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


def test_what_is_no_model_is_refused(learn):
  with pytest.raises(BadInputError, match=r"must return a keras.Model. Received: builtins.int"):
    learn(lambda: 3)


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
  kept = np.load(tmp_path / "state.npz")
  # Adam has two for each of the two weights, and both optimizers their step and rate.
  assert len([name for name in kept.files if name.startswith("optimizer/")]) >= 8


def test_layers_that_were_frozen_stay_so(learn):
  def build():
    base = keras.Sequential([keras.Input((4,)), layers.Dense(5), layers.Dense(5)], name="base")
    base.layers[0].trainable = False
    model = keras.Sequential([keras.Input((4,)), base, layers.Dense(2, name="head")])
    build.before = np.array(base.layers[0].kernel)
    return model

  plan = [
    Phase(name="head", epochs=1, learning_rate=0.05, frozen=("base",)),
    Phase(name="all", epochs=2, learning_rate=0.05),
  ]
  model = learn(build, training_plan=lambda hp: plan).model
  base = model.get_layer("base")
  np.testing.assert_array_equal(base.layers[0].kernel, build.before)
  assert [layer.trainable for layer in base.layers] == [False, True]
  assert base.trainable


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
