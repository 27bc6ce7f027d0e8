"""Trains models of one's own on a few rows, by the interface of a task."""

import dataclasses
import sys
import types

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipeline.settings.config import TrainConfig
from pipeline.task import Phase
from pipeline.tasks.images.task import TASK
from pipeline.training import datasets, learning

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

  def of(
    build_model,
    *,
    monitor=("val_loss", "min"),
    checkpoint_dir=None,
    train=None,
    pays=False,
    **functions,
  ):
    functions = {
      "build_model": lambda params, tft_output: build_model(),
      "compile_args": _compile_args,
      "training_plan": _plan,
      **functions,
    }
    monkeypatch.setitem(sys.modules, "my_model", types.SimpleNamespace(**functions))
    paths = {name: f"my_model.{name}" for name in functions}
    own = {name: paths.pop(name) for name in ("compile_args", "answer") if name in paths}
    problem = TASK.problem.but(monitor=monitor, **own)
    task = dataclasses.replace(TASK, adapt=None, problem=problem, **paths)
    settings = TrainConfig(**{"mixed_precision": False, **(train or {})}).model_dump()
    before = keras.config.dtype_policy()
    try:
      return learning.learn(
        task,
        {"train": settings, "fixed_epochs": [], "bfloat16_pays": pays},
        TASK.params.usual().replace(batch_size=16),
        types.SimpleNamespace(
          vocabulary_by_name=lambda name: [b"low", b"high"],
          vocabulary_size_by_name=lambda name: 2,
        ),
        splits,
        distribution=tf.distribute.get_strategy(),
        checkpoint_dir=checkpoint_dir,
      )
    finally:
      keras.config.set_dtype_policy(before)

  return of
