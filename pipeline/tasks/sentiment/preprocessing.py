"""`preprocessing_fn` of the sentiment task: raw text in, one graph for training and serving."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import tensorflow as tf
import tensorflow_transform as tft

from pipeline.tasks.sentiment.features import (
  END_CHARS,
  END_IDS,
  LABEL,
  LABEL_ID,
  OOV_BUCKET,
  START_CHARS,
  START_IDS,
  STEM_CHARS,
  TEXT,
  TOKENS,
  VOCABULARY,
  WORD_IDS,
  WORDS,
)
from pipeline.text.word_counts import frequent_words, ranks
from pipeline.text.words import part_buckets, split_words

if TYPE_CHECKING:
  from pipeline.tasks.sentiment.params import WordParams

# Largest share of unknown words in the bucket "few".
_FEW = 0.1


def preprocessing_fn(inputs: Mapping[str, Any], params: WordParams) -> dict[str, tf.Tensor]:
  """Splits texts into words, and converts words and labels to ids.

  Args:
    inputs: `text` and `label`, `[batch, 1]` string each; dense or sparse.
    params: the length of a text, and the sizes of the vocabularies.

  Returns:
    `word_ids` `[batch, max_words]` int64: 0 is the padding at the end; the next `part_buckets` ids
    are words that the vocabulary lacks, hashed by their first characters; the others are the
    vocabulary's words, the most frequent first. A longer text keeps its beginning and its end.
    `start_ids` and `end_ids`, of the same shape: hashes of the words' first and last characters,
    from 1 to `part_buckets`. `tokens` `[batch, max_words]` string: the words themselves.
    `oov_bucket` `[batch]` string: the share of words that the vocabulary lacks. `label_id`
    `[batch]` int64, -1 for a label that train lacks; labels are numbered by frequency, ties by
    name.
  """
  label_id = tft.compute_and_apply_vocabulary(
    _flat(inputs[LABEL]), vocab_filename=VOCABULARY, num_oov_buckets=0, default_value=-1
  )
  return {**text_features(inputs[TEXT], params), LABEL_ID: label_id}


def text_features(text: Any, params: WordParams) -> dict[str, tf.Tensor]:
  """Computes the features of texts only; a task with other labels calls it."""
  words = split_words(_flat(text))
  frequent = frequent_words(
    words.flat_values,
    top=params.vocabulary_size,
    min_count=params.min_frequency,
    file_name=WORDS,
  )
  known = ranks(words.flat_values, frequent)
  buckets, length = params.part_buckets, params.max_words

  def parts(chars: int) -> tf.Tensor:
    return 1 + part_buckets(words.flat_values, chars=chars, buckets=buckets)

  places, there = beginning_and_end(words, length)

  def placed(ids: tf.Tensor) -> tf.Tensor:
    # An extra id, so that the gather works if no text of the batch has a word.
    taken = tf.gather(tf.concat([ids, tf.zeros([1], ids.dtype)], axis=0), places)
    return tf.where(there, taken, tf.zeros_like(taken))

  return {
    WORD_IDS: placed(tf.where(known < 0, parts(STEM_CHARS), 1 + buckets + known)),
    START_IDS: placed(parts(START_CHARS)),
    END_IDS: placed(parts(END_CHARS)),
    TOKENS: placed(words.flat_values),
    OOV_BUCKET: _oov_bucket(words.with_flat_values(known)),
  }


def beginning_and_end(words: tf.RaggedTensor, length: int) -> tuple[tf.Tensor, tf.Tensor]:
  """Computes the positions of the words of `[batch, (words)]` in `[batch, length]`.

  The middle of a long text is left out, because reviews conclude at their end.

  Returns:
    Two tensors `[batch, length]`: int64, the index of each position's word among all words of the
    batch, or 0; bool, whether the position has a word.
  """
  column = tf.range(length, dtype=tf.int64)[tf.newaxis]
  count = words.row_lengths()[:, tf.newaxis]
  left_out = tf.cast(column >= length // 2, tf.int64) * tf.maximum(count - length, 0)
  there = column < count
  places = words.row_starts()[:, tf.newaxis] + column + left_out
  return tf.where(there, places, tf.zeros_like(places)), there


def _oov_bucket(ranks: tf.RaggedTensor) -> tf.Tensor:
  unknown = tf.cast(ranks < 0, tf.float32)
  count = tf.cast(ranks.row_lengths(), tf.float32)
  share = tf.reduce_sum(unknown, axis=1) / tf.maximum(count, 1)
  few = tf.where(share > _FEW, "over 10 %", "up to 10 %")
  return tf.where(share > 0, few, "0 %")


def _flat(value: tf.Tensor | tf.SparseTensor) -> tf.Tensor:
  dense = tf.sparse.to_dense(value) if isinstance(value, tf.SparseTensor) else value
  return tf.reshape(dense, [-1])
