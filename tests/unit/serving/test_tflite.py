"""TFLite models without signatures, whose inputs are called as their tensors are."""

import numpy as np
import pytest
import tensorflow as tf

from serving.errors import InvalidArgument
from serving.tflite import FILE, TfliteSession


@pytest.fixture(scope="module")
def session(tmp_path_factory):
  @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, name="x")])
  def double(x):
    return x * 2.0

  converter = tf.lite.TFLiteConverter.from_concrete_functions([double.get_concrete_function()])
  folder = tmp_path_factory.mktemp("plain")
  (folder / FILE).write_bytes(converter.convert())
  return TfliteSession(folder, interpreters=2)


def test_a_model_without_signatures(session):
  definition = session.signatures["serving_default"]
  ((alias, info),) = definition.inputs.items()
  assert alias == info.name
  (output,) = (info.name for info in definition.outputs.values())
  for rows in (1, 3, 2):
    x = np.arange(rows * 2, dtype=np.float32).reshape(rows, 2)
    (y,) = session.run({info.name: x}, [output])
    np.testing.assert_array_equal(y, x * 2)


def test_tensors_that_it_does_not_have(session):
  with pytest.raises(InvalidArgument, match=r"No signature of the model takes the tensors \['z'\]"):
    session.run({"z": np.zeros(1)}, [])
