"""Explains answers to texts by what each word adds to them.

`explain` serves any network of word embeddings, by gradient times input (Shrikumar et al. 2016,
https://arxiv.org/abs/1605.01713). Where only sums and layers without bends follow the embeddings,
the words and the intercept add up to the answer; otherwise `unexplained` says what is missing.
"""

from __future__ import annotations

import keras
import tensorflow as tf
from keras import layers

from pipeline.explanations.target import CannotExplain, Explanation, Features, Target

MOST_TERMS = 20


def explain(model: keras.Model, target: Target, tokens_key: str) -> Explanation:
  """Returns the function from transformed features to the part of each word.

  Args:
    model: a functional model whose word ids go through `keras.layers.Embedding`.
    target: what to explain.
    tokens_key: the transformed feature `[batch, time]` string with the words, empty after the end.

  Raises:
    CannotExplain: the model has no embeddings, or nothing tells the words.
  """
  require_tokens(target, tokens_key)
  found = [layer for layer in model.layers if isinstance(layer, layers.Embedding)]
  if not found or len(getattr(model, "outputs", None) or []) != 1:
    raise CannotExplain("the model has no layer keras.layers.Embedding that words go through")
  vectors = [layer.output for layer in found]
  body = keras.Model(model.inputs if len(model.inputs) > 1 else model.inputs[0], vectors)
  head = keras.Model([*model.inputs, *vectors], model.outputs[0])

  def outputs(features: Features) -> dict[str, tf.Tensor]:
    inputs = target.inputs(features)
    given = [inputs[each.name] if isinstance(inputs, dict) else inputs for each in model.inputs]
    embedded = body(given if len(given) > 1 else given[0], training=False)
    embedded = embedded if isinstance(embedded, list) else [embedded]
    with tf.GradientTape() as tape:
      tape.watch(embedded)
      number, columns = target.chosen(head([*given, *embedded], training=False), features)
    slopes = tape.gradient(number, embedded, unconnected_gradients="zero")
    by_word = tf.add_n(
      [
        tf.reduce_sum(tf.cast(each * slope, tf.float32), axis=-1)
        for each, slope in zip(embedded, slopes, strict=True)
      ]
    )
    tokens = features[tokens_key][:, : tf.shape(by_word)[1]]
    by_word = tf.where(tokens != "", by_word, 0.0)
    nothing = head([*given, *map(tf.zeros_like, embedded)], training=False)
    intercept = target.of_columns(nothing, features, columns)
    return {
      "tokens": tokens,
      "contributions": by_word,
      **target.account(number, columns, intercept, tf.reduce_sum(by_word, axis=1)),
    }

  return outputs


def require_tokens(target: Target, tokens_key: str) -> None:
  """Checks that the transform graph tells the words.

  Raises:
    CannotExplain: it does not.
  """
  if tokens_key not in target.features:
    raise CannotExplain(f"preprocessing_fn returns no feature {tokens_key!r} with the words")


def terms(names: tf.Tensor, keys: tf.Tensor, parts: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
  """Adds up the parts of equal terms of a text, and returns the strongest.

  Args:
    names: `[batch, n]` string; empty for none.
    keys: `[batch, n]` int64, at least 0; terms of a text with the same key are one.
    parts: `[batch, n]` float32.

  Returns:
    `[batch, m]` string and float32, the strongest first, 20 at the most; empty and 0 after them.
  """
  shape = tf.shape(keys)
  index, count = _groups(keys)
  flat = tf.reshape(parts, [-1])
  places = tf.range(tf.size(flat))
  sums = tf.math.unsorted_segment_sum(flat, index, count)
  is_first = tf.gather(tf.math.unsorted_segment_min(places, index, count), index) == places
  summed = tf.reshape(tf.where(is_first, tf.gather(sums, index), 0.0), shape)
  summed = tf.where(names != "", summed, 0.0)
  _, best = tf.math.top_k(tf.abs(summed), k=tf.minimum(shape[1], MOST_TERMS))
  values = tf.gather(summed, best, batch_dims=1)
  return tf.where(values != 0, tf.gather(names, best, batch_dims=1), ""), values


def counts(keys: tf.Tensor) -> tf.Tensor:
  """Returns how often each key of `[batch, n]` int64, at least 0, is in its row: float32."""
  index, count = _groups(keys)
  ones = tf.ones_like(index, tf.float32)
  often = tf.math.unsorted_segment_sum(ones, index, count)
  return tf.reshape(tf.gather(often, index), tf.shape(keys))


def _groups(keys: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
  """Numbers the distinct pairs of row and key: `[batch * n]` int32, and how many there are."""
  rows = tf.range(tf.shape(keys, tf.int64)[0])[:, tf.newaxis]
  most = tf.reduce_max(tf.concat([[tf.constant(0, tf.int64)], tf.reshape(keys, [-1])], 0)) + 1
  distinct, index = tf.unique(tf.reshape(rows * most + keys, [-1]))
  return index, tf.size(distinct)
