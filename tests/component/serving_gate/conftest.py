"""A small classifier of texts, and what the gate refuses without asking a server."""

import pytest
import tensorflow as tf

from components.serving_gate import server_process, server_replay

_LABELS = [b"cat", b"dog"]


class Toy(tf.Module):
  """Classifies a text by its length; `shift` is added to what `serving_default` scores."""

  def __init__(self, shift=0.0):
    super().__init__()
    self.weight = tf.Variable(0.3)
    self.shift = shift

  def predict(self, texts, shift=0.0):
    length = tf.cast(tf.strings.length(texts), tf.float32)
    scores = tf.nn.softmax(tf.stack([length * self.weight, tf.ones_like(length)], axis=1))
    scores += [[shift, 0.0]]
    return {
      "label": tf.gather(tf.constant(_LABELS), tf.argmax(scores, axis=1)),
      "score": tf.reduce_max(scores, axis=1),
      "scores": scores,
      "labels": tf.repeat(tf.constant([_LABELS]), tf.shape(scores)[0], axis=0),
    }

  def parse(self, examples):
    return tf.io.parse_example(examples, {"text": tf.io.FixedLenFeature([], tf.string)})["text"]

  def functions(self):
    """Signature name to (input name, function)."""

    def classify(examples):
      found = self.predict(self.parse(examples))
      return {"classes": found["labels"], "scores": found["scores"]}

    return {
      "serving_default": ("text", lambda texts: self.predict(texts, self.shift)),
      "serving_examples": ("examples", lambda examples: self.predict(self.parse(examples))),
      "classify": ("inputs", classify),
    }


@pytest.fixture
def toy():
  return Toy


@pytest.fixture
def no_server(monkeypatch):
  """Starts no server, for models that are refused without one; fails where one is asked."""

  class Never(server_process.ServerProcess):
    def begin(self):
      pass

    def __enter__(self):
      raise AssertionError("A server was asked.")

  monkeypatch.setattr(server_replay, "ServerProcess", Never)


@pytest.fixture
def failed_paths():
  """Returns a function from what `parity.json` says to the loaders and outputs that differ."""
  return lambda parity: {
    (path["loader"], path["signature"], path["output"])
    for path in parity["paths"]
    if not path["passed"]
  }
