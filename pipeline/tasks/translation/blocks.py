"""The blocks of a pre-LN Transformer, for whole sequences and for one step of a beam alike.

A step of beam search is a sequence whose positions are the hypotheses: its queries attend to the
keys of all earlier steps, and a bias hides those of other hypotheses.

Source: Vaswani et al. 2017, "Attention Is All You Need", https://arxiv.org/abs/1706.03762; layer
normalization before each part as in Xiong et al. 2020, "On Layer Normalization in the Transformer
Architecture", https://arxiv.org/abs/2002.04745
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers


class Attention(layers.Layer):
  """Attention with several heads; `rows` are `[batch * time, units]`.

  Args:
    units: length of a row; the heads divide it.
    heads: number of heads.
  """

  def __init__(self, units: int, heads: int, **kwargs: Any):
    super().__init__(**kwargs)
    self._heads, self._size = heads, units // heads
    self._query = layers.Dense(units)
    self._pair = layers.Dense(2 * units)
    self._output = layers.Dense(units)

  def pairs(self, rows: tf.Tensor, batch: tf.Tensor) -> tf.Tensor:
    """Returns keys and values: `[2, batch, heads, time, size]`."""
    split = tf.reshape(self._pair(rows), [batch, -1, 2, self._heads, self._size])
    return tf.transpose(split, [2, 0, 3, 1, 4])

  def call(self, rows: tf.Tensor, pairs: tf.Tensor, bias: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Attends.

    Args:
      rows: the queries.
      pairs: the result of `pairs`, of any length in time.
      bias: float32, broadcast to `[batch, heads, time of queries, time of keys]`, 0 where a query
        may attend and very negative elsewhere.

    Returns:
      `[batch * time, units]`; the attention, `[batch, heads, time of queries, time of keys]`
      float32.
    """
    batch = tf.shape(pairs)[1]
    keys, values = pairs[0], pairs[1]
    queries = tf.reshape(self._query(rows), [batch, -1, self._heads, self._size])
    queries = tf.transpose(queries, [0, 2, 1, 3]) * self._size**-0.5
    scores = tf.cast(tf.matmul(queries, keys, transpose_b=True), tf.float32) + bias
    attention = tf.nn.softmax(scores)
    read = tf.matmul(tf.cast(attention, values.dtype), values)
    read = tf.reshape(tf.transpose(read, [0, 2, 1, 3]), [-1, self._heads * self._size])
    return self._output(read), attention


class Block(layers.Layer):
  """Self-attention, attention to the source if `reads_source`, and a feed-forward part.

  Args:
    units: length of a row.
    heads: heads of each attention.
    inner: units between the two layers of the feed-forward part.
    dropout: of each part's output, and between the two layers.
    reads_source: whether it is a decoder's block.
  """

  def __init__(
    self,
    units: int,
    *,
    heads: int,
    inner: int,
    dropout: float,
    reads_source: bool = False,
    **kwargs: Any,
  ):
    super().__init__(**kwargs)
    self.attention = Attention(units, heads)
    self.source_attention = Attention(units, heads) if reads_source else None
    parts = 3 if reads_source else 2
    self._norms = [layers.LayerNormalization(epsilon=1e-5) for _ in range(parts)]
    self._inner = layers.Dense(inner, activation="relu")
    self._outer = layers.Dense(units)
    self._dropout = RowDropout(dropout)

  def call(
    self,
    rows: tf.Tensor,
    batch: tf.Tensor,
    bias: tf.Tensor,
    *,
    past: tf.Tensor | None = None,
    source: tf.Tensor | None = None,
    source_bias: tf.Tensor | None = None,
    training: bool = False,
  ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor | None]:
    """Runs the block.

    Args:
      rows: `[batch * time, units]`.
      batch: number of sequences.
      bias: of the self-attention, as in `Attention`.
      past: keys and values of earlier steps, which these rows attend to, too.
      source: keys and values of the source, if it `reads_source`.
      source_bias: the same as `bias`, for the source.
      training: whether dropout is on.

    Returns:
      `[batch * time, units]`; keys and values of `past` and of these rows; the attention to the
      source, `[batch, heads, time, source time]`, if it `reads_source`.
    """
    normed = self._norms[0](rows)
    pairs = self.attention.pairs(normed, batch)
    if past is not None:
      pairs = tf.concat([past, pairs], axis=3)
    read, _ = self.attention(normed, pairs, bias)
    rows += self._dropout(read, batch, training=training)
    weights = None
    if self.source_attention is not None:
      read, weights = self.source_attention(self._norms[1](rows), source, source_bias)
      rows += self._dropout(read, batch, training=training)
    inner = self._dropout(self._inner(self._norms[-1](rows)), batch, training=training)
    outer = self._dropout(self._outer(inner), batch, training=training)
    return rows + outer, pairs, weights


class RowDropout(layers.Layer):
  """Dropout of `[batch * time, units]` that leaves out the same units at all times of a sequence.

  A mask for each position costs as much as a matrix product on a CPU.
  """

  def __init__(self, rate: float, **kwargs: Any):
    super().__init__(**kwargs)
    self._dropout = layers.Dropout(rate, noise_shape=(None, 1, None))

  def call(self, rows: tf.Tensor, batch: tf.Tensor, *, training: bool = False) -> tf.Tensor:
    """Takes the number of sequences, too."""
    if not training:
      return rows
    sequences = tf.reshape(rows, [batch, -1, rows.shape[1]])
    return tf.reshape(self._dropout(sequences, training=training), tf.shape(rows))


def positions(begin: tf.Tensor | int, count: tf.Tensor | int, units: int) -> tf.Tensor:
  """Returns the sinusoids that tell positions apart: `[count, units]` float32."""
  rates = np.exp(np.arange(0, units, 2) / units * -np.log(10_000.0)).astype(np.float32)
  places = tf.cast(tf.range(begin, begin + count), tf.float32)
  angles = places[:, tf.newaxis] * tf.repeat(tf.constant(rates), 2)[:units]
  is_even = np.arange(units) % 2 == 0
  return tf.where(is_even, tf.sin(angles), tf.cos(angles))


def normalization() -> keras.layers.Layer:
  """Returns the normalization of a stack's output."""
  return layers.LayerNormalization(epsilon=1e-5)
