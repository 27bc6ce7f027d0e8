"""TFMA's model and the writer's are one while they are kept."""

import pytest
import tensorflow as tf
import tensorflow_model_analysis as tfma

from components.judged_evaluator import loaded


@pytest.fixture
def path(tmp_path):
  """A SavedModel that answers with its input."""
  module = tf.Module()
  module.answer = tf.function(lambda x: x, input_signature=[tf.TensorSpec([None])])
  tf.saved_model.save(module, str(tmp_path), {"serving_default": module.answer})
  return str(tmp_path)


def test_a_model_is_loaded_once_while_it_is_kept(path):
  config = tfma.EvalConfig(model_specs=[tfma.ModelSpec(signature_name="serving_default")])
  options = {"model_name": "", "eval_config": config, "add_metrics_callbacks": None}
  with loaded.kept():
    shared = loaded.eval_shared_model(eval_saved_model_path=path, **options)
    of_tfma = shared.model_loader.load()
    assert loaded.saved_model(path) is of_tfma
  other = loaded.saved_model(path)
  assert other is not of_tfma
  assert other is not loaded.saved_model(path)
