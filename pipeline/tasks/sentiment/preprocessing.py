"""`preprocessing_fn` of the sentiment task: raw text in, one graph for training and serving."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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
  VOCABULARY,
  WORD_IDS,
  WORDS,
)
from pipeline.text.words import part_buckets, split_words

# Up to this share of unknown words they are called few.
_FEW = 0.1


def preprocessing_fn(
  inputs: Mapping[str, Any], custom_config: Mapping[str, Any]
) -> dict[str, tf.Tensor]:
  """Splits texts into words and numbers these and the labels.

  Args:
    inputs: `text` and `label`, `[batch, 1]` string each; dense or sparse.
    custom_config: `{"hyperparameters": {"max_words", "vocabulary_size", "min_frequency",
      "part_buckets"}}`, all int.

  Returns:
    `word_ids` `[batch, max_words]` int64: 0 after the end, then `part_buckets` ids for words that
    the vocabulary lacks, by how they begin, then the vocabulary's words, the most frequent first.
    A longer text keeps its beginning and its end. `start_ids` and `end_ids`, of the same shape:
    from 1 to `part_buckets`, what the words' first and last characters are.
    `oov_bucket` `[batch]` string: the share of words that the vocabulary lacks. `label_id`
    `[batch]` int64, -1 for a label that train does not have; labels are numbered by frequency, ties
    by name.
  """
  hyperparameters = custom_config["hyperparameters"]
  words = split_words(_flat(inputs[TEXT]))
  ranks = tft.compute_and_apply_vocabulary(
    words,
    default_value=-1,
    top_k=hyperparameters["vocabulary_size"],
    frequency_threshold=hyperparameters["min_frequency"],
    vocab_filename=WORDS,
    # Training tells from it how many of the running words have a pre-trained vector.
    store_frequency=True,
  )
  label_id = tft.compute_and_apply_vocabulary(
    _flat(inputs[LABEL]), vocab_filename=VOCABULARY, num_oov_buckets=0, default_value=-1
  )
  buckets, length = hyperparameters["part_buckets"], hyperparameters["max_words"]

  def parts(chars: int) -> tf.RaggedTensor:
    numbers = part_buckets(words.flat_values, chars=chars, buckets=buckets)
    return words.with_flat_values(1 + numbers)

  unknown = parts(STEM_CHARS).flat_values
  ids = tf.where(ranks.flat_values < 0, unknown, 1 + buckets + ranks.flat_values)
  return {
    WORD_IDS: beginning_and_end(words.with_flat_values(ids), length),
    START_IDS: beginning_and_end(parts(START_CHARS), length),
    END_IDS: beginning_and_end(parts(END_CHARS), length),
    OOV_BUCKET: _oov_bucket(ranks),
    LABEL_ID: label_id,
  }


def beginning_and_end(ids: tf.RaggedTensor, length: int) -> tf.Tensor:
  """Cuts `[batch, (words)]` to `[batch, length]`, with 0 after the end of shorter rows.

  A long review says at its end what it comes to: the middle is left out.
  """
  head = length // 2
  tail = length - head
  rest = ids[:, head:]
  excess = tf.maximum(rest.row_lengths() - tail, 0)
  position = tf.ragged.range(rest.row_lengths()).flat_values
  kept = position >= tf.gather(excess, rest.value_rowids())
  rest = tf.ragged.boolean_mask(rest, rest.with_flat_values(kept))
  return tf.concat([ids[:, :head], rest], axis=1).to_tensor(shape=[None, length])


def _oov_bucket(ranks: tf.RaggedTensor) -> tf.Tensor:
  unknown = tf.cast(ranks < 0, tf.float32)
  count = tf.cast(ranks.row_lengths(), tf.float32)
  share = tf.reduce_sum(unknown, axis=1) / tf.maximum(count, 1)
  few = tf.where(share > _FEW, "over 10 %", "up to 10 %")
  return tf.where(share > 0, few, "0 %")


def _flat(value: tf.Tensor | tf.SparseTensor) -> tf.Tensor:
  dense = tf.sparse.to_dense(value) if isinstance(value, tf.SparseTensor) else value
  return tf.reshape(dense, [-1])
