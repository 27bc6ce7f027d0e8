"""The weights that counting gives the bag of words."""

import numpy as np
import pytest
import tensorflow as tf

from pipeline.tasks.sentiment import naive_bayes
from pipeline.tasks.sentiment.features import END_IDS, START_IDS, WORD_IDS
from pipeline.tasks.sentiment.layers import PairBag, WordVectors
from pipeline.tasks.sentiment.params import SentimentParams


def test_ratios_are_of_shares_and_0_where_nothing_was_counted():
  ratios = naive_bayes.log_ratios(np.array([[3, 0], [1, 1], [0, 0]]))
  shares = np.array([[3.5, 0.5], [1.5, 1.5], [0.5, 0.5]]) / [5.5, 2.5]
  expected = np.log(shares[:, 0] / shares[:, 1]) / 2
  np.testing.assert_allclose(ratios[:2, 0], expected[:2])
  np.testing.assert_allclose(ratios.sum(axis=1), 0, atol=1e-12)
  assert ratios[2].tolist() == [0, 0]


class _Model:
  """The two layers of the bag, as `get_layer` finds them."""

  def __init__(self):
    # Rows 0 to 2 are stems of unknown words; ids 3 and 4 are words with the stems 1 and 2.
    self.words = WordVectors(np.array([0, 1, 2, 1, 2]), 3, 2, name="bag_words")
    self.pairs = PairBag(7, 2, l2=0.0, name="bag_pairs")
    self.words(*(tf.zeros([1, 2], tf.int32) for _ in range(3)))
    self.pairs(tf.zeros([1, 2], tf.int32))

  def get_layer(self, name):
    return {"bag_words": self.words, "bag_pairs": self.pairs}[name]


def _batches():
  ids = np.array([[3, 4, 3], [4, 1, 0], [3, 0, 0]], "int32")
  starts = np.array([[1, 2, 1], [2, 2, 0], [1, 0, 0]], "int32")
  inputs = {WORD_IDS: ids, START_IDS: starts, END_IDS: starts}
  return tf.data.Dataset.from_tensors((inputs, np.array([0, 1, 1]))).repeat(2)


def test_every_table_starts_at_the_ratios_of_its_rows():
  model = _Model()
  naive_bayes.adapt(SentimentParams(bag_start=0.5), model, _batches())
  own, stems, starts, ends = (np.asarray(table) for table in model.words.weights)
  # Twice: word 3 in texts of class 0, 0, 1; word 4 in one of each.
  counted = {"own": [[4, 2], [2, 2]], "stems": [[0, 0], [4, 4], [2, 2]]}
  np.testing.assert_allclose(own, 0.5 * naive_bayes.log_ratios(np.array(counted["own"])), rtol=1e-6)
  expected = 0.5 * naive_bayes.log_ratios(np.array(counted["stems"]))
  np.testing.assert_allclose(stems, expected, atol=1e-6)
  np.testing.assert_allclose(
    starts, 0.5 * naive_bayes.log_ratios(np.array([[0, 0], [4, 2], [2, 4]])), atol=1e-6
  )
  np.testing.assert_array_equal(starts, ends)


def test_pairs_are_counted_where_the_layer_reads_them():
  model = _Model()
  naive_bayes.adapt(SentimentParams(bag_start=1.0), model, _batches())
  # 3-4 and 4-3 are in class 0 only, 4-1 in class 1 only.
  logits = np.asarray(model.pairs(tf.constant([[3, 4], [4, 3], [4, 1], [3, 0]])))
  assert logits[0][0] > 0 > logits[0][1]
  assert logits[1][0] > 0 > logits[1][1]
  assert logits[2][0] < 0 < logits[2][1]
  assert logits[3].tolist() == [0, 0]


def test_a_start_of_0_leaves_the_tables_at_0():
  model = _Model()
  naive_bayes.adapt(SentimentParams(bag_start=0.0), model, _batches())
  assert all(
    not np.asarray(weight).any() for weight in (*model.words.weights, *model.pairs.weights)
  )


@pytest.mark.parametrize("classes", [2, 3])
def test_any_number_of_classes(classes):
  counts = np.random.default_rng(0).integers(0, 9, (20, classes))
  ratios = naive_bayes.log_ratios(counts)
  assert ratios.shape == (20, classes)
  assert np.isfinite(ratios).all()
