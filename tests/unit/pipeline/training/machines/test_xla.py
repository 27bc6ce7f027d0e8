"""Whether XLA compiles training: asked for, decided, or given up with a reason. On the CPU."""

import logging

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from dlpipe import progress
from dlpipe.errors import BadInputError
from pipeline.settings.config import TrainConfig
from pipeline.task import Phase
from pipeline.tasks.images.task import TASK
from pipeline.training import datasets, learning, loop
from pipeline.training.machines import strategy, xla

_ROWS = np.arange(48, dtype="float32").reshape(12, 4) / 48


@pytest.fixture
def gpu(monkeypatch):
  """Where a GPU is seen; what is compiled runs on the CPU all the same."""
  monkeypatch.setattr(strategy, "sees_gpu", lambda: True)


@pytest.fixture
def reasons(caplog):
  caplog.set_level(logging.INFO, logger=progress.LOGGER_NAME)
  return lambda: [line for line in caplog.messages if "XLA" in line]


class InPython(layers.Layer):
  """Calls Python: XLA cannot, and Keras does not know."""

  def call(self, inputs):
    doubled = tf.numpy_function(lambda x: 2 * x, [inputs], inputs.dtype)
    return tf.ensure_shape(doubled, inputs.shape)


def _model(*more):
  return keras.Sequential([keras.Input((4,)), *more, layers.Dense(2)])


def _train(model, asked=None, **own):
  split = datasets.in_memory({"x": _ROWS}, np.arange(12) % 2)
  return loop.Training(
    model=model,
    phases=[Phase(name="train", epochs=2, learning_rate=0.01)],
    train=split,
    val=split,
    compile_args=lambda: {"loss": keras.losses.SparseCategoricalCrossentropy(True), **own},
    batch_size=6,
    monitor=("val_loss", "min"),
    patience=9,
    seed=1,
    distribution=tf.distribute.get_strategy(),
    checkpoint_dir=None,
    log_dir=None,
    jit_compile=asked,
  ).run()


def test_without_a_gpu_nothing_is_compiled_and_nothing_said(reasons):
  model = _model()
  _train(model)
  assert model.jit_compile is False
  assert reasons() == []


def test_where_a_gpu_is_seen_what_can_be_is_compiled(gpu, reasons):
  model = _model()
  assert len(_train(model)) == 2
  assert model.jit_compile is True
  assert reasons() == []


def test_layers_that_keras_knows_of_are_named(gpu, reasons):
  model = _model(
    layers.Reshape((2, 2, 1)), layers.RandomTranslation(0.1, 0.1, name="shift"), layers.Flatten()
  )
  assert len(_train(model)) == 2
  assert model.jit_compile is False
  assert reasons() == [
    "not compiled by XLA: it does not compile the layers shift (train.jit_compile)"
  ]


def test_an_op_that_only_xla_knows_of_ends_no_training(gpu, reasons):
  model = _model(InPython())
  history = _train(model)
  assert [row["epoch"] for row in history] == [1, 2]
  assert model.jit_compile is False
  [said] = reasons()
  assert said.startswith("not compiled by XLA, which says: ")


def test_an_error_of_the_model_is_not_taken_for_one_of_xla(gpu):
  class Failing(layers.Layer):
    def call(self, inputs):
      with tf.control_dependencies([tf.debugging.assert_less(inputs, -1.0)]):
        return tf.identity(inputs)

  with pytest.raises(tf.errors.InvalidArgumentError):
    _train(_model(Failing()), asked=False)


@pytest.mark.parametrize(("asked", "own", "compiled"), [(True, {}, True), (None, True, True)])
def test_what_is_asked_for_is_done_without_a_gpu(asked, own, compiled):
  model = _model()
  _train(model, asked, **({"jit_compile": own} if own else {}))
  assert model.jit_compile is compiled


@pytest.mark.parametrize(("asked", "own"), [(False, None), (False, True), (None, False)])
def test_what_is_not_wanted_is_not_done_where_a_gpu_is(gpu, reasons, asked, own):
  model = _model()
  _train(model, asked, **({} if own is None else {"jit_compile": own}))
  assert model.jit_compile is False
  assert reasons() == []


def test_what_is_asked_for_and_cannot_be_is_refused():
  model = _model(
    layers.Reshape((2, 2, 1)), layers.RandomTranslation(0.1, 0.1, name="shift"), layers.Flatten()
  )
  with pytest.raises(BadInputError, match="shift. Set train.jit_compile to false"):
    _train(model, asked=True)


def test_an_eager_model_is_not_compiled(gpu, reasons):
  _train(_model(), run_eagerly=True)
  assert reasons() == [
    "not compiled by XLA: the model is compiled with run_eagerly (train.jit_compile)"
  ]


@pytest.mark.parametrize(
  ("shape", "replicas", "reason"),
  [
    ((None, 4), 1, None),
    ((None, None), 1, "the batches are of several lengths"),
    ((None, 4), 2, "several devices train together"),
  ],
)
def test_the_data_and_the_devices_decide_too(gpu, reasons, shape, replicas, reason):
  model = _model()
  model.compile("sgd", jit_compile=False)
  data = tf.data.Dataset.from_generator(
    lambda: iter(()), output_signature=tf.TensorSpec(shape, tf.float32)
  )
  assert xla.decide(model, data, asked=None, replicas=replicas) is (reason is None)
  assert [reason in line for line in reasons()] == ([] if reason is None else [True])


def test_the_cnn_is_compiled_with_all_its_augmentation(graph, gpu, reasons):
  split = datasets.in_memory(
    {"pixels": np.zeros((6, 12, 12, 3), "uint8")}, np.arange(6, dtype="int64") % 2
  )
  values = {"image_size": 12, "widths": [2, 2], "flip": True, "cutout": 0.3, "shift": 0.2}
  learned = learning.learn(
    TASK,
    {"train": TrainConfig(mixed_precision=False).model_dump(), "fixed_epochs": []},
    TASK.params.usual().replace(**values, epochs=1, min_steps=0, batch_size=3),
    graph.output,
    (split, split),
    distribution=tf.distribute.get_strategy(),
  )
  assert learned.model.jit_compile
  assert np.isfinite(learned.history[0]["loss"])
  assert not reasons()
