"""The sentiment model: a bag of words and pairs, and recurrent readers that correct it.

The bag uses single words and pairs, from which a few thousand texts teach more than a recurrent
network learns alone. Readers add the meaning of the word order ("beautiful, but dull"). The bag is
fitted before training (`bag.adapt`); the readers learn a correction that starts at 0.
"""

from __future__ import annotations

import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import keras
import keras_tuner
import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
from keras import layers

from dlpipe import progress
from dlpipe.errors import BadInputError
from pipeline import carried_rows
from pipeline.params import inferred
from pipeline.tasks.sentiment.features import (
  END_IDS,
  START_IDS,
  STEM_CHARS,
  VOCABULARY,
  WORD_IDS,
  WORDS,
)
from pipeline.tasks.sentiment.layers import (
  Bag,
  Corrected,
  Excerpt,
  Lengths,
  Pooling,
  WordVectors,
)
from pipeline.tasks.sentiment.plan import BAG, CORRECTION, STATES, reader_names
from pipeline.text import word_vectors
from pipeline.text.recurrent import GRU, Bidirectional
from pipeline.text.word_counts import read_counts
from pipeline.text.words import part_buckets

if TYPE_CHECKING:
  from pipeline.tasks.sentiment.params import SentimentParams

SEQUENCES = (WORD_IDS, START_IDS, END_IDS)
_RUNS = 1 << 20
_FREQUENT = 100  # words that are compared one by one
_MOST_WEIGHTS = 1 << 24  # of the pairs, and of the triples: buckets times classes
_CELLS = {"gru": GRU, "lstm": layers.LSTM}


class TextModel(keras.Model):
  """The model, which says itself how texts are compared with those of train."""

  def evidence(self, inputs):
    """Maps `[batch, time]` ids to `[batch, 100]`: which of the most frequent words a text has."""
    ids, bag = inputs[WORD_IDS], self.get_layer(BAG)
    place = ids - bag.vocabulary[0]
    place = tf.where(tf.logical_and(place >= 0, place < _FREQUENT), place, _FREQUENT)
    found = tf.math.bincount(
      tf.cast(place, tf.int32),
      minlength=_FREQUENT + 1,
      maxlength=_FREQUENT + 1,
      axis=-1,
      binary_output=True,
    )
    found = tf.ensure_shape(found, [None, _FREQUENT + 1])
    return tf.cast(found[:, :_FREQUENT], tf.float32) * bag.scales(ids)

  def traits(self, inputs):
    """Maps `[batch, time]` ids to `[batch, 8]`: how known, how frequent and how long a text is.

    The ranks of its words say how frequent they are: mean and deviation of the logarithm.
    """
    ids, bag = inputs[WORD_IDS], self.get_layer(BAG)
    unknown = bag.unknown_shares(*(inputs[name] for name in SEQUENCES))
    first, words = bag.vocabulary
    is_known = tf.cast(ids >= first, tf.float32)
    count = tf.reduce_sum(is_known, axis=1)
    ranks = tf.math.log1p(tf.cast(tf.maximum(ids - first, 0), tf.float32))
    mean = tf.math.divide_no_nan(tf.reduce_sum(ranks * is_known, axis=1), count)
    squares = tf.square(ranks - mean[:, tf.newaxis]) * is_known
    spread = tf.sqrt(tf.math.divide_no_nan(tf.reduce_sum(squares, axis=1), count))
    mean = tf.where(count > 0, mean, tf.math.log1p(tf.cast(words, tf.float32)))
    length = tf.math.log1p(tf.reduce_sum(tf.cast(ids != 0, tf.float32), axis=1))
    return tf.concat([unknown, tf.stack([mean, spread, length], axis=1)], axis=1)


def build_model(params: SentimentParams, tft_output: tft.TFTransformOutput) -> keras.Model:
  """Builds the model from `[batch, time]` ids to `[batch, classes]` logits.

  Raises:
    BadInputError: a setting cannot work, or the pre-trained vectors cannot be read.
  """
  classes = tft_output.vocabulary_size_by_name(VOCABULARY)
  words, counts = read_counts(tft_output, WORDS)
  stems = _stems(words, params)
  pretrained = _pretrained(words, counts, params)
  inputs = {name: keras.Input((None,), dtype="int32", name=name) for name in SEQUENCES}
  sequences = [inputs[name] for name in SEQUENCES]
  labels = tft_output.vocabulary_by_name(VOCABULARY)
  buckets = run_buckets(params, classes)
  bag = Bag(stems, params.part_buckets + 1, buckets, classes, name=BAG, dtype="float32")
  _name_rows(bag, words, labels, params.part_buckets + 1, buckets)
  logits = bag(*sequences)
  if params.readers:
    excerpt, lengths = Excerpt(params.reader_words), Lengths()(inputs[WORD_IDS])
    excerpts = [excerpt(ids, lengths) for ids in sequences]
    corrections = [
      _reader(excerpts, stems, pretrained, (words, labels), params, name)
      for name in reader_names(params.readers)
    ]
    logits = Corrected(dtype="float32")(logits, sum(corrections) / len(corrections))
  return TextModel(inputs, logits, name="sentiment")


def _stems(words: list[bytes], params: SentimentParams) -> np.ndarray:
  """Returns the row of each id's stem, `[ids]`, numbered as stems in `preprocessing_fn`."""
  buckets = params.part_buckets
  known = part_buckets(tf.constant(words, tf.string), chars=STEM_CHARS, buckets=buckets)
  return np.concatenate([np.arange(buckets + 1), 1 + known.numpy()]).astype("int32")


def _pretrained(
  words: list[bytes], counts: np.ndarray, params: SentimentParams
) -> np.ndarray | None:
  """Reads the initial vectors of the vocabulary; reports how many words the file has."""
  if not (params.readers and params.embeddings):
    return None
  file, length = pathlib.Path(params.embeddings), inferred(params.word_units)
  vectors, found = word_vectors.read(file, words, length)
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
      f"{words[0].decode()!r}, is in {params.embeddings!r}. Words must be in lower case there."
    )
  # Words that the file lacks get vectors of similar length.
  random = np.random.default_rng(0).normal(0, vectors[found].std(), vectors.shape)
  return np.where(found[:, np.newaxis], vectors, random).astype("float32")


def _reader(
  sequences: Sequence[keras.KerasTensor],
  stems: np.ndarray,
  pretrained: np.ndarray | None,
  names: tuple[Sequence[bytes], Sequence[bytes]],
  params: SentimentParams,
  name: str,
) -> keras.KerasTensor:
  """Builds a bidirectional recurrent network over word vectors: `[batch, classes]`, 0 at first."""
  words, labels = names
  embed = WordVectors(
    stems,
    params.part_buckets + 1,
    inferred(params.word_units),
    initializer=keras.initializers.RandomUniform(-0.05, 0.05),
    pretrained=pretrained,
    name=f"{name}_words",
  )
  carried_rows.name_rows(embed, "words", 0, [carried_rows.named("words", words)])
  vectors = embed(*sequences)
  lengths = Lengths()(sequences[0])
  vectors = layers.SpatialDropout1D(params.word_dropout)(vectors)
  states = Bidirectional(_CELLS[params.cell], params.units, name=f"{name}_{STATES}")(
    vectors, lengths
  )
  pooled = layers.Dropout(params.dropout)(Pooling()(states, lengths))
  # Softmax and loss stay in float32 in mixed precision.
  correction = layers.Dense(
    len(labels), kernel_initializer="zeros", dtype="float32", name=f"{name}_{CORRECTION}"
  )
  return carried_rows.name_outputs(correction, labels)(pooled)


def _name_rows(
  bag: Bag, words: Sequence[bytes], labels: Sequence[bytes], parts: int, buckets: tuple[int, int]
) -> None:
  """Says what the bag's weights stand for; the bucket of several words depends on their ids."""
  columns = (carried_rows.contrast if len(labels) == 2 else carried_rows.named)("classes", labels)
  features = [
    carried_rows.named("words", words),
    *(carried_rows.placed(kind, parts) for kind in ("stems", "starts", "ends")),
    *(
      carried_rows.placed(kind, count, words)
      for kind, count in zip(("pairs", "triples"), buckets, strict=True)
    ),
  ]
  carried_rows.name_rows(bag, "features", 0, features)
  carried_rows.name_rows(bag, "owners", 0, features[4:])
  for weight in ("features", "bias"):
    carried_rows.name_rows(bag, weight, -1, [columns])


def run_buckets(params: SentimentParams, classes: int) -> tuple[int, int]:
  """Returns the buckets of pairs and of triples.

  Unset ones are a power of two: with more classes fewer, so that the table has a bounded size.
  """
  usual = min(_RUNS, 1 << (_MOST_WEIGHTS // classes).bit_length() - 1)
  return params.pair_buckets or usual, params.triple_buckets or usual


def search_space(hp: keras_tuner.HyperParameters, params: SentimentParams) -> None:
  """Declares what the Tuner varies, around the values of this run."""
  hp.Float("bag_start", min_value=0.0, max_value=1.0, default=params.bag_start)
  if params.readers:
    rate = params.learning_rate
    hp.Float("learning_rate", min_value=rate / 4, max_value=rate * 4, sampling="log", default=rate)
