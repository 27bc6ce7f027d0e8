"""A trained model's scores on val, and the graph that divides by the temperature."""

import types

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from pipeline.problems import classes, labels, number
from pipeline.problems.calibration import Calibration
from pipeline.training import datasets
from pipeline.training.answering import answering
from pipeline.training.export.calibrating import calibrated, scaled

_NAMES = [b"one", b"two", b"three"]


@pytest.fixture(scope="module")
def val():
  """300 rows of three numbers; the label is mostly the place of the largest."""
  random = np.random.default_rng(0)
  x = random.normal(size=(300, 3)).astype("float32")
  chosen = (x + 0.5 * random.normal(size=x.shape)).argmax(axis=1)
  return datasets.in_memory({"x": x}, chosen)


def _model(factor, end=None, number_of_outputs=1):
  inputs = keras.Input((3,))
  outputs = layers.Rescaling(factor)(inputs)
  outputs = layers.Activation(end)(outputs) if end else outputs
  if number_of_outputs > 1:
    outputs = {str(n): outputs for n in range(number_of_outputs)}
  return keras.Model(inputs, outputs)


def _scores(model, val, problem=classes.PROBLEM, calibration=None):
  """What `serving_default` answers to the rows of val, without a transform graph."""
  task = types.SimpleNamespace(problem=problem, sequence_keys=(), left_out=tuple)
  tft_output = types.SimpleNamespace(vocabulary_by_name=lambda name: _NAMES)
  outputs = answering(task, model, tft_output, {}, calibration)
  return tf.function(outputs)({"x": tf.constant(val.arrays[0]["x"])})


@pytest.mark.parametrize("end", [None, "softmax"])
@pytest.mark.parametrize("factor", [0.3, 30.0])
def test_scores_come_true_and_no_answer_changes(val, factor, end):
  model = _model(factor, end)
  found = calibrated(classes.PROBLEM, model, val, wanted=True, seed=1)
  assert found.error_after < 0.06 < found.error_before
  served, plain = _scores(model, val, calibration=found), _scores(_model(factor), val)
  np.testing.assert_array_equal(served["label"], plain["label"])
  scores = served["scores"].numpy()
  np.testing.assert_array_equal(scores.argmax(axis=1), plain["scores"].numpy().argmax(axis=1))
  is_right = scores.argmax(axis=1) == val.arrays[1]
  assert scores.max(axis=1).mean() == pytest.approx(is_right.mean(), abs=0.03)
  np.testing.assert_array_equal(served["score"], scores.max(axis=1))


def test_a_model_that_ends_in_a_softmax_is_not_given_another(val):
  """Keras trains such a model by its logits, so that nothing else would notice."""
  model = _model(2.0, "softmax")
  for wanted, rows in (
    (False, val),
    (True, datasets.in_memory({"x": val.arrays[0]["x"][:5]}, val.arrays[1][:5])),
  ):
    found = calibrated(classes.PROBLEM, model, rows, wanted=wanted, seed=1)
    assert found.temperature == 1
    np.testing.assert_allclose(
      _scores(model, val, calibration=found)["scores"], model(val.arrays[0]["x"]), atol=1e-6
    )


def test_an_answer_of_the_tasks_own_gets_what_its_model_gives(val, monkeypatch):
  own = types.SimpleNamespace(answer=lambda *_: lambda said, features: {"scores": said})
  monkeypatch.setitem(__import__("sys").modules, "own_answer", own)
  problem = classes.PROBLEM.but(answer="own_answer.answer")
  model = _model(30.0, "softmax")
  found = calibrated(problem, model, val, wanted=True, seed=1)
  scores = _scores(model, val, problem, found)["scores"].numpy()
  np.testing.assert_allclose(scores.sum(axis=1), 1, rtol=1e-5)
  assert scores.max(axis=1).mean() == pytest.approx(1 - found.error_before, abs=0.1)


@pytest.mark.parametrize("end", [None, "sigmoid"])
def test_several_labels_keep_their_threshold(val, end):
  ids = np.full((300, labels.MOST), labels.NONE)
  ids[:, 0] = val.arrays[1]
  rows = datasets.in_memory(val.arrays[0], ids)
  found = calibrated(labels.PROBLEM, _model(9.0, end), rows, wanted=True, seed=1)
  assert found.temperature > 2
  assert found.loss_after < found.loss_before
  served = _scores(_model(9.0, end), val, labels.PROBLEM, found)
  plain = _scores(_model(9.0), val, labels.PROBLEM)
  np.testing.assert_array_equal(served["label"], plain["label"])


def test_logits_that_are_not_calibrated_are_not_touched():
  said = tf.constant([[1.0, 2.0]])
  for calibration in (None, Calibration(reason="train.calibrate is false")):
    assert scaled(said, calibration, classes.PROBLEM) is said


def test_what_has_no_scores_is_not_calibrated(val):
  assert calibrated(number.PROBLEM, _model(1.0), val, wanted=True, seed=1) is None
  own = classes.PROBLEM.but(serving_outputs="mine.model.outputs")
  assert calibrated(own, _model(1.0), val, wanted=True, seed=1) is None


def test_several_outputs_are_left_and_that_is_said(val):
  found = calibrated(classes.PROBLEM, _model(1.0, None, 2), val, wanted=True, seed=1)
  assert (found.temperature, found.reason) == (1, "the model has several outputs")
