"""The sentiment model: recurrent readers, and a bag of words and pairs beside them.

A reader learns what order means ("beautiful, but dull"); the bag knows what single words and pairs
tell, which on some thousands of texts is more than any reader finds out. All learn at once, each by
a loss of its own, and their logits are averaged: members that are wrong in different places are
right together.
"""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import keras
import keras_tuner
import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
from keras import layers, ops

from components import progress
from components.errors import BadInputError
from pipeline.tasks.sentiment.features import VOCABULARY, WORD_IDS, WORDS
from pipeline.tasks.sentiment.layers import (
  Bidirectional,
  Lengths,
  PairBag,
  Pooling,
  WordVectors,
)
from pipeline.text import word_vectors
from pipeline.text.words import prefix_buckets

_CELLS = {"gru": layers.GRU, "lstm": layers.LSTM}


def build_model(
  hyperparameters: Mapping[str, Any], tft_output: tft.TFTransformOutput
) -> keras.Model:
  """Builds the model from `[batch, time]` word ids to `[batch, members, classes]` logits.

  Raises:
    BadInputError: a setting that cannot work, or pre-trained vectors that cannot be read.
  """
  hp = hyperparameters
  if hp["cell"] not in _CELLS:
    raise BadInputError(f"model.cell must be one of {sorted(_CELLS)}. Received: {hp['cell']!r}")
  classes = tft_output.vocabulary_size_by_name(VOCABULARY)
  words, counts = vocabulary(tft_output)
  beginnings = _beginnings(words, hp)
  pretrained = _pretrained(words, counts, hp)
  ids = keras.Input((None,), dtype="int32", name=WORD_IDS)
  lengths = Lengths()(ids)
  members = [
    _reader(ids, lengths, beginnings, pretrained, classes, hp) for _ in range(hp["readers"])
  ]
  members.append(_bag(ids, lengths, beginnings, classes, hp))
  return keras.Model(ids, ops.stack(members, axis=1), name="sentiment")


def vocabulary(tft_output: tft.TFTransformOutput) -> tuple[list[bytes], np.ndarray]:
  """The words of the transform graph's vocabulary, and how often train has each."""
  lines = [line.split(b" ", 1) for line in tft_output.vocabulary_by_name(WORDS)]
  return [word for _, word in lines], np.array([int(count) for count, _ in lines], "int64")


def _beginnings(words: list[bytes], hp: Mapping[str, Any]) -> np.ndarray:
  """`[ids]`: the row of each id's beginning, as `preprocessing_fn` numbers unknown words by it."""
  known = prefix_buckets(
    tf.constant(words, tf.string), chars=hp["prefix_chars"], buckets=hp["oov_buckets"]
  )
  return np.concatenate([np.arange(hp["oov_buckets"] + 1), 1 + known.numpy()]).astype("int32")


def _pretrained(words: list[bytes], counts: np.ndarray, hp: Mapping[str, Any]) -> np.ndarray | None:
  """First vectors of the vocabulary's words, and says how many of them the file has."""
  if not hp["embeddings"]:
    return None
  vectors, found = word_vectors.read(pathlib.Path(hp["embeddings"]), words, hp["word_units"])
  running = counts[found].sum() / max(counts.sum(), 1)
  progress.report(
    f"pre-trained vectors for {found.mean():.1%} of the vocabulary, which are {running:.1%} of its "
    "running words",
    vocabulary_coverage=float(found.mean()),
    word_coverage=float(running),
  )
  if not found.any():
    raise BadInputError(
      f"model.embeddings: none of the vocabulary's {len(words):,} words, such as "
      f"{words[0].decode()!r}, is in {hp['embeddings']!r}. Words must be in lower case there."
    )
  # Words without a vector must not stand out by the length of theirs.
  random = np.random.default_rng(0).normal(0, vectors[found].std(), vectors.shape)
  return np.where(found[:, np.newaxis], vectors, random).astype("float32")


def _reader(
  ids: keras.KerasTensor,
  lengths: keras.KerasTensor,
  beginnings: np.ndarray,
  pretrained: np.ndarray | None,
  classes: int,
  hp: Mapping[str, Any],
) -> keras.KerasTensor:
  """A bidirectional recurrent network over word vectors; `[batch, classes]` logits."""
  vectors = WordVectors(
    beginnings,
    hp["oov_buckets"] + 1,
    hp["word_units"],
    initializer=keras.initializers.RandomUniform(-0.05, 0.05),
    pretrained=pretrained,
  )(ids)
  vectors = layers.SpatialDropout1D(hp["word_dropout"])(vectors)
  states = Bidirectional(_CELLS[hp["cell"]], hp["units"])(vectors, lengths)
  pooled = layers.Dropout(hp["dropout"])(Pooling()(states, lengths))
  # Softmax and loss stay in float32 where the rest runs in mixed precision.
  return layers.Dense(classes, dtype="float32")(pooled)


def _bag(
  ids: keras.KerasTensor,
  lengths: keras.KerasTensor,
  beginnings: np.ndarray,
  classes: int,
  hp: Mapping[str, Any],
) -> keras.KerasTensor:
  """A linear model of words, their beginnings and pairs of neighbours; `[batch, classes]`."""
  words = WordVectors(beginnings, hp["oov_buckets"] + 1, classes, l2=hp["bag_l2"], dtype="float32")(
    ids
  )
  pairs = PairBag(hp["pair_buckets"], classes, l2=hp["bag_l2"], dtype="float32")(ids)
  scale = ops.sqrt(ops.cast(ops.maximum(lengths, 1), "float32"))[:, None]
  return (ops.sum(words, axis=1) + pairs) / scale


class MeanLoss(keras.losses.Loss):
  """Cross-entropy of every member by itself, summed: none learns to lean on another."""

  def call(self, y_true, y_pred):
    """`[batch]` class numbers and `[batch, members, classes]` logits to `[batch]`."""
    members = ops.shape(y_pred)[1]
    labels = ops.repeat(ops.reshape(y_true, (-1, 1)), members, axis=1)
    losses = ops.sparse_categorical_crossentropy(labels, y_pred, from_logits=True)
    return ops.sum(losses, axis=1)


class MeanAccuracy(keras.metrics.SparseCategoricalAccuracy):
  """Accuracy of the members' mean."""

  def update_state(self, y_true, y_pred, sample_weight=None):
    """Takes what `MeanLoss` takes."""
    return super().update_state(y_true, ops.mean(y_pred, axis=1), sample_weight)


def compile_args(hyperparameters: Mapping[str, Any]) -> dict[str, Any]:
  """Loss on every member's logits, and the accuracy of their mean to watch."""
  return {"loss": MeanLoss(name="loss"), "metrics": [MeanAccuracy(name="accuracy")]}


def search_space(hp: keras_tuner.HyperParameters, hyperparameters: Mapping[str, Any]) -> None:
  """Declares what the Tuner varies, around the values of this run."""
  rate = hyperparameters["learning_rate"]
  hp.Float("learning_rate", min_value=rate / 4, max_value=rate * 4, sampling="log", default=rate)
  hp.Float(
    "dropout", min_value=0.0, max_value=0.8, step=0.1, default=round(hyperparameters["dropout"], 1)
  )
  hp.Float(
    "word_dropout",
    min_value=0.0,
    max_value=0.8,
    step=0.1,
    default=round(hyperparameters["word_dropout"], 1),
  )


def serving_outputs(
  model: keras.Model, tft_output: tft.TFTransformOutput
) -> Callable[[Mapping[str, tf.Tensor]], dict[str, tf.Tensor]]:
  """Returns the in-graph function from transformed features to what a caller reads.

  Its outputs: `label` `[batch]` string, `score` `[batch]` float32 in [0, 1], `scores`
  `[batch, classes]` float32 and `labels` `[batch, classes]` string, in the vocabulary's order.
  """
  names = tf.constant(
    [name.decode() for name in tft_output.vocabulary_by_name(VOCABULARY)], tf.string
  )

  def outputs(features: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    ids = tf.cast(features[WORD_IDS], tf.int32)
    # As training does: what stands after the longest text of the batch costs time and says nothing.
    longest = tf.reduce_max(tf.reduce_sum(tf.cast(ids != 0, tf.int32), axis=1))
    logits = model(ids[:, : tf.maximum(longest, 1)], training=False)
    scores = tf.nn.softmax(tf.reduce_mean(logits, axis=1))
    return {
      "label": tf.gather(names, tf.argmax(scores, axis=1)),
      "score": tf.reduce_max(scores, axis=1),
      "scores": scores,
      "labels": tf.repeat(names[tf.newaxis], tf.shape(scores)[0], axis=0),
    }

  return outputs
