"""`preprocessing_fn` of the translation task: sentences in, one graph for training and serving."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from pipeline.tasks.translation.features import (
  OOV_BUCKET,
  SOURCE,
  SOURCE_IDS,
  SOURCE_VOCABULARY,
  SPELLINGS,
  TARGET,
  TARGET_IDS,
  TARGET_VOCABULARY,
)
from pipeline.text.subword_learning import subword_vocabulary
from pipeline.text.subwords import END, split_words, to_pieces

if TYPE_CHECKING:
  from pipeline.tasks.translation.params import TranslationParams


def preprocessing_fn(inputs: Mapping[str, Any], params: TranslationParams) -> dict[str, tf.Tensor]:
  """Splits each side into subword pieces of its vocabulary, or of the one that they share.

  Args:
    inputs: `text` and `target`, `[batch, 1]` string each, any bytes.
    params: the sizes of the vocabularies, and the largest number of pieces of a sentence.

  Returns:
    `source_ids` and `target_ids` `[batch, max_pieces]` int64, 0 after their ends; the target ends
    with END. `spellings` `[batch, max_pieces]` string, the source's words without pieces.
    `oov_bucket` `[batch]` string.
  """
  length = params.max_pieces
  words = split_words(tf.reshape(inputs[SOURCE], [-1]))
  said = split_words(tf.reshape(inputs[TARGET], [-1]))
  if params.shared_pieces:
    both = tf.concat([words.flat_values, said.flat_values], axis=0)
    read = written = subword_vocabulary(
      both, size=params.source_pieces, file_name=SOURCE_VOCABULARY
    )
  else:
    read, written = (
      subword_vocabulary(side.flat_values, size=size, file_name=name)
      for side, size, name in (
        (words, params.source_pieces, SOURCE_VOCABULARY),
        (said, params.target_pieces, TARGET_VOCABULARY),
      )
    )
  source = to_pieces(words, read)
  target = to_pieces(said, written).ids[:, : length - 1]
  ends = tf.fill([target.nrows(), 1], tf.constant(END, tf.int64))
  return {
    SOURCE_IDS: source.ids.to_tensor(shape=[None, length]),
    TARGET_IDS: tf.concat([target, ends], axis=1).to_tensor(shape=[None, length]),
    SPELLINGS: source.spellings.to_tensor(shape=[None, length]),
    OOV_BUCKET: _bucket(source.whole_words, words.row_lengths()),
  }


def _bucket(whole: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
  """Returns the range of the share of words that are not one piece of the vocabulary."""
  share = 1 - tf.cast(whole, tf.float32) / tf.cast(tf.maximum(count, 1), tf.float32)
  share = tf.where(count == 0, 0.0, share)
  return tf.where(share == 0, "0 %", tf.where(share <= 0.2, "1-20 %", "21-100 %"))
