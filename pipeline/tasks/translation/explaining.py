"""Explains translations: which source words each target word attends to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import tensorflow as tf

from pipeline.explanations.target import CannotExplain, Explanation, Features, Target
from pipeline.tasks.translation import decoding
from pipeline.tasks.translation.features import SOURCE_IDS, SPELLINGS
from pipeline.text.subwords import BLANK, END, PADDING, join_pieces

if TYPE_CHECKING:
  from pipeline.tasks.translation.model import Translator

# A piece that begins a word as people see it: after a blank, or a mark.
_BEGINS = rf"(?s)(?:{BLANK}|[^\pL\pM\pN]).*"


def explain(model: Translator, target: Target) -> Explanation:
  """Returns the function from transformed features to the alignment of words.

  Its outputs are `translation` `[batch]` string; `source_tokens` `[batch, source]` and
  `target_tokens` `[batch, target]` string, the words, empty after the end; and `alignment`
  `[batch, target, source]` float32: how a target word's attention is divided among the source
  words, which sums to 1. It is the attention of the recurrent decoder, or the mean over the heads
  of the Transformer's last block, while the word's pieces are written.

  Args:
    model: the result of `build_model`, after `serving_outputs` has seen it.
    target: names of the transformed features.

  Raises:
    CannotExplain: the model lacks what decoding needs.
  """
  if not {SOURCE_IDS, SPELLINGS} <= set(target.features) or not hasattr(model, "decoding"):
    raise CannotExplain("the model is no Translator over the pieces of words")

  def outputs(features: Features) -> dict[str, tf.Tensor]:
    source, spellings, sizes = decoding.cut(features[SOURCE_IDS], features[SPELLINGS])
    found = decoding.search(model, source, sizes, model.decoding, keeps_attention=True)
    tokens, attention = found.tokens[:, 0], found.attention[:, 0]
    pieces = decoding.spell(model, found, source, spellings)[:, 0]
    # An empty source has an empty translation, whatever the search finds.
    is_said = (tokens != PADDING) & (tokens != END) & (sizes > 0)[:, tf.newaxis]
    pieces = tf.where(is_said, pieces, "")
    read, source_tokens = _words(decoding.written(model, source, spellings), source != PADDING)
    said, target_tokens = _words(pieces, is_said)
    summed = tf.matmul(said, tf.matmul(attention, read), transpose_a=True)
    count = tf.reduce_sum(said, axis=1)[:, :, tf.newaxis]
    return {
      "translation": join_pieces(pieces),
      "source_tokens": source_tokens,
      "target_tokens": target_tokens,
      "alignment": summed / tf.maximum(count, 1),
    }

  return outputs


def _words(pieces: tf.Tensor, is_piece: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
  """Joins pieces to words.

  Args:
    pieces: `[batch, time]` string.
    is_piece: `[batch, time]` bool, false after the end.

  Returns:
    `[batch, time, words]` float32, 1 where a piece belongs to a word; `[batch, words]` string, at
    least one word, empty after the last.
  """
  batch, time = tf.shape(pieces)[0], tf.shape(pieces)[1]
  begins = tf.strings.regex_full_match(pieces, _BEGINS) | (tf.range(time) == 0)
  number = tf.maximum(tf.cumsum(tf.cast(begins & is_piece, tf.int32), axis=1) - 1, 0)
  most = tf.reduce_max(tf.concat([tf.reshape(number, [-1]), [0]], axis=0)) + 1
  belongs = tf.one_hot(number, most) * tf.cast(is_piece, tf.float32)[..., tf.newaxis]
  places = tf.range(batch)[:, tf.newaxis] * most + number
  words = tf.strings.unsorted_segment_join(
    tf.reshape(tf.where(is_piece, pieces, ""), [-1]), tf.reshape(places, [-1]), batch * most
  )
  words = tf.strings.regex_replace(tf.reshape(words, [batch, most]), BLANK, "")
  return belongs, words
