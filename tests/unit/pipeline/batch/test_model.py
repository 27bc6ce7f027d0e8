"""A model asked in batches: order, outputs, and the rows it cannot answer."""

from concurrent import futures

import numpy as np
import pytest
import tensorflow as tf

from dlpipe.errors import DlpipeError
from pipeline.batch.columns import ModelOutput
from pipeline.batch.model import Model, read_outputs
from pipeline.batch.values import plain_values
from serving.errors import FailedPrecondition


def test_outputs_are_read_from_the_signature_words_first(text_model):
  assert read_outputs(text_model) == (
    ModelOutput(name="label", dtype="string", is_vector=False),
    ModelOutput(name="score", dtype="float32", is_vector=False),
    ModelOutput(name="scores", dtype="float32", is_vector=True),
  )


def test_answers_come_in_the_order_of_the_values_and_like_lengths_together(text_model):
  model = Model(text_model)
  model._threads = futures.ThreadPoolExecutor(1)
  sizes = []
  asked = model._model.predict

  def spy(signature, inputs, outputs):
    sizes.append([len(value) for value in inputs["text"]])
    return asked(signature, inputs, outputs)

  model._model.predict = spy
  answers, errors = model.ask([b"ccc", b"a", b"dddd", b"bb", b""], ["label"], batch_size=2).result()
  assert answers == {"label": ["CCC", "A", "DDDD", "BB", ""]}
  assert errors == {}
  assert sizes == [[0, 1], [2, 3], [4]]


def test_a_value_that_fails_costs_no_other_its_answer(text_model):
  done = []
  values = [b"boom", b"ok", b"x", b"boom", b"y"]
  asked = Model(text_model).ask(values, ["label", "score"], batch_size=4)
  answers, errors = asked.result(lambda *counts: done.append(counts))
  assert answers["label"] == [None, "OK", "X", None, "Y"]
  assert answers["score"] == [None, 0.33333334, 0.5, None, 0.5]
  assert sorted(errors) == [0, 3]
  assert "boom is no value" in errors[0]
  assert done == [(4, 1), (1, 1)]


def test_nothing_asked_is_nothing_answered(text_model):
  assert Model(text_model).ask([], ["label"], batch_size=4).result() == ({"label": []}, {})


def _save(path, function, **inputs):
  module = tf.Module()
  module.f = tf.function(function)
  signature = module.f.get_concrete_function(
    **{name: tf.TensorSpec([None], tf.string, name=name) for name in inputs}
  )
  tf.saved_model.save(module, str(path), signatures={"serving_default": signature})
  return path


def test_a_model_that_does_not_answer_row_by_row_is_one_message(tmp_path):
  path = _save(tmp_path / "1", lambda text: {"label": text[:1]}, text=1)
  with pytest.raises(DlpipeError, match="a value of the output 'label' for each of 2 rows"):
    Model(path).ask([b"a", b"b"], ["label"], batch_size=2).result()


def test_what_is_wrong_with_the_model_is_no_rows_error(text_model):
  model = Model(text_model)

  def fail(*arguments):
    raise FailedPrecondition("Table not initialized.")

  model._model.predict = fail
  with pytest.raises(DlpipeError, match=r"The model could not answer: Table not initialized\."):
    model.ask([b"a"], ["label"], batch_size=1).result()


def test_models_that_cannot_be_asked_are_refused(tmp_path, text_model):
  two = _save(tmp_path / "2", lambda a, b: {"label": a + b}, a=1, b=1)
  with pytest.raises(DlpipeError, match=r"takes one input. .* takes \['a', 'b'\]"):
    read_outputs(two)
  none = _save(tmp_path / "3", lambda text: {"n": tf.size(text)}, text=1)
  with pytest.raises(DlpipeError, match="gives no values for each row"):
    read_outputs(none)
  with pytest.raises(DlpipeError, match="cannot be read"):
    read_outputs(tmp_path)
  (tmp_path / "saved_model.pb").write_bytes((text_model / "saved_model.pb").read_bytes())
  with pytest.raises(DlpipeError, match="cannot be loaded"):
    Model(tmp_path)


@pytest.mark.parametrize(
  ("array", "expected"),
  [
    (np.array([0.1, 1 / 3], np.float32), [0.1, 0.33333334]),
    (np.array([[0.1], [1e-20]], np.float32), [[0.1], [1e-20]]),
    (np.array([[b"\xc3\xbc"], [b"\xff"]], object), [["ü"], ["\ufffd"]]),
    (np.array([1, 2], np.int64), [1, 2]),
    (np.array([True]), [True]),
    (np.array([0.1]), [0.1]),
  ],
)
def test_plain_values(array, expected):
  found = plain_values(array)
  assert found == expected
  assert type(np.ravel(np.array(found, object))[0]) is type(np.ravel(np.array(expected, object))[0])
