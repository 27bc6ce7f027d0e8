"""Logs of a step are numbers for who reads them, and nobody waits for those that nobody reads."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipeline.training.logs import StepLogs
from pipeline.training.machines import xla

_STEPS = 8


class _Reader(keras.callbacks.Callback):
  def __init__(self, steps):
    super().__init__()
    self.steps, self.seen = steps, []

  def on_train_batch_end(self, batch, logs=None):
    if batch in self.steps:
      self.seen.append(dict(logs))


@pytest.fixture
def numbers_made(monkeypatch):
  """The tensors that were made numbers, each of which waits for a GPU."""
  made = []
  kind = type(tf.constant(0.0))
  to_float = kind.__float__
  monkeypatch.setattr(kind, "__float__", lambda each: made.append(1) or to_float(each))
  return made


@pytest.mark.parametrize("read", [[], [2, 7]], ids=["nothing is read", "two steps are read"])
def test_only_what_a_callback_reads_becomes_a_number(read, numbers_made):
  model = keras.Sequential([keras.Input([3]), keras.layers.Dense(1)])
  model.compile("sgd", "mse", jit_compile=False)
  data = tf.data.Dataset.from_tensor_slices((np.ones((32, 3)), np.ones((32, 1)))).batch(4)
  reader = _Reader(read)
  arguments = {"initial_epoch": 0, "epochs": 1, "callbacks": [reader]}
  xla.fit(model, asked=False, replicas=1, train=data, val=data, **arguments)
  assert reader.params["steps"] == _STEPS
  assert [type(logs["loss"]) for logs in reader.seen] == [float] * len(read)
  # The end of an epoch reads its loss and that of the validation, whatever the steps.
  assert len(numbers_made) <= len(read) + 4


def test_logs_are_a_dictionary_of_numbers():
  logs = StepLogs({"loss": tf.constant(0.5)})
  assert f"{logs['loss']:.2f}" == "0.50"
  assert dict(logs | {"other": 1}) == {"loss": 0.5, "other": 1.0}
  assert logs.get("missing") is None
