"""The sentiment model: blind to padding, trained in two phases, and what a caller reads."""

import logging
import re

import keras
import keras_tuner
import numpy as np
import pytest
import tensorflow as tf

from dlpipe.errors import BadInputError
from pipeline.params import Role
from pipeline.problems.classes import compile_args
from pipeline.tasks.sentiment.features import WORDS
from pipeline.tasks.sentiment.model import (
  SEQUENCES,
  build_model,
  search_space,
)
from pipeline.tasks.sentiment.plan import training_plan
from pipeline.tasks.sentiment.task import TASK
from pipeline.text.word_counts import read_counts
from pipeline.training.answering import answering

_IDS = np.array([[6, 9, 3, 0, 0], [7, 0, 0, 0, 0], [0, 0, 0, 0, 0], [8, 8, 6, 10, 1]], "int32")


def _inputs(ids, dtype="int32"):
  """Ids with parts that go with them; the graph has 5 parts."""
  parts = np.where(ids > 0, 1 + ids % 5, 0)
  return {
    name: tf.constant(values, dtype)
    for name, values in zip(SEQUENCES, (ids, parts, parts), strict=True)
  }


@pytest.fixture(scope="module")
def model(text_graph, params):
  keras.utils.set_random_seed(1)
  built = build_model(params, text_graph)
  random = np.random.default_rng(1)
  # The bag starts at zero; trained weights are not.
  built.set_weights([random.normal(0, 0.5, w.shape) for w in built.get_weights()])
  return built


def test_it_goes_from_ids_to_logits(model):
  assert model.output_shape == (None, 2)
  for dtype in ("int32", "int64"):
    logits = model(_inputs(_IDS, dtype), training=False)
    assert (logits.shape, logits.dtype) == ((4, 2), tf.float32)


@pytest.mark.parametrize("padding", [1, 40])
def test_padding_changes_no_answer(model, padding):
  short = model(_inputs(_IDS), training=False).numpy()
  longer = np.pad(_IDS, ((0, 0), (0, padding)))
  np.testing.assert_allclose(model(_inputs(longer), training=False), short, atol=1e-6)


def test_rows_do_not_change_each_other(model):
  together = model(_inputs(_IDS), training=False).numpy()
  for row in range(len(_IDS)):
    ids = _IDS[row : row + 1]
    alone = model(_inputs(ids[:, : max(1, np.count_nonzero(ids))]), training=False)
    np.testing.assert_allclose(alone[0], together[row], atol=1e-6)


def test_order_matters(model):
  rows = (_IDS[3:], _IDS[3:, ::-1])
  forward, backward = (model(_inputs(ids), training=False).numpy()[0] for ids in rows)
  assert np.abs(forward - backward).min() > 1e-3


def test_dropout_is_for_training_only(model):
  first, again = (model(_inputs(_IDS), training=False).numpy() for _ in range(2))
  np.testing.assert_array_equal(first, again)
  assert not np.allclose(model(_inputs(_IDS), training=True), first)


def test_readers_start_without_a_correction(text_graph, params):
  keras.utils.set_random_seed(1)
  built = build_model(params, text_graph)
  assert not built(_inputs(_IDS), training=False).numpy().any()
  layer = built.get_layer("bag_pairs")
  layer.set_weights([w + 1.0 for w in layer.get_weights()])
  pairs = (_IDS[:, 1:] != 0).sum(axis=1) / np.sqrt(np.maximum((_IDS != 0).sum(axis=1), 1))
  logits = built(_inputs(_IDS), training=False).numpy()
  np.testing.assert_allclose(logits, np.repeat(pairs[:, None], 2, axis=1), rtol=1e-6)


def test_the_phases_train_every_weight_once(text_graph, params):
  built = build_model(params, text_graph)
  trained = []
  for phase in training_plan(params):
    names = {layer.name for layer in built.layers}
    assert set(phase.frozen) <= names
    trained += [
      variable.path
      for layer in built.layers
      if layer.name not in phase.frozen
      for variable in layer.trainable_variables
    ]
  assert sorted(trained) == sorted(variable.path for variable in built.trainable_variables)


def test_without_readers_the_bag_is_alone(text_graph, params):
  alone = params.replace(readers=0)
  bag = build_model(alone, text_graph)
  assert {w.shape[-1] for w in bag.weights} == {2}
  [phase] = training_plan(alone)
  assert (phase.name, phase.frozen) == ("bag", ())


def test_the_loss_takes_logits_and_integer_labels(params):
  compiled = compile_args(params)
  logits = np.array([[2.0, 0.0], [0.0, 2.0]], "float32")
  loss = float(compiled["loss"](np.array([0, 0]), logits))
  assert loss == pytest.approx((np.log1p(np.exp(-2)) + np.log1p(np.exp(2))) / 2, rel=1e-5)
  [accuracy] = compiled["metrics"]
  accuracy.update_state(np.array([0, 0]), logits)
  assert float(accuracy.result()) == 0.5


@pytest.mark.parametrize("cell", ["rnn", "GRU"])
def test_an_unknown_cell_is_bad_input(text_graph, params, cell):
  with pytest.raises(BadInputError, match=f'model.cell must be gru or lstm. Received: "{cell}"'):
    build_model(params.replace(cell=cell), text_graph)


def test_an_lstm_reads_as_well(text_graph, params):
  built = build_model(params.replace(cell="lstm", readers=1), text_graph)
  units = params.units
  kernels = [w.shape for w in built.weights if w.shape == (units, 4 * units)]
  assert len(kernels) == 2


@pytest.fixture
def embeddings(tmp_path):
  path = tmp_path / "vectors.txt"
  path.write_text("good 1 2 3 4\nfilm 5 6 7 8\nelsewhere 9 9 9 9\n")
  return path


def test_pretrained_vectors_are_loaded_and_their_coverage_is_said(
  text_graph, params, embeddings, caplog
):
  caplog.set_level(logging.INFO, "dlpipe.progress")
  built = build_model(params.replace(embeddings=str(embeddings), readers=1), text_graph)
  words, _ = read_counts(text_graph, WORDS)
  vectors = next(w for w in built.get_weights() if w.shape == (len(words), 4))
  assert vectors[words.index(b"good")].tolist() == [1, 2, 3, 4]
  assert vectors[words.index(b"film")].tolist() == [5, 6, 7, 8]
  # A word that the file lacks is no different in size.
  assert 0 < np.abs(vectors[words.index(b"bad")]).max() < 10
  [record] = [r for r in caplog.records if "pre-trained" in r.message]
  # 2 of 5 words; good is there 4 times and film twice, out of 14.
  assert record.dlpipe == {
    "vocabulary_coverage": pytest.approx(2 / 5),
    "word_coverage": pytest.approx(6 / 14),
  }
  assert re.search(r"40.0% of the vocabulary, which are 42.9% of its running words", record.message)


def test_vectors_for_none_of_the_words_are_bad_input(text_graph, params, tmp_path):
  (tmp_path / "upper.txt").write_text("GOOD 1 2 3 4\n")
  given = params.replace(embeddings=str(tmp_path / "upper.txt"))
  with pytest.raises(BadInputError, match="none of the vocabulary's 5 words, such as 'good'"):
    build_model(given, text_graph)


def test_the_plan_is_the_bag_and_then_the_readers(params):
  bag, readers = training_plan(params.replace(epochs=3, min_steps=70))
  assert (bag.name, bag.epochs, bag.learning_rate, bag.min_steps) == ("bag", 4, 0.003, 35)
  assert (readers.name, readers.epochs, readers.min_steps) == ("readers", 3, 70)
  assert readers.learning_rate == params.learning_rate
  assert (bag.epochs_setting, readers.epochs_setting) == ("bag_epochs", "epochs")


@pytest.mark.parametrize("readers", [0, 1])
def test_what_is_refused_as_unread_is_what_is_not_read(text_graph, params, recorded, readers):
  params = params.replace(readers=readers)
  watched, read = recorded(params)
  build_model(watched, text_graph)
  phases = training_plan(watched)
  compile_args(watched)
  of_model = set(params.as_json()) - {"batch_size", *params.names_with(Role.TRANSFORM)}
  unread = set(params.unread())
  # Naive Bayes reads bag_start, when the model is adapted to the data.
  assert of_model - read - {"bag_start"} == unread
  assert {phase.epochs_setting for phase in phases} == {"bag_epochs", "epochs"} - unread


def test_the_search_space_is_around_this_runs_values(params):
  space = keras_tuner.HyperParameters()
  values = {"bag_learning_rate": 0.02, "bag_l2": 1e-4}
  search_space(space, params.replace(**values))
  assert space.values == values
  rate, l2 = space.space
  assert (rate.min_value, rate.max_value, rate.sampling) == (0.005, 0.08, "log")
  assert (l2.min_value, l2.max_value) == (pytest.approx(1e-5), pytest.approx(1e-3))


def test_what_a_caller_reads(text_graph, model):
  answer = answering(TASK, model, text_graph, {})(_inputs(np.pad(_IDS, ((0, 0), (0, 3))), "int64"))
  scores = answer["scores"].numpy()
  expected = tf.nn.softmax(model(_inputs(_IDS), training=False)).numpy()
  np.testing.assert_allclose(scores, expected, atol=1e-6)
  assert answer["score"].numpy().tolist() == scores.max(axis=1).tolist()
  assert answer["labels"].numpy().tolist() == [[b"negative", b"positive"]] * 4
  best = [(b"negative", b"positive")[i] for i in scores.argmax(axis=1)]
  assert answer["label"].numpy().tolist() == best


def test_texts_without_words_alone_are_answered(text_graph, model):
  empty = _inputs(np.zeros((2, 8), int), "int64")
  scores = answering(TASK, model, text_graph, {})(empty)["scores"].numpy()
  np.testing.assert_allclose(scores.sum(axis=1), 1, rtol=1e-6)
