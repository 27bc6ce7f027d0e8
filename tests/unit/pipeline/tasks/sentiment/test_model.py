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
from pipeline.tasks.sentiment.features import WORD_IDS, WORDS
from pipeline.tasks.sentiment.model import (
  SEQUENCES,
  build_model,
  run_buckets,
  search_space,
)
from pipeline.tasks.sentiment.plan import training_plan
from pipeline.tasks.sentiment.task import TASK
from pipeline.text.word_counts import read_counts
from pipeline.training import datasets
from pipeline.training.answering import answering
from pipeline.training.export import certain

_IDS = np.array([[6, 9, 3, 0, 0], [7, 0, 0, 0, 0], [0, 0, 0, 0, 0], [8, 8, 6, 10, 1]], "int32")


def _inputs(ids, dtype="int32"):
  """Ids with parts that go with them; the graph has 5 parts."""
  parts = np.where(ids > 0, 1 + ids % 5, 0)
  return {
    name: tf.constant(values, dtype)
    for name, values in zip(SEQUENCES, (ids, parts, parts), strict=True)
  }


@pytest.fixture(scope="module")
def model(text_graph, params, own_runs):
  keras.utils.set_random_seed(1)
  built = build_model(params, text_graph)
  random = np.random.default_rng(1)
  # The bag starts at zero; trained weights are not.
  built.set_weights([random.normal(0, 0.5, w.shape) for w in built.get_weights()])
  own_runs(built.get_layer("bag"), *_inputs(_IDS).values())
  return built


def test_it_goes_from_ids_to_logits(model):
  assert model.output_shape == (None, 2)
  for dtype in ("int32", "int64"):
    logits = model(_inputs(_IDS, dtype), training=False)
    assert (logits.shape, logits.dtype) == ((4, 2), tf.float32)


def test_what_makes_a_text_strange_is_counted(model):
  """The graph numbers 5 parts: the ids from 6 on are words, the most frequent first."""
  ids = np.array([[6, 9, 3, 0], [7, 0, 0, 0], [0, 0, 0, 0], [1, 2, 0, 0]], "int32")
  inputs = _inputs(ids)
  evidence, traits = model.evidence(inputs).numpy(), model.traits(inputs).numpy()
  assert evidence.shape == (4, 100)
  assert np.flatnonzero(evidence[0]).tolist() == [0, 3]
  np.testing.assert_allclose(evidence[0, 0], 1 / np.sqrt(3), rtol=1e-6)
  assert not evidence[2:].any()
  ranks = np.log1p([0, 3])
  np.testing.assert_allclose(
    traits[0, [0, 5, 6, 7]], [1 / 3, ranks.mean(), ranks.std(), np.log(4)], rtol=1e-5
  )
  # All parts are known here; a text without words, or without pairs, has none that are.
  np.testing.assert_array_equal(traits[0, 1:5], 0)
  np.testing.assert_array_equal(traits[1, :5], [0, 0, 0, 0, 1])
  np.testing.assert_array_equal(traits[2, :5], 1)
  assert traits[3, 0] == 1
  assert traits[1, 6] == 0


def test_a_text_of_unknown_words_is_strange_to_the_served_model(model, text_graph):
  random = np.random.default_rng(3)

  def split(rows):
    ids = random.integers(6, 11, (rows, 8)).astype("int32")
    inputs = {name: value.numpy() for name, value in _inputs(ids).items()}
    return datasets.in_memory(inputs, random.integers(0, 2, rows), sequence_keys=SEQUENCES)

  doubts = certain.fitted(
    TASK.problem,
    model,
    text_graph,
    (split(200), split(100)),
    calibration=None,
    options={},
    settings={"seed": 1, "coverage": None, "accepted_accuracy": None},
  )
  outputs = answering(TASK, model, text_graph, {}, None, doubts)
  answers = [
    tf.function(outputs, autograph=False)(_inputs(ids))
    for ids in (split(50).arrays[0][WORD_IDS], np.full((3, 8), 2, "int32"))
  ]
  known, strange = (answer["familiarity"].numpy() for answer in answers)
  assert np.median(known) > 0.2
  assert strange.max() < 0.01
  assert (answers[1]["decision"].numpy() == b"unsure").all()


def test_what_the_bag_has_no_weight_for_is_unknown(text_graph, params):
  built = build_model(params, text_graph)
  inputs = _inputs(np.array([[6, 7, 8]], "int32"))
  unknown = built.traits(inputs).numpy()[0, :5]
  np.testing.assert_array_equal(unknown, [0, 1, 1, 1, 1])  # words come from the vocabulary


@pytest.mark.parametrize("padding", [1, 40])
def test_padding_changes_no_evidence(model, padding):
  longer = np.pad(_IDS, ((0, 0), (0, padding)))
  for of in (model.evidence, model.traits):
    np.testing.assert_allclose(of(_inputs(longer)), of(_inputs(_IDS)), atol=1e-6)


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
  layer = built.get_layer("bag")
  layer.set_weights([w + 1.0 for w in layer.get_weights()])
  logits = built(_inputs(_IDS), training=False).numpy()
  np.testing.assert_array_equal(logits, layer(*_inputs(_IDS).values()))
  assert logits.all()


def test_the_last_phase_trains_every_weight_that_is_no_weight_of_the_bag(text_graph, params):
  built = build_model(params, text_graph)
  bag, readers = training_plan(params)
  assert bag.output == "bag"
  assert not readers.frozen
  trained = {variable.path for variable in built.trainable_variables}
  assert trained == {w.path for w in built.weights if not w.path.startswith("bag/")}


def test_without_readers_the_bag_is_alone(text_graph, params):
  alone = params.replace(readers=0)
  bag = build_model(alone, text_graph)
  assert {w.path for w in bag.weights} == {"bag/features", "bag/bias", "bag/owners"}
  [phase] = training_plan(alone)
  assert (phase.name, phase.output) == ("bag", "bag")


def test_readers_read_an_excerpt_and_the_bag_all(text_graph, params):
  ids = np.array([[6, 7, 8, 9, 10, 7]], "int32")
  other = np.array([[6, 7, 9, 8, 10, 7]], "int32")
  answers = {}
  for words in (4, 6):
    keras.utils.set_random_seed(1)
    built = build_model(params.replace(reader_words=words), text_graph)
    random = np.random.default_rng(1)
    built.set_weights([random.normal(0, 0.5, w.shape) for w in built.get_weights()])
    built.get_layer("bag").set_weights([w * 0 for w in built.get_layer("bag").get_weights()])
    answers[words] = [built(_inputs(each), training=False).numpy() for each in (ids, other)]
  np.testing.assert_array_equal(*answers[4])
  assert np.abs(answers[6][0] - answers[6][1]).min() > 1e-3


@pytest.mark.parametrize(
  ("classes", "buckets"), [(2, 2**20), (16, 2**20), (17, 2**19), (300, 2**15)]
)
def test_more_classes_share_a_table_of_bounded_size(params, classes, buckets):
  unset = params.replace(pair_buckets=None, triple_buckets=None)
  assert run_buckets(unset, classes) == (buckets, buckets)
  assert run_buckets(unset.replace(pair_buckets=77), classes) == (77, buckets)
  assert run_buckets(unset.replace(triple_buckets=77), classes) == (buckets, 77)


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
  assert (bag.name, bag.epochs, bag.min_steps) == ("bag", 1, 0)
  assert (readers.name, readers.epochs, readers.min_steps) == ("readers", 3, 70)
  assert readers.learning_rate == params.learning_rate
  assert readers.epochs_setting == "epochs"


@pytest.mark.parametrize("readers", [0, 1])
def test_what_is_refused_as_unread_is_what_is_not_read(text_graph, params, recorded, readers):
  params = params.replace(readers=readers)
  watched, read = recorded(params)
  build_model(watched, text_graph)
  phases = training_plan(watched)
  compile_args(watched)
  of_model = set(params.as_json()) - {"batch_size", *params.names_with(Role.TRANSFORM)}
  unread = set(params.unread())
  # The bag is fitted when the model is adapted to the data.
  assert of_model - read - {"bag_start", "bag_shrinkage"} == unread
  assert len(phases) == 1 + readers


def test_the_search_space_is_around_this_runs_values(params):
  space = keras_tuner.HyperParameters()
  values = {"bag_start": 0.2, "learning_rate": 0.02}
  search_space(space, params.replace(**values))
  assert space.values == values
  start, rate = space.space
  assert (start.min_value, start.max_value) == (0, 1)
  assert (rate.min_value, rate.max_value, rate.sampling) == (0.005, 0.08, "log")
  alone = keras_tuner.HyperParameters()
  search_space(alone, params.replace(readers=0))
  assert set(alone.values) == {"bag_start"}


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
