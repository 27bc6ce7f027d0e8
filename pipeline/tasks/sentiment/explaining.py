"""Explains the answers of the sentiment model: what each word, and each run of words, adds.

The bag is linear, so its parts are its weights. A reader's correction is a weighted sum of what it
pools over the words, and each word gets what is pooled from its place: class activation in time.
Both add up to the answer, and neither needs a gradient.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from pipeline.explanations import texts
from pipeline.explanations.target import Explanation, Features, Target
from pipeline.tasks.sentiment.features import END_IDS, START_IDS, TOKENS, WORD_IDS
from pipeline.tasks.sentiment.layers import Bag, Excerpt, Lengths, Pooling
from pipeline.tasks.sentiment.plan import BAG, CORRECTION, STATES
from pipeline.text.recurrent import Bidirectional


def explain(model: keras.Model, target: Target) -> Explanation:
  """Returns the function from transformed features to the part of each word.

  Its outputs are `tokens` `[batch, time]` string, the words, empty after the end; `contributions`
  `[batch, time]` float32, what each adds, the part of a pair or triple divided among its words;
  `terms` and `term_contributions` `[batch, n]`, the words, pairs and triples of the bag that add or
  take most, without the readers' part; and those of `Target.account`. A network of a task's own,
  without the bag, is explained by `texts.explain`.

  Args:
    model: the result of `build_model`.
    target: what to explain.

  Raises:
    CannotExplain: nothing tells the words, or the network is of an unknown kind.
  """
  texts.require_tokens(target, TOKENS)
  if not any(isinstance(layer, Bag) for layer in getattr(model, "layers", ())):
    return texts.explain(model, target, TOKENS)
  readers = [layer for layer in model.layers if isinstance(layer, Bidirectional)]
  inside = keras.Model(model.inputs, [model.outputs[0], *(layer.output for layer in readers)])

  def outputs(features: Features) -> dict[str, tf.Tensor]:
    inputs = target.inputs(features)
    found = inside([inputs[each.name] for each in model.inputs], training=False)
    said, *states = found if readers else [found]
    with tf.GradientTape() as tape:
      tape.watch(said)
      number, columns = target.chosen(said, features)
    # The number is a weighted sum of the logits: one of them, divided by the temperature.
    factors = tape.gradient(number, said)
    ids = inputs[WORD_IDS]
    tokens = features[TOKENS][:, : tf.shape(ids)[1]]
    *runs, intercept = _of_bag(model.get_layer(BAG), inputs, factors)
    strongest, parts = _terms(tokens, runs)
    by_word = tf.add_n(
      [_by_word(parts, words, tf.shape(ids)[1]) for words, parts in enumerate(runs, 1)]
    )
    for reader, sequence in zip(readers, states, strict=True):
      read, bias = _of_reader(model, reader, sequence, ids, factors / len(readers))
      by_word, intercept = by_word + read, intercept + bias
    return {
      "tokens": tokens,
      "contributions": by_word,
      "terms": strongest,
      "term_contributions": parts,
      **target.account(number, columns, intercept, tf.reduce_sum(by_word, axis=1)),
    }

  return outputs


def _of_bag(bag: Bag, inputs: Any, factors: tf.Tensor) -> tuple[tf.Tensor, ...]:
  """Returns the parts of words `[batch, time]`, of pairs, of triples, and the bias."""
  ids = inputs[WORD_IDS]
  rows = bag.occurrences(ids, inputs[START_IDS], inputs[END_IDS])
  values, bias = bag.weighted(rows, factors)
  # What occurs several times counts once, so that each occurrence has a part of it.
  values = values / texts.counts(tf.cast(rows, tf.int64) + 1) * bag.scales(ids)
  time = tf.shape(ids)[1]
  by_kind = tf.reshape(values[:, : 4 * time], [-1, 4, time])
  pairs, triples = values[:, 4 * time : 5 * time - 1], values[:, 5 * time - 1 :]
  return tf.reduce_sum(by_kind, axis=1), pairs, triples, bias


def _of_reader(
  model: keras.Model, reader: Bidirectional, states: tf.Tensor, ids: tf.Tensor, factors: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
  """Returns the parts of words `[batch, time]` in a reader's correction, and its bias."""
  dense = model.get_layer(reader.name.replace(STATES, CORRECTION))
  kernel, bias = (tf.cast(tf.convert_to_tensor(each), tf.float32) for each in dense.weights)
  [excerpt] = [layer for layer in model.layers if isinstance(layer, Excerpt)]
  lengths = Lengths()(ids)
  read = tf.minimum(lengths, tf.shape(states)[1])
  weights = tf.matmul(factors, kernel, transpose_b=True)
  parts = Pooling().shares(states, read, weights)
  # Back to the places in the whole text; the padding has no parts.
  batch, time = tf.shape(ids)[0], tf.shape(ids)[1]
  places = tf.minimum(excerpt.places(ids, lengths), time - 1)
  places += tf.range(batch)[:, tf.newaxis] * time
  placed = tf.math.unsorted_segment_sum(
    tf.reshape(parts, [-1]), tf.reshape(places, [-1]), batch * time
  )
  return tf.reshape(placed, tf.shape(ids)), tf.linalg.matvec(factors, bias)


def _terms(tokens: tf.Tensor, runs: Sequence[tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
  """Returns the strongest words, pairs and triples of the bag, as `texts.terms`."""
  names = [tokens]
  for words in range(2, len(runs) + 1):
    parts = [_from(tokens, place, words) for place in range(words)]
    names.append(tf.where(parts[-1] != "", tf.strings.join(parts, " "), ""))
  joined = tf.concat(names, axis=1)
  # A word contains no blank, so no run of words is taken for another one.
  keys = tf.strings.to_hash_bucket_fast(joined, 1 << 40)
  return texts.terms(joined, keys, tf.concat(runs, axis=1))


def _by_word(parts: tf.Tensor, words: int, time: tf.Tensor) -> tf.Tensor:
  """Divides the parts of runs of so many words among these: `[batch, time]`."""
  placed = [tf.pad(parts, [[0, 0], [place, words - 1 - place]]) for place in range(words)]
  # A text shorter than a run has none, and is padded beyond its end.
  return tf.add_n(placed)[:, :time] / words


def _from(tokens: tf.Tensor, place: int, words: int) -> tf.Tensor:
  """Returns the tokens at a place of each run of so many words."""
  return tokens[:, place : place + tf.maximum(tf.shape(tokens)[1] - words + 1, 0)]
