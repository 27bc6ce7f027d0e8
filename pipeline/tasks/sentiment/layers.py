"""Layers of the sentiment model; they take rows of word ids, 0 after their end.

The padding, of any length, never changes an output, because training, evaluation and serving cut,
batch and pad rows differently.
"""

from __future__ import annotations

import keras
import numpy as np
from keras import ops

# Odd multipliers without a common pattern spread pairs of ids over the buckets.
_FIRST, _SECOND = 1_000_003, 7_919


class Lengths(keras.layers.Layer):
  """Maps `[batch, time]` ids to `[batch]` int32, the length of each row."""

  def call(self, ids):
    """Counts the ids that are not 0; padding occurs only at the end."""
    return ops.sum(ops.cast(ids != 0, "int32"), axis=1)


class WordVectors(keras.layers.Layer):
  """Embeds words: the vector of a word is the sum of its vector and those of its parts.

  Args:
    stems: `[ids]` int, the row of each id's stem. The first `rows` ids are stems of words that the
      vocabulary lacks; they have no word vector.
    rows: number of stems, of starts and of ends, each with the padding at 0.
    units: length of a vector.
    initializer: initializer of the word vectors; the vectors of parts start at 0.
    pretrained: `[ids - rows, units]` float, the first vectors of the vocabulary's words, or None.
    l2: L2 penalty on all tables.
  """

  def __init__(
    self,
    stems: np.ndarray,
    rows: int,
    units: int,
    *,
    initializer: str | keras.initializers.Initializer = "zeros",
    pretrained: np.ndarray | None = None,
    l2: float = 0.0,
    **kwargs,
  ):
    super().__init__(**kwargs)
    self._stem_rows = np.asarray(stems, "int32")
    self._rows, self._units, self._initializer = rows, units, initializer
    self._pretrained, self._l2 = pretrained, l2

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
    shrink = keras.regularizers.L2(self._l2) if self._l2 else None
    return self.add_weight(
      name=name, shape=(rows, self._units), initializer=initializer, regularizer=shrink
    )

  def tables(self, ids: np.ndarray, starts: np.ndarray, ends: np.ndarray):
    """Yields each table with the rows that the ids read; -1 for no row."""
    yield self._words, np.where(ids >= self._rows, ids - self._rows, -1)
    for table, rows in (
      (self._stems, self._stem_rows[ids]),
      (self._starts, starts),
      (self._ends, ends),
    ):
      yield table, np.where(ids > 0, rows, -1)

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

  def compute_output_shape(self, input_shape, *_):
    return (input_shape[0], 2 * input_shape[-1])


class PairBag(keras.layers.Layer):
  """Sums a weight per class for each pair of neighbouring words; pairs of equal hash share it.

  Args:
    buckets: number of hash buckets.
    classes: the number of classes.
    l2: L2 penalty on the weights.
  """

  def __init__(self, buckets: int, classes: int, *, l2: float, **kwargs):
    super().__init__(**kwargs)
    self._buckets, self._classes, self._l2 = buckets, classes, l2

  def build(self, input_shape):
    """Creates the table; it starts at 0, so pairs unseen in training have no effect."""
    self._weights = self.add_weight(
      name="pairs",
      shape=(self._buckets, self._classes),
      initializer="zeros",
      regularizer=keras.regularizers.L2(self._l2) if self._l2 else None,
    )

  def tables(self, ids: np.ndarray):
    """Yields the table with the rows that the ids read; -1 after the last pair."""
    yield self._weights, np.where(ids[:, 1:] > 0, self._bucket(ids.astype("int64")), -1)

  def _bucket(self, ids):
    return (ids[:, :-1] * _FIRST + ids[:, 1:] * _SECOND) % self._buckets

  def call(self, ids):
    """Maps `[batch, time]` to `[batch, classes]`."""
    bucket = ops.cast(self._bucket(ops.cast(ids, "int64")), "int32")
    weights = ops.take(self._weights, bucket, axis=0)
    return ops.sum(weights * ops.cast(ids[:, 1:] != 0, weights.dtype)[..., None], axis=1)

  def compute_output_shape(self, input_shape):
    return (input_shape[0], self._classes)


class Bias(keras.layers.Layer):
  """Adds one bias per class."""

  def build(self, input_shape):
    """Creates the biases, which start at 0."""
    self._bias = self.add_weight(name="bias", shape=(input_shape[-1],), initializer="zeros")

  def call(self, logits):
    """Maps `[batch, classes]` to the same shape."""
    return logits + self._bias
