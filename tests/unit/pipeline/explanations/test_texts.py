"""Parts of words: equal terms are one, and a network of embeddings adds up."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

from pipeline.explanations import texts
from pipeline.explanations.target import CannotExplain, Target

_IDS = np.array([[3, 1, 3, 2], [4, 0, 0, 0], [0, 0, 0, 0]], "int32")
_TOKENS = np.array(["", "a", "b", "c", "d"], object)[_IDS]


def _target(**changes):
  given = {
    "features": {"ids", "tokens"},
    "inputs": lambda features: features["ids"],
    "numbers": lambda said, features: tf.cast(said, tf.float32),
    "labels": ["no", "yes"],
  }
  return Target(**{**given, **changes})


def _features():
  return {"ids": tf.constant(_IDS), "tokens": tf.constant(_TOKENS)}


def _mean_of_words(activation=None):
  keras.utils.set_random_seed(1)
  ids = keras.Input((None,), dtype="int32", name="ids")
  is_word = ops.cast(ops.not_equal(ids, 0), "float32")[:, :, None]
  vectors = layers.Embedding(5, 4, embeddings_initializer="normal")(ids)
  mean = ops.sum(vectors * is_word, axis=1) / ops.maximum(ops.sum(is_word, axis=1), 1)
  hidden = layers.Dense(3, activation=activation)(mean)
  return keras.Model(ids, layers.Dense(2, bias_initializer="normal")(hidden))


def _explained(model):
  explain = tf.function(texts.explain(model, _target(), "tokens"), autograph=False)
  return {name: value.numpy() for name, value in explain(_features()).items()}


def test_the_words_add_up_where_nothing_bends():
  model = _mean_of_words()
  found = _explained(model)
  logits = model(_IDS).numpy()
  np.testing.assert_allclose(found["explained"], logits.max(axis=1), atol=1e-6)
  assert found["label"].tolist() == [[b"no", b"yes"][each] for each in logits.argmax(axis=1)]
  np.testing.assert_allclose(found["unexplained"], 0, atol=1e-6)
  np.testing.assert_allclose(
    found["contributions"].sum(axis=1) + found["intercept"], found["explained"], atol=1e-6
  )
  # Equal words have equal parts where the order does not matter; the padding has none.
  assert found["contributions"][0, 0] == pytest.approx(found["contributions"][0, 2])
  assert not found["contributions"][_IDS == 0].any()
  assert found["tokens"].tolist()[1] == [b"d", b"", b"", b""]


def test_what_a_bent_network_leaves_open_is_told():
  found = _explained(_mean_of_words("tanh"))
  total = found["contributions"].sum(axis=1) + found["intercept"] + found["unexplained"]
  np.testing.assert_allclose(total, found["explained"], atol=1e-6)


def test_a_network_without_embeddings_is_told():
  ids = keras.Input((4,), name="ids")
  model = keras.Model(ids, layers.Dense(2)(ids))
  with pytest.raises(CannotExplain, match=r"no layer keras\.layers\.Embedding"):
    texts.explain(model, _target(), "tokens")


def test_without_words_there_is_nothing_to_tell():
  with pytest.raises(CannotExplain, match="preprocessing_fn returns no feature 'tokens'"):
    texts.explain(_mean_of_words(), _target(features={"ids"}), "tokens")


def test_equal_terms_of_a_text_are_one_and_the_strongest_comes_first():
  names = tf.constant([["a", "b", "a", ""], ["b", "c", "", ""]])
  keys = tf.strings.to_hash_bucket_fast(names, 1 << 40)
  parts = tf.constant([[0.25, -0.75, 0.25, 9.0], [0.5, 0.0, 0.0, 0.0]])
  found, values = texts.terms(names, keys, parts)
  assert found.numpy().tolist() == [[b"b", b"a", b"", b""], [b"b", b"", b"", b""]]
  np.testing.assert_array_equal(values, [[-0.75, 0.5, 0, 0], [0.5, 0, 0, 0]])


def test_terms_are_at_most_twenty():
  names = tf.constant([[f"w{number}" for number in range(30)]])
  keys = tf.range(30, dtype=tf.int64)[tf.newaxis]
  found, values = texts.terms(names, keys, tf.range(30, dtype=tf.float32)[tf.newaxis])
  assert found.shape == (1, 20)
  assert values.numpy()[0].tolist() == list(range(29, 9, -1))


def test_keys_are_counted_in_their_own_row():
  keys = tf.constant([[5, 0, 5], [5, 7, 7]], tf.int64)
  np.testing.assert_array_equal(texts.counts(keys), [[2, 1, 2], [1, 2, 2]])
