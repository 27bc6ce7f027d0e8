"""The examples in docstrings are true."""

import doctest
import shutil

import pytest
import tensorflow as tf

from serving.models import local_model, sessions, signatures


@pytest.fixture
def workspace(tmp_path, monkeypatch):
  """The folder that the examples speak of: versions 1 and 3, a candidate, and a picture."""
  module = tf.Module()

  @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="image")])
  def answer(image):
    count = tf.shape(image)[0]
    return {"label": tf.repeat("7", count), "score": tf.repeat(tf.constant(0.75), count)}

  module.answer = answer
  candidate = tmp_path / "models" / "candidate"
  tf.saved_model.save(module, str(candidate), signatures={"serving_default": answer})
  for version in ("1", "3"):
    shutil.copytree(candidate, tmp_path / "workspace" / "images" / "serving" / version)
  (tmp_path / "7.png").write_bytes(b"a picture")
  monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("module", [local_model, sessions, signatures])
def test_examples(workspace, module):
  failed, tried = doctest.testmod(module)
  assert tried > 0
  assert failed == 0
