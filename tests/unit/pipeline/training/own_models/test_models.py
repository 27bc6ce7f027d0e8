"""Subclassed and half-frozen models of one's own, in the shapes of Keras' guides."""

import dataclasses
import json
import sys
import types

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops
from tfx.components.trainer.fn_args_utils import FnArgs

from components.serving_gate.loaders import load_tf1, load_tf2
from dlpipe.errors import BadInputError
from pipeline.settings.config import TrainConfig
from pipeline.task import Phase
from pipeline.tasks.images.task import TASK
from pipeline.training import run


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


class Looking(keras.Model):
  """A model with tables: Keras' own, and one of TensorFlow's that reads a file."""

  def __init__(self, file):
    super().__init__()
    self.lookup = layers.IntegerLookup(vocabulary=list(range(200)))
    lines = tf.lookup.TextFileIndex
    words = tf.lookup.TextFileInitializer(
      str(file), tf.string, lines.WHOLE_LINE, tf.int64, lines.LINE_NUMBER
    )
    self.table = tf.lookup.StaticHashTable(words, -1)
    self.embedding, self.head = layers.Embedding(201, 4), layers.Dense(2)

  def call(self, inputs):
    brightest = tf.cast(tf.reduce_max(inputs, axis=(1, 2, 3)), tf.int64)
    place = self.table.lookup(tf.strings.as_string(brightest))
    vector = self.embedding(self.lookup(brightest))
    return self.head(tf.concat([vector, tf.cast(place, tf.float32)[:, None]], axis=1))


@pytest.mark.parametrize("kind", ["subclassed", "with tables"])
def test_a_model_of_ones_own_is_exported_and_answers_as_it_did(graph, tmp_path, monkeypatch, kind):
  words = tmp_path / "words.txt"
  words.write_text("\n".join(str(number) for number in range(0, 256, 2)))

  def build_model(params, tft_output):
    return Subclassed(units=3) if kind == "subclassed" else Looking(words)

  module = types.SimpleNamespace(build_model=build_model)
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
  words.unlink()  # a server has no such file
  expected = np.load(tmp_path / "run/parity/expected.npz")
  for load in (load_tf1, load_tf2):
    with load(str(tmp_path / "export")) as (ask, _):
      answer = ask("serving_examples", "examples", np.array(graph.examples))
    np.testing.assert_allclose(answer["scores"], expected["scores"], atol=1e-6)
  assert json.loads((tmp_path / "run/history.json").read_text())["parameters"] > 0


def test_what_is_no_model_is_refused(learn):
  with pytest.raises(BadInputError, match=r"must return a keras.Model. Received: builtins.int"):
    learn(lambda: 3)


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
