"""A hand-made SavedModel to serve."""

import pytest
import tensorflow as tf


class Scaler(tf.Module):
  """`serving_default`: `rows` `[batch, 3]` float32 times `factor`, and a `name` `[batch]`."""

  def __init__(self, factor):
    super().__init__()
    self.factor = tf.Variable(float(factor))

  @tf.function
  def scale(self, rows, name):
    return {"scaled": rows * self.factor, "name": tf.strings.upper(name)}

  @tf.function
  def parse(self, examples):
    spec = {"n": tf.io.FixedLenFeature([], tf.int64)}
    return {"n": tf.io.parse_example(examples, spec)["n"]}

  @tf.function
  def count(self, n, flag):
    return {"n": n + 1, "flag": tf.logical_not(flag)}


def save(path, factor=2):
  """Writes a `Scaler` to `path`."""
  module = Scaler(factor)
  specs = {
    "rows": tf.TensorSpec([None, 3], tf.float32, name="rows"),
    "name": tf.TensorSpec([None], tf.string, name="name"),
  }
  signatures = {
    "serving_default": module.scale.get_concrete_function(**specs),
    "parse": module.parse.get_concrete_function(tf.TensorSpec([None], tf.string, name="examples")),
    "count": module.count.get_concrete_function(
      n=tf.TensorSpec([None], tf.uint8, name="n"), flag=tf.TensorSpec(None, tf.bool, name="flag")
    ),
  }
  tf.saved_model.save(module, str(path), signatures=signatures)
  return path


@pytest.fixture(scope="session")
def saved_model(tmp_path_factory):
  """A SavedModel that doubles; to be copied, not changed."""
  return save(tmp_path_factory.mktemp("model") / "doubler")


@pytest.fixture(scope="session")
def tripler(tmp_path_factory):
  """A SavedModel that triples; to be copied, not changed."""
  return save(tmp_path_factory.mktemp("model") / "tripler", factor=3)


@pytest.fixture
def base(tmp_path):
  """An empty serving directory."""
  return tmp_path / "serving"
