"""Layers of the sentiment model; they take rows of word ids, 0 after their end.

The padding, of any length, never changes an output, because training, evaluation and serving cut,
batch and pad rows differently.
"""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf
from keras import ops

# Odd multipliers without a common pattern spread runs of ids over the buckets.
_MULTIPLIERS = (1_000_003, 7_919, 104_729)
# Names of runs are from 1 to this less 1: float32 holds them exactly, and on any device.
_CODES = 1 << 24
_LEAST_TEXTS = 2  # that have a run
# The kinds of features by which texts are compared: words, stems, starts, ends and pairs.
_COMPARED = 5
# A state within this distance of the largest shares its part; states are at most 1 in size.
_NEAR, _FAR = 0.01, 1e4


class Lengths(keras.layers.Layer):
  """Maps `[batch, time]` ids to `[batch]` int32, the length of each row."""

  def call(self, ids):
    """Counts the ids that are not 0; padding occurs only at the end."""
    return ops.sum(ops.cast(ids != 0, "int32"), axis=1)


class Excerpt(keras.layers.Layer):
  """Keeps the beginning and the end of longer texts, because reviews conclude at their end.

  Args:
    most: number of words to keep.
  """

  def __init__(self, most: int, **kwargs):
    super().__init__(**kwargs)
    self._most = most

  def call(self, ids, lengths):
    """Maps `[batch, time]` and `[batch]` to `[batch, min(time, most)]`."""
    return tf.gather(ids, self.places(ids, lengths), batch_dims=1)

  def places(self, ids, lengths):
    """Returns where the words that are kept stand, `[batch, min(time, most)]` int32."""
    places = tf.range(tf.minimum(tf.shape(ids)[1], self._most))[tf.newaxis]
    left_out = tf.maximum(lengths - self._most, 0)[:, tf.newaxis]
    return places + tf.where(places >= self._most // 2, left_out, 0)


class WordVectors(keras.layers.Layer):
  """Embeds words: the vector of a word is the sum of its vector and those of its parts.

  Args:
    stems: `[ids]` int, the row of each id's stem. The first `rows` ids are stems of words that the
      vocabulary lacks; they have no word vector.
    rows: number of stems, of starts and of ends, each with the padding at 0.
    units: length of a vector.
    initializer: initializer of the word vectors; the vectors of parts start at 0.
    pretrained: `[ids - rows, units]` float, the first vectors of the vocabulary's words, or None.
  """

  def __init__(
    self,
    stems: np.ndarray,
    rows: int,
    units: int,
    *,
    initializer: str | keras.initializers.Initializer = "zeros",
    pretrained: np.ndarray | None = None,
    **kwargs,
  ):
    super().__init__(**kwargs)
    self._stem_rows = np.asarray(stems, "int32")
    self._rows, self._units, self._initializer = rows, units, initializer
    self._pretrained = pretrained

  def build(self, *_):
    """Creates the four tables."""
    words = max(len(self._stem_rows) - self._rows, 1)
    self._words = self._table("words", words, self._initializer)
    self._stems, self._starts, self._ends = (
      self._table(name, self._rows, "zeros") for name in ("stems", "starts", "ends")
    )
    if self._pretrained is not None:
      self._words.assign(self._pretrained)

  def _table(self, name: str, rows: int, initializer: str | keras.initializers.Initializer):
    return self.add_weight(name=name, shape=(rows, self._units), initializer=initializer)

  def call(self, ids, starts, ends):
    """Maps `[batch, time]` each to `[batch, time, units]`; 0 if the id is 0."""
    own = ops.take(self._words, ops.maximum(ids - self._rows, 0), axis=0)
    own *= ops.cast(ids >= self._rows, own.dtype)[..., None]
    stem = ops.take(self._stems, ops.take(self._stem_rows, ids, axis=0), axis=0)
    parts = stem + ops.take(self._starts, starts, axis=0) + ops.take(self._ends, ends, axis=0)
    return own + parts * ops.cast(ids != 0, own.dtype)[..., None]

  def compute_output_shape(self, input_shape, *_):
    return (*input_shape, self._units)


class Pooling(keras.layers.Layer):
  """Concatenates maximum and mean over each row's length; 0 for a row without words."""

  def call(self, sequence, lengths):
    """Maps `[batch, time, units]` and `[batch]` to `[batch, 2 * units]`."""
    within = ops.arange(ops.shape(sequence)[1])[None, :, None] < lengths[:, None, None]
    lowest = ops.cast(-1e4, sequence.dtype)
    largest = ops.max(ops.where(within, sequence, lowest), axis=1)
    largest = ops.where(lengths[:, None] > 0, largest, ops.zeros_like(largest))
    count = ops.cast(ops.maximum(lengths, 1), sequence.dtype)[:, None]
    mean = ops.sum(ops.where(within, sequence, ops.zeros_like(sequence)), axis=1) / count
    return ops.concatenate([largest, mean], axis=-1)

  def shares(self, sequence, lengths, weights):
    """Divides the weighted sum of the output among the places that it is pooled from.

    A maximum is shared by all places that come near it, so that rounding gives it to no other one.

    Args:
      sequence: `[batch, time, units]`.
      lengths: `[batch]` int32.
      weights: `[batch, 2 * units]` float32.

    Returns:
      `[batch, time]` float32; a row's sum is that of its output times the weights.
    """
    sequence = tf.cast(sequence, tf.float32)
    within = tf.range(tf.shape(sequence)[1])[tf.newaxis] < lengths[:, tf.newaxis]
    within = tf.cast(within, tf.float32)[..., tf.newaxis]
    of_largest, of_mean = tf.split(weights[:, tf.newaxis], 2, axis=-1)
    largest = tf.reduce_max(sequence - _FAR * (1 - within), axis=1, keepdims=True)
    nearness = tf.nn.relu(sequence - largest + _NEAR) * within
    total = tf.reduce_sum(nearness, axis=1, keepdims=True)
    parts = nearness / tf.maximum(total, _NEAR / 2) * largest * of_largest
    count = tf.cast(tf.maximum(lengths, 1), tf.float32)[:, tf.newaxis, tf.newaxis]
    return tf.reduce_sum(parts + within * sequence / count * of_mean, axis=-1)

  def compute_output_shape(self, input_shape, *_):
    return (input_shape[0], 2 * input_shape[-1])


class Bag(keras.layers.Layer):
  """A linear model of the words of a text, their parts, and pairs and triples of neighbours.

  A feature counts once a text, and the sum is divided by the root of the text's number of words.
  A bucket belongs to one pair or triple, whose name it has; others of that hash are no features.
  `bag.adapt` sets weights and names; no training changes them.

  Args:
    stems: as for `WordVectors`.
    rows: as for `WordVectors`.
    buckets: numbers of hash buckets of pairs and of triples.
    classes: the number of classes. Two of them share one column of weights.
  """

  def __init__(
    self, stems: np.ndarray, rows: int, buckets: tuple[int, int], classes: int, **kwargs
  ):
    super().__init__(trainable=False, **kwargs)
    self._stem_rows, self._rows, self._buckets = np.asarray(stems, "int32"), rows, buckets
    words = max(len(self._stem_rows) - rows, 1)
    # The first rows of words, stems, starts, ends, pairs and triples, and the number of all rows.
    self._first = np.cumsum([0, words, rows, rows, rows, *buckets])
    self._classes = classes

  @property
  def shape(self) -> tuple[int, int]:
    """The shape of the table of weights."""
    return int(self._first[-1]), 1 if self._classes == 2 else self._classes

  @property
  def vocabulary(self) -> tuple[int, int]:
    """The id of the most frequent word, and the number of words that have an id of their own."""
    return self._rows, len(self._stem_rows) - self._rows

  def unknown_shares(self, ids, starts, ends):
    """Maps `[batch, time]` each to `[batch, 5]`: the part of each kind that train has not.

    The kinds are words, stems, starts, ends and pairs. Of a kind that a text lacks, all is unknown.
    """
    rows = self.features(ids, starts, ends)[..., None]
    is_known = ops.any(ops.take(self._weights, ops.maximum(rows[..., 0], 0), axis=0) != 0, axis=-1)
    first = self._first[: _COMPARED + 1]
    of_kind = ops.logical_and(rows >= first[:-1], rows < first[1:])
    known = ops.sum(ops.cast(ops.logical_and(of_kind, is_known[..., None]), "float32"), axis=1)
    found = ops.sum(ops.cast(of_kind, "float32"), axis=1)
    # A word that the vocabulary lacks has no row, and a pair that owns no bucket has none.
    words = ops.sum(ops.cast(ids >= self._rows, "float32"), axis=1)
    length = ops.sum(ops.cast(ids != 0, "float32"), axis=1)
    pairs = ops.sum(ops.cast(self._owned(ids, 2)[1], "float32"), axis=1)
    known = ops.stack([words, known[:, 1], known[:, 2], known[:, 3], pairs], axis=1)
    found = ops.stack([length, found[:, 1], found[:, 2], found[:, 3], length - 1], axis=1)
    return 1 - known / ops.maximum(found, 1)

  def build(self, *_):
    """Creates the weights, which start at 0."""
    self._weights = self.add_weight(name="features", shape=self.shape, initializer="zeros")
    self._bias = self.add_weight(name="bias", shape=self.shape[1:], initializer="zeros")
    self._owners = self.add_weight(
      name="owners", shape=(sum(self._buckets),), initializer="zeros", dtype="float32"
    )

  def features(self, ids, starts, ends):
    """Maps `[batch, time]` each to `[batch, features]` int32: each row once, the rest -1."""
    return _once(self.occurrences(ids, starts, ends))

  def occurrences(self, ids, starts, ends):
    """Maps `[batch, time]` each to `[batch, n]` int32, every row as often as it occurs.

    They are the rows of the words, of their stems, starts and ends, `time` each, of the pairs of
    neighbours, `time - 1`, and of the triples, `time - 2` or 0; -1 for none.
    """
    runs = [self._owned(ids, words) for words in (2, 3)]
    return self._placed([*self._of_words(ids, starts, ends), *runs])

  def candidates(self, ids, starts, ends):
    """Maps `[batch, time]` each to `[batch, n]` int64: what a text has, each once, the rest -1.

    A code is a row of the table times 2^24, plus the name of a pair or triple.
    """
    placed = self._placed(self._of_words(ids, starts, ends))
    codes = [ops.where(placed >= 0, ops.cast(placed, "int64") * _CODES, -1)]
    for words, first in zip((2, 3), self._first[4:], strict=False):
      bucket, name = self._run(ids, words)
      code = (bucket + int(first)) * _CODES + name
      codes.append(ops.where(ids[:, words - 1 :] != 0, code, -1))
    return _once(ops.concatenate(codes, axis=1))

  def own(self, codes: np.ndarray) -> None:
    """Gives each bucket to the pair or triple that most texts have, and at least two.

    What one text alone has says nothing of others, and would fit that text by itself. A row that
    gets another owner loses its weight.

    Args:
      codes: `[n]` int64, the `candidates` of all texts.
    """
    runs, counts = np.unique(codes[codes % _CODES != 0], return_counts=True)
    runs, counts = runs[counts >= _LEAST_TEXTS], counts[counts >= _LEAST_TEXTS]
    runs = runs[np.argsort(counts, kind="stable")]  # of a bucket's, the last remains
    first = self._first[4]
    names = np.zeros(self._owners.shape, "float32")
    names[runs // _CODES - first] = runs % _CODES
    weights, owners = (ops.convert_to_numpy(each) for each in (self._weights, self._owners))
    kept = np.concatenate([np.ones(first, bool), names == owners])
    self._weights.assign(weights * kept[:, np.newaxis])
    self._owners.assign(names)

  def rows_of(self, codes: np.ndarray) -> np.ndarray:
    """Maps codes, `[n]` int64, to rows of the table, int32; -1 for a run that owns no bucket."""
    rows = codes // _CODES
    owners = ops.convert_to_numpy(self._owners)
    names = np.concatenate([np.zeros(self._first[4], "float32"), owners])
    return np.where(names[rows] == codes % _CODES, rows, -1).astype("int32")

  def _of_words(self, ids, starts, ends):
    """Returns rows and whether they are there, for words, stems, starts and ends."""
    is_word = ids != 0
    return (
      (ids - self._rows, ids >= self._rows),
      (ops.take(self._stem_rows, ids, axis=0), is_word),
      (starts, is_word),
      (ends, is_word),
    )

  def _placed(self, kinds):
    """Returns the rows of the table, `[batch, n]` int32, -1 where there is none."""
    return ops.concatenate(
      [
        ops.where(there, ops.cast(rows, "int32") + int(first), -1)
        for (rows, there), first in zip(kinds, self._first, strict=False)
      ],
      axis=1,
    )

  def _owned(self, ids, words):
    """Returns the buckets of runs of so many words, and whether they are the runs' own."""
    bucket, name = self._run(ids, words)
    first = 0 if words == 2 else self._buckets[0]
    owners = ops.take(self._owners, bucket + first, axis=0)
    is_owner = owners == ops.cast(name, "float32")
    return bucket, ops.logical_and(is_owner, ids[:, words - 1 :] != 0)

  def _run(self, ids, words):
    """Returns the buckets of runs of so many words, and their names, int64."""
    runs = tf.maximum(tf.shape(ids)[1] - words + 1, 0)
    ids = ops.cast(ids, "int64")
    total = sum(ids[:, n : n + runs] * _MULTIPLIERS[n] for n in range(words))
    buckets = self._buckets[words - 2]
    return total % buckets, 1 + total // buckets % (_CODES - 1)

  def scales(self, ids):
    """Maps `[batch, time]` ids to `[batch, 1]`, the factor of each text's features."""
    words = ops.sum(ops.cast(ids != 0, "float32"), axis=1, keepdims=True)
    return 1 / ops.sqrt(ops.maximum(words, 1))

  def call(self, ids, starts, ends):
    """Maps `[batch, time]` each to `[batch, classes]` logits."""
    rows = self.features(ids, starts, ends)
    weights = ops.take(self._weights, ops.maximum(rows, 0), axis=0)
    weights *= ops.cast(rows >= 0, weights.dtype)[..., None]
    logits = ops.sum(weights, axis=1) * self.scales(ids) + self._bias
    if self._classes == 2:
      return ops.concatenate([-logits / 2, logits / 2], axis=1)
    return logits

  def weighted(self, rows, factors):
    """Returns what rows of the table, and the bias, add to a weighted sum of the logits.

    Args:
      rows: `[batch, n]` int32; -1 for none.
      factors: `[batch, classes]` float32, the weights of the logits.

    Returns:
      `[batch, n]` and `[batch]` float32, without the factor of the text.
    """
    if self._classes == 2:
      factors = (factors[:, 1:] - factors[:, :1]) / 2
    weights = ops.take(self._weights, ops.maximum(rows, 0), axis=0)
    found = ops.sum(ops.cast(weights, "float32") * factors[:, None], axis=-1)
    return ops.where(rows >= 0, found, 0.0), ops.sum(self._bias * factors, axis=-1)

  def compute_output_shape(self, input_shape, *_):
    return (input_shape[0], self._classes)


def _once(found):
  """Returns what each row of `[batch, n]` holds, sorted, and -1 for repetitions."""
  found = ops.sort(found, axis=1)
  repeated = ops.pad(found[:, 1:] == found[:, :-1], [[0, 0], [1, 0]])
  return ops.where(repeated, -1, found)


class Corrected(keras.layers.Layer):
  """Adds the readers' correction to the bag's logits; in training, the readers answer alone.

  The bag is fitted to the texts of train, and sure of them: beside it, there would be nothing left
  to learn from them.
  """

  def call(self, bag, correction, training=False):
    """Maps `[batch, classes]` each to the same shape."""
    return correction if training else bag + correction
