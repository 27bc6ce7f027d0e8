"""Parts of words in the sentiment model: they add up, alone and in a batch, whatever the model."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipeline.problems.calibration import Calibration
from pipeline.tasks.sentiment.layers import Bag, Pooling
from pipeline.tasks.sentiment.model import SEQUENCES, build_model
from pipeline.tasks.sentiment.task import TASK
from pipeline.training.answering import answering
from pipeline.training.export import explaining

_TEXTS = (
  "Good film, not good.",
  "bad",
  "",
  "plot good bad bad. not good plot film. good film, film",  # longer than what is read
)


@pytest.fixture
def modelled(text_graph, own_runs):
  """Returns a function that builds a model whose weights, also of pairs and triples, are not 0."""

  def build(params, *texts):
    keras.utils.set_random_seed(1)
    built = build_model(params, text_graph)
    random = np.random.default_rng(1)
    for weight in built.weights:
      if weight.name != "owners":
        weight.assign(random.normal(0, 0.5, weight.shape))
    features = _features(text_graph, *_TEXTS, "bad bad bad", *texts)
    own_runs(built.get_layer("bag"), *(features[name] for name in SEQUENCES))
    return built

  return build


def _features(text_graph, *given):
  layer = text_graph.transform_features_layer()
  return dict(layer({"text": tf.constant([[each] for each in given])}))


def _explaining(model, text_graph, calibration=None):
  """Returns a function that explains texts, traced once more for another number of them alone."""
  explain = explaining.explanation(TASK, model, text_graph, {}, calibration)
  traced = tf.function(explain, autograph=False, reduce_retracing=True)
  return lambda *given: {k: v.numpy() for k, v in traced(_features(text_graph, *given)).items()}


def _explained(model, text_graph, *given, calibration=None):
  return _explaining(model, text_graph, calibration)(*given)


@pytest.mark.parametrize(
  "changes",
  [{"readers": 0}, {}, {"reader_words": 3}, {"cell": "lstm"}],
  ids=["bag", "readers", "excerpt", "lstm"],
)
def test_the_words_and_the_intercept_add_up_to_the_logit(text_graph, params, changes, modelled):
  model = modelled(params.replace(**changes))
  calibration = Calibration(temperature=0.7, rows=40, loss_before=1, loss_after=1,
                            error_before=0, error_after=0)  # fmt: skip
  found = _explained(model, text_graph, *_TEXTS, calibration=calibration)
  total = found["contributions"].sum(axis=1) + found["intercept"]
  np.testing.assert_allclose(total, found["explained"], atol=1e-4)
  np.testing.assert_allclose(found["unexplained"], 0, atol=1e-4)
  answer = answering(TASK, model, text_graph, {}, calibration)(_features(text_graph, *_TEXTS))
  assert found["label"].tolist() == answer["label"].numpy().tolist()
  # With two classes the logits are each other's negative, but for what the readers add.
  logits = np.log(answer["scores"].numpy())
  if changes == {"readers": 0}:
    np.testing.assert_allclose(2 * found["explained"], np.ptp(logits, axis=1), atol=1e-4)


def test_the_words_are_those_that_are_read(text_graph, params, modelled):
  found = _explained(modelled(params), text_graph, *_TEXTS)
  said = [[word.decode() for word in row if word] for row in found["tokens"]]
  assert said[:3] == [["good", "film", ",", "not", "good", "."], ["bad"], []]
  assert len(said[3]) == 8
  assert not found["contributions"][found["tokens"] == b""].any()


def test_an_explanation_does_not_depend_on_its_batch(text_graph, params, modelled):
  explained = _explaining(modelled(params.replace(reader_words=4)), text_graph)
  together = explained(*_TEXTS)
  for row, text in enumerate(_TEXTS):
    alone = explained(text)
    size = alone["tokens"].shape[1]
    assert together["tokens"][row, :size].tolist() == alone["tokens"][0].tolist()
    for name in ("contributions", "explained", "intercept"):
      np.testing.assert_allclose(
        np.atleast_1d(together[name][row])[:size], np.atleast_1d(alone[name][0]), atol=1e-5
      )


def test_a_word_that_occurs_twice_counts_once_and_shares_its_part(text_graph, params, modelled):
  found = _explained(modelled(params.replace(readers=0)), text_graph, "bad bad bad")
  first, middle, last = found["contributions"][0]
  assert first == pytest.approx(last, abs=1e-6)
  named = dict(zip(found["terms"][0], found["term_contributions"][0], strict=True))
  assert set(named) - {b""} == {b"bad", b"bad bad", b"bad bad bad"}
  assert sum(named.values()) == pytest.approx(first + middle + last, abs=1e-5)


@pytest.mark.parametrize("classes", [2, 3])
def test_the_parts_of_the_bag_are_its_weights(classes, own_runs):
  bag = Bag(np.array([0, 1, 2, 1, 2, 2]), 3, (7, 5), classes)
  ids, parts = tf.constant([[3, 4, 3, 0]]), tf.constant([[1, 2, 1, 0]])
  bag(ids, parts, parts)
  own_runs(bag, ids, parts, parts)
  random = np.random.default_rng(1)
  table, bias, owners = bag.get_weights()
  bag.set_weights([*(random.normal(size=each.shape) for each in (table, bias)), owners])
  logits = bag(ids, parts, parts)
  for column in range(classes):
    factors = tf.one_hot([column], classes)
    values, bias = bag.weighted(bag.features(ids, parts, parts), factors)
    total = tf.reduce_sum(values * bag.scales(ids), axis=1) + bias
    np.testing.assert_allclose(total, logits[:, column], atol=1e-5)


def test_what_is_pooled_is_divided_among_its_places():
  random = np.random.default_rng(1)
  states = np.tanh(random.normal(size=(3, 5, 4))).astype("float32")
  states[0, 1] = states[0, 0] = 1  # a tie, as of saturated states
  lengths, weights = tf.constant([5, 2, 0]), tf.constant(random.normal(size=(3, 8)), tf.float32)
  pooling = Pooling()
  parts = pooling.shares(tf.constant(states), lengths, weights).numpy()
  wanted = tf.reduce_sum(pooling(tf.constant(states), lengths) * weights, axis=1)
  np.testing.assert_allclose(parts.sum(axis=1), wanted, atol=1e-5)
  assert parts[0, 0] == pytest.approx(parts[0, 1], abs=1e-6)
  assert not parts[1, 2:].any()
  assert not parts[2].any()
  # Rounding moves no part to another place.
  moved = states.copy()
  moved[0, 1] -= 1e-6
  again = pooling.shares(tf.constant(moved), lengths, weights).numpy()
  np.testing.assert_allclose(again, parts, atol=1e-3)


def test_a_network_of_embeddings_is_explained_too(text_graph, params):
  inputs = {name: keras.Input((None,), dtype="int32", name=name) for name in SEQUENCES}
  vectors = [keras.layers.Embedding(200, 4)(each) for each in inputs.values()]
  mean = keras.ops.sum(sum(vectors), axis=1)
  model = keras.Model(inputs, keras.layers.Dense(2)(mean))
  found = _explained(model, text_graph, *_TEXTS)
  assert set(found) == {
    "tokens", "contributions", "explained", "intercept", "unexplained", "label",
  }  # fmt: skip


def test_deleting_what_it_names_lowers_the_score_more_than_chance(text_graph, params, modelled):
  """As a trained model: 0.10 of the score of the answered label."""
  random = np.random.default_rng(1)
  words = np.array(["good", "bad", "film", "not", "plot", ".", ","])
  texts = [random.permutation(words)[:6].tolist() for _ in range(30)]
  model = modelled(params, *map(" ".join, texts))
  answer = tf.function(answering(TASK, model, text_graph, {}), autograph=False)
  found = _explained(model, text_graph, *map(" ".join, texts))
  named = np.argsort(-found["contributions"][:, :6], axis=1)
  chance = random.permuted(np.tile(np.arange(6), (30, 1)), axis=1)

  def area(order):
    left = [
      " ".join(word for place, word in enumerate(text) if place not in gone[:count])
      for count in range(4)
      for text, gone in zip(texts, order.tolist(), strict=True)
    ]
    outputs = answer(_features(text_graph, *left))
    column = (found["label"] == b"positive").astype(int)
    scores = outputs["scores"].numpy().reshape(4, 30, 2)
    return scores[:, np.arange(30), column].mean()

  assert area(named) < area(chance) - 0.10
