"""The bag of words: what it reads of a text, and the weights that it is given before training."""

import logging

import numpy as np
import pytest
import tensorflow as tf

from pipeline.tasks.sentiment import bag
from pipeline.tasks.sentiment.features import END_IDS, START_IDS, WORD_IDS
from pipeline.tasks.sentiment.layers import Bag
from pipeline.tasks.sentiment.linear import Linear, Texts
from pipeline.tasks.sentiment.params import SentimentParams

# Ids 1 and 2 are stems of unknown words; 3 and 4 words with the stems 1 and 2.
_STEMS = np.array([0, 1, 2, 1, 2])
# The bag's table: 2 words, then 3 rows each of stems, starts and ends, then pairs.
_PAIRS_FROM = 2 + 3 * 3


def _bag(classes=2, pairs=1000, triples=1000):
  layer = Bag(_STEMS, 3, (pairs, triples), classes, name="bag")
  layer.build()
  return layer


class _Model:
  """A model of which only the bag is asked."""

  def __init__(self, layer):
    self._layer = layer

  def get_layer(self, name):
    assert name == "bag"
    return self._layer


def _batches(rows=40, weights=False, seed=0):
  """Texts of up to 5 words; those of class 1 have word 4 more often."""
  rng = np.random.default_rng(seed)
  labels = rng.integers(0, 2, rows)
  ids = np.where(
    rng.random((rows, 5)) < 0.3 + 0.4 * labels[:, None], 4, rng.integers(1, 4, (rows, 5))
  )
  ids *= np.arange(5) < rng.integers(1, 6, (rows, 1))
  parts = np.where(ids > 0, 1 + ids % 2, 0)
  inputs = {WORD_IDS: ids, START_IDS: parts, END_IDS: parts}
  given = [{name: each.astype("int32") for name, each in inputs.items()}, labels]
  if weights:
    given.append(np.where(labels == 1, 50.0, 1.0))
  return tf.data.Dataset.from_tensor_slices(tuple(given)).batch(7)


def test_a_feature_is_there_once_however_often_a_text_has_it(own_runs):
  layer = _bag()
  ids, starts, ends = ([[3, 4, 3, 4, 0]], [[1, 2, 1, 2, 0]], [[2, 2, 2, 2, 0]])
  own_runs(layer, ids, starts, ends)
  [found] = layer.features(*(tf.constant(each, tf.int32) for each in (ids, starts, ends))).numpy()
  there = found[found >= 0]
  assert sorted(set(there)) == there.tolist()
  # Words 0 and 1, stems 1 and 2, starts 1 and 2, end 2; the pairs 3-4 and 4-3; 3-4-3 and 4-3-4.
  assert there[:7].tolist() == [0, 1, 2 + 1, 2 + 2, 5 + 1, 5 + 2, 8 + 2]
  assert len(there) == 11
  assert (there[7:9] >= _PAIRS_FROM).all()
  assert (there[9:] >= _PAIRS_FROM + 1000).all()
  assert layer.shape == (_PAIRS_FROM + 1000 + 1000, 1)


def _codes(layer, *texts):
  """The candidates of texts of words without parts."""
  width = max(map(len, texts))
  ids = tf.constant([[*text, *[0] * (width - len(text))] for text in texts], tf.int32)
  return layer.candidates(ids, tf.zeros_like(ids), tf.zeros_like(ids)).numpy()


def test_what_one_text_alone_has_is_no_feature():
  layer = _bag()
  codes = _codes(layer, [3, 4, 3], [3, 4, 4])
  layer.own(codes[codes >= 0])
  rows = layer.rows_of(codes[codes >= 0])
  owned = set(rows[rows >= _PAIRS_FROM].tolist())
  [pair] = owned  # 3-4; neither 4-3 nor 4-4, nor any triple
  ids = tf.constant([[3, 4, 3, 4], [4, 4, 4, 0], [4, 3, 0, 0]], tf.int32)
  found = layer.features(ids, tf.zeros_like(ids), tf.zeros_like(ids)).numpy()
  assert [(row >= _PAIRS_FROM).sum() for row in found] == [1, 0, 0]
  assert found[0].max() == pair


def test_a_bucket_is_that_of_its_commonest_pair_alone():
  layer = _bag(pairs=1, triples=1)
  codes = _codes(layer, [3, 4], [3, 4], [4, 3], [4, 3], [4, 3])
  layer.own(codes[codes >= 0])
  ids = tf.constant([[4, 3], [3, 4]], tf.int32)
  pairs = layer.features(ids, tf.zeros_like(ids), tf.zeros_like(ids)).numpy() == _PAIRS_FROM
  assert pairs.any(axis=1).tolist() == [True, False]
  table, bias, owners = layer.get_weights()
  layer.set_weights([table + 1, bias, owners])
  layer.own(codes[codes >= 0])
  assert layer.get_weights()[0].all()
  # Another owner begins without a weight; words keep theirs.
  others = _codes(layer, [3, 4], [3, 4])
  layer.own(others[others >= 0])
  table = layer.get_weights()[0][:, 0]
  assert (table[_PAIRS_FROM], table[:_PAIRS_FROM].all()) == (0, True)


def test_unknown_words_are_known_by_their_parts_alone():
  [found] = _bag().features(*(tf.constant([[each]]) for each in (2, 1, 1))).numpy()
  assert found[found >= 0].tolist() == [2 + 2, 5 + 1, 8 + 1]


def test_ids_beyond_32_bits_of_product_find_a_bucket():
  layer = Bag(np.array([0, 1]), 2, (97, 89), 2)
  ids = tf.fill([1, 4], tf.constant(2**31 - 1, tf.int32))
  for words, most in ((2, 97), (3, 89)):
    buckets, names = (each.numpy() for each in layer._run(ids, words))
    assert buckets.shape == names.shape == (1, 5 - words)
    assert ((buckets >= 0) & (buckets < most)).all()
    assert ((names > 0) & (names < 2**24)).all()


def test_the_order_of_words_makes_another_triple_and_few_words_make_none():
  layer = _bag(pairs=10**6, triples=10**6)
  found = layer._run(tf.constant([[1, 2, 3], [3, 2, 1], [2, 1, 3], [1, 2, 3]]), 3)[0].numpy()[:, 0]
  assert len(set(found.tolist())) == 3
  assert found[0] == found[3]
  for words in (1, 2):
    assert layer._run(tf.ones([5, words], tf.int32), 3)[0].shape == (5, 0)


@pytest.mark.parametrize("classes", [2, 3])
def test_the_answer_is_the_sum_of_weights_over_the_root_of_the_length(classes, own_runs):
  layer = _bag(classes)
  ids = np.array([[3, 4, 3, 0], [1, 0, 0, 0], [0, 0, 0, 0]], "int32")
  parts = np.where(ids > 0, 1, 0).astype("int32")
  own_runs(layer, ids, parts, parts)
  rng = np.random.default_rng(0)
  table, bias, owners = layer.get_weights()
  table, bias = (rng.normal(size=each.shape).astype("float32") for each in (table, bias))
  layer.set_weights([table, bias, owners])
  rows = layer.features(ids, parts, parts).numpy()
  sums = np.stack([table[row[row >= 0]].sum(axis=0) for row in rows])
  expected = sums / np.sqrt([[3], [1], [1]]) + bias
  if classes == 2:
    expected = np.concatenate([-expected / 2, expected / 2], axis=1)
  np.testing.assert_allclose(layer(ids, parts, parts), expected, rtol=1e-5, atol=1e-6)
  assert not layer.trainable_variables


def test_adapting_gives_the_layer_the_fitted_weights_and_says_so(caplog):
  caplog.set_level(logging.INFO, "dlpipe.progress")
  layer = _bag()
  bag.adapt(SentimentParams(bag_shrinkage=0.5), _Model(layer), _batches())
  table, bias = Linear(*layer.shape, start=0.3).fit(bag.read(layer, _batches()), 0.5)
  np.testing.assert_array_equal(layer.get_weights()[0], table)
  np.testing.assert_array_equal(layer.get_weights()[1], bias)
  assert "fitting the bag of words to 40 texts" in caplog.text
  assert f"{table.any(axis=1).sum()} features, shrunk by 0.5 (model.bag_shrinkage)" in caplog.text


def test_weights_of_rows_count():
  even, heavy = _bag(), _bag()
  params = SentimentParams(bag_shrinkage=0.5)
  bag.adapt(params, _Model(even), _batches())
  bag.adapt(params, _Model(heavy), _batches(weights=True))
  assert heavy.get_weights()[1][0] > even.get_weights()[1][0] + 1


def test_the_shrinkage_is_the_one_with_the_least_loss_on_texts_held_out():
  layer = _bag()
  texts, linear = bag.read(layer, _batches(400)), Linear(*layer.shape, start=0.3)
  held_out = np.arange(400) % 5 == 4
  losses = {
    each: linear.loss(texts.part(held_out), *linear.fit(texts.part(~held_out), each))
    for each in (1.0, 0.3, 0.1, 0.03)
  }
  assert bag.chosen(linear, texts) == min(losses, key=losses.get)


def test_too_few_texts_to_hold_any_out_are_shrunk_most():
  layer = _bag()
  assert bag.chosen(Linear(*layer.shape, start=0.3), bag.read(layer, _batches(3))) == 1.0


def test_of_too_many_texts_evenly_many_are_read_and_it_is_said(caplog):
  caplog.set_level(logging.INFO, "dlpipe.progress")
  layer = _bag()
  whole = bag.read(layer, _batches(90))
  assert "one text in" not in caplog.text
  some = bag.read(layer, _batches(90), most=len(whole.features) // 3)
  assert "fitted to one text in 4 of 90" in caplog.text
  # What owns a bucket is decided by the texts that are kept.
  _assert_equal(some, bag.read(_bag(), _batches(90).unbatch().shard(4, 0).batch(7)))


def _assert_equal(one: Texts, other: Texts):
  for name in ("features", "counts", "scales", "labels", "weights"):
    np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
