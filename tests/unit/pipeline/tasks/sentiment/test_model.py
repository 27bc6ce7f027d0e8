"""The sentiment model: blind to padding, each member with its own loss, and what a caller reads."""

import logging
import re

import keras
import keras_tuner
import numpy as np
import pytest
import tensorflow as tf

from components.errors import BadInputError
from pipeline.tasks.sentiment.model import (
  build_model,
  compile_args,
  search_space,
  serving_outputs,
  vocabulary,
)
from pipeline.tasks.sentiment.plan import training_plan

_IDS = np.array([[6, 9, 3, 0, 0], [7, 0, 0, 0, 0], [0, 0, 0, 0, 0], [8, 8, 6, 10, 1]], "int32")


@pytest.fixture(scope="module")
def model(text_graph, hyperparameters):
  keras.utils.set_random_seed(1)
  built = build_model(hyperparameters, text_graph)
  random = np.random.default_rng(1)
  # The bag starts at zero; trained weights are not.
  built.set_weights([random.normal(0, 0.5, w.shape) for w in built.get_weights()])
  return built


def test_it_goes_from_ids_to_logits_of_every_member(model):
  assert model.output_shape == (None, 3, 2)
  for dtype in ("int32", "int64"):
    assert model(tf.constant(_IDS, dtype), training=False).shape == (4, 3, 2)


@pytest.mark.parametrize("padding", [1, 40])
def test_padding_changes_no_answer(model, padding):
  short = model(_IDS, training=False).numpy()
  longer = np.pad(_IDS, ((0, 0), (0, padding)))
  np.testing.assert_allclose(model(longer, training=False), short, atol=1e-6)


def test_rows_do_not_change_each_other(model):
  together = model(_IDS, training=False).numpy()
  for row in range(len(_IDS)):
    ids = _IDS[row : row + 1]
    alone = model(ids[:, : max(1, np.count_nonzero(ids))], training=False)
    np.testing.assert_allclose(alone[0], together[row], atol=1e-6)


def test_order_matters_to_readers_and_neighbours_to_the_bag(model):
  forward, backward = (model(ids, training=False).numpy()[0] for ids in (_IDS[3:], _IDS[3:, ::-1]))
  assert np.abs(forward - backward).max(axis=1).min() > 1e-3


def test_dropout_is_for_training_only(model):
  first, again = (model(_IDS, training=False).numpy() for _ in range(2))
  np.testing.assert_array_equal(first, again)
  assert not np.allclose(model(_IDS, training=True), first)


def test_every_weight_is_trained(model):
  compiled = compile_args({})
  with tf.GradientTape() as tape:
    loss = compiled["loss"](np.array([0, 1, 1, 0]), model(_IDS, training=True))
  gradients = tape.gradient(loss, model.trainable_variables)
  assert all(gradient is not None for gradient in gradients)
  assert len(model.trainable_variables) == len(model.variables) - len(model.non_trainable_variables)


def test_without_readers_the_bag_is_alone(text_graph, hyperparameters):
  bag = build_model({**hyperparameters, "readers": 0}, text_graph)
  assert bag.output_shape == (None, 1, 2)
  # It starts from knowing nothing.
  assert not bag(_IDS, training=False).numpy().any()


def test_the_loss_is_the_members_sum_and_the_accuracy_their_means():
  compiled = compile_args({})
  logits = np.array([[[2.0, 0.0], [0.0, 1.0]]], "float32")
  loss = float(compiled["loss"](np.array([0]), logits))
  assert loss == pytest.approx(np.log1p(np.exp(-2)) + np.log1p(np.exp(1)), rel=1e-5)
  [accuracy] = compiled["metrics"]
  accuracy.update_state(np.array([0]), logits)
  assert float(accuracy.result()) == 1.0


@pytest.mark.parametrize("cell", ["rnn", "GRU"])
def test_an_unknown_cell_is_bad_input(text_graph, hyperparameters, cell):
  with pytest.raises(BadInputError, match=rf"one of \['gru', 'lstm'\]. Received: '{cell}'"):
    build_model({**hyperparameters, "cell": cell}, text_graph)


def test_an_lstm_reads_as_well(text_graph, hyperparameters):
  built = build_model({**hyperparameters, "cell": "lstm", "readers": 1}, text_graph)
  units = hyperparameters["units"]
  kernels = [w.shape for w in built.weights if w.shape == (units, 4 * units)]
  assert len(kernels) == 2


@pytest.fixture
def embeddings(tmp_path):
  path = tmp_path / "vectors.txt"
  path.write_text("good 1 2 3 4\nfilm 5 6 7 8\nelsewhere 9 9 9 9\n")
  return path


def test_pretrained_vectors_are_loaded_and_their_coverage_is_said(
  text_graph, hyperparameters, embeddings, caplog
):
  caplog.set_level(logging.INFO, "dlpipe.progress")
  values = {**hyperparameters, "embeddings": str(embeddings), "readers": 1}
  built = build_model(values, text_graph)
  words, _ = vocabulary(text_graph)
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


def test_vectors_for_none_of_the_words_are_bad_input(text_graph, hyperparameters, tmp_path):
  (tmp_path / "upper.txt").write_text("GOOD 1 2 3 4\n")
  values = {**hyperparameters, "embeddings": str(tmp_path / "upper.txt")}
  with pytest.raises(BadInputError, match="none of the vocabulary's 5 words, such as 'good'"):
    build_model(values, text_graph)


def test_the_plan_is_one_phase(hyperparameters):
  [phase] = training_plan({**hyperparameters, "epochs": 3, "min_steps": 70})
  assert (phase.epochs, phase.min_steps, phase.frozen) == (3, 70, ())
  assert phase.learning_rate == hyperparameters["learning_rate"]


def test_the_search_space_is_around_this_runs_values(hyperparameters):
  space = keras_tuner.HyperParameters()
  values = {"learning_rate": 0.02, "dropout": 0.21, "word_dropout": 0.4}
  search_space(space, {**hyperparameters, **values})
  assert space.values == {"learning_rate": 0.02, "dropout": 0.2, "word_dropout": 0.4}


def test_what_a_caller_reads(text_graph, model):
  answer = serving_outputs(model, text_graph)({"word_ids": tf.constant(_IDS, tf.int64)})
  scores = answer["scores"].numpy()
  expected = tf.nn.softmax(tf.reduce_mean(model(_IDS, training=False), axis=1)).numpy()
  np.testing.assert_allclose(scores, expected, atol=1e-6)
  assert answer["score"].numpy().tolist() == scores.max(axis=1).tolist()
  assert answer["labels"].numpy().tolist() == [[b"negative", b"positive"]] * 4
  best = [(b"negative", b"positive")[i] for i in scores.argmax(axis=1)]
  assert answer["label"].numpy().tolist() == best


def test_texts_without_words_alone_are_answered(text_graph, model):
  empty = tf.zeros([2, 8], tf.int64)
  scores = serving_outputs(model, text_graph)({"word_ids": empty})["scores"].numpy()
  np.testing.assert_allclose(scores.sum(axis=1), 1, rtol=1e-6)
