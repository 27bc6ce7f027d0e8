"""Splits text into subword pieces and back, in graph, with core TensorFlow ops only.

A text is cut into words: a run of letters, a digit or one other character, each with the blank
before it, written as U+2581. A word is split from the left into the longest matching pieces of the
vocabulary; the joined pieces are the text. A word with a character that no piece covers becomes one
unknown piece, and the caller gets its spelling to copy it.
"""

from __future__ import annotations

import dataclasses

import tensorflow as tf
import tensorflow_transform as tft

from pipeline.text.composition import compose
from pipeline.text.subword_learning import MAX_PIECE_CHARS

PADDING, UNKNOWN, START, END = range(4)
SPECIALS = 4  # a piece's id is its line in the vocabulary, after these

BLANK = "\u2581"
_MARK = "\x01"  # normalized texts contain no control characters
_WORD = r" ?\pL[\pL\pM]*| ?\pN| ?[^\pL\pN ]"
# A longer word is cut into several, which bounds the cost of one word. RE2 could count characters,
# but would exceed its memory limit.
_MAX_WORD_CHARS = 24
# Zero-width space, byte order mark, soft hyphen, word joiner: invisible, not part of a word. The
# joiners U+200C and U+200D are part of words in some scripts and in emoji.
_INVISIBLE = "[\u200b\ufeff\u00ad\u2060]"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pieces:
  """Texts split into pieces.

  Attributes:
    ids: `[batch, (pieces)]` int64.
    spellings: `[batch, (pieces)]` string: the word if the id is `UNKNOWN`, else empty.
    whole_words: `[batch]` int64, number of words that are one piece of the vocabulary.
  """

  ids: tf.RaggedTensor
  spellings: tf.RaggedTensor
  whole_words: tf.Tensor


def normalize(texts: tf.Tensor) -> tf.Tensor:
  """Converts `[batch]` string of any bytes to valid UTF-8 in which single spaces separate words.

  Invalid bytes become U+FFFD, and characters are composed (NFC), so that texts that Unicode treats
  as equal are equal here. Case, accents and punctuation stay.
  """
  texts = tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8", errors="replace")
  texts = compose(tf.strings.regex_replace(texts, _INVISIBLE, ""))
  texts = tf.strings.regex_replace(texts, r"[\pZ\p{Cc}]+", " ")
  texts = tf.strings.regex_replace(texts, BLANK, "_")
  return tf.strings.strip(texts)


def split_words(texts: tf.Tensor) -> tf.RaggedTensor:
  """Splits `[batch]` string into `[batch, (words)]` string; joined, they give normalized text."""
  marked = tf.strings.regex_replace(
    # The first word is written as the same word is elsewhere.
    tf.strings.join([" ", normalize(texts)]),
    f"({_WORD})",
    rf"{_MARK}\1",
  )
  # The part before the first mark is empty, or the blank of an empty text.
  words = tf.strings.split(marked, sep=_MARK)[:, 1:]
  return _cut(words.with_flat_values(tf.strings.regex_replace(words.flat_values, " ", BLANK)))


def to_pieces(words: tf.RaggedTensor, vocabulary: tf.Tensor) -> Pieces:
  """Splits words into pieces.

  Args:
    words: `[batch, (words)]` string, the result of `split_words`.
    vocabulary: path of the vocabulary's file, as `subword_vocabulary` returns it.
  """
  distinct, index = tf.unique(words.flat_values)
  by_word = tf.gather(_split_distinct(distinct, vocabulary), index)
  ids = words.with_values(by_word).merge_dims(1, 2)
  spelling = tf.gather(words.flat_values, by_word.value_rowids())
  is_whole = (by_word.row_lengths() == 1) & (by_word[:, :1].flat_values != UNKNOWN)
  return Pieces(
    ids=ids,
    spellings=ids.with_flat_values(tf.where(ids.flat_values == UNKNOWN, spelling, "")),
    whole_words=tf.reduce_sum(words.with_flat_values(tf.cast(is_whole, tf.int64)), axis=1),
  )


def join_pieces(pieces: tf.Tensor) -> tf.Tensor:
  """Joins `[batch, length]` string, pieces or spellings or empty, to `[batch]` texts."""
  joined = tf.strings.reduce_join(pieces, axis=1)
  return tf.strings.strip(tf.strings.regex_replace(joined, BLANK, " "))


def _cut(words: tf.RaggedTensor) -> tf.RaggedTensor:
  """Cuts words of more than `_MAX_WORD_CHARS` characters into words of that many."""
  flat = words.flat_values
  starts = tf.ragged.range(
    tf.strings.length(flat, unit="UTF8_CHAR"), deltas=tf.constant(_MAX_WORD_CHARS)
  )
  begin = starts.flat_values
  parts = tf.strings.substr(
    tf.gather(flat, starts.value_rowids()),
    begin,
    tf.fill(tf.shape(begin), _MAX_WORD_CHARS),
    unit="UTF8_CHAR",
  )
  return words.with_values(starts.with_flat_values(parts)).merge_dims(1, 2)


def _split_distinct(words: tf.Tensor, vocabulary: tf.Tensor) -> tf.RaggedTensor:
  """Splits `[n]` string into `[n, (pieces)]` int64 ids; an uncovered word becomes one `UNKNOWN`."""
  lengths = tf.strings.length(words, unit="UTF8_CHAR")
  starts = tf.ragged.range(lengths)
  first, end = tf.cast(starts.row_starts(), tf.int32), tf.cast(starts.row_limits(), tf.int32)
  found, taken = _longest_matches(
    tf.gather(words, starts.value_rowids()), starts.flat_values, vocabulary
  )

  def step(number, position, unknown, ids):
    active = position < end
    place = tf.where(active, position, 0)
    chars = tf.where(active, tf.gather(taken, place), 0)
    stuck = active & (chars == 0)
    ids = ids.write(number, tf.where(active & ~stuck, tf.gather(found, place), -1))
    return number + 1, tf.where(stuck, end, position + chars), unknown | stuck, ids

  steps, _, unknown, ids = tf.while_loop(
    # At least one step, because an empty TensorArray cannot be stacked.
    lambda number, position, *_: (number == 0) | tf.reduce_any(position < end),
    step,
    (
      0,
      first,
      tf.zeros_like(first, tf.bool),
      tf.TensorArray(tf.int64, 1, dynamic_size=True, element_shape=[None]),
    ),
  )
  by_step = tf.transpose(ids.stack())
  only_unknown = tf.where(tf.range(steps)[tf.newaxis] == 0, tf.constant(UNKNOWN, tf.int64), -1)
  by_step = tf.where(unknown[:, tf.newaxis], only_unknown, by_step)
  return tf.ragged.boolean_mask(by_step, by_step >= 0)


def _longest_matches(
  words: tf.Tensor, starts: tf.Tensor, vocabulary: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
  """Returns the longest piece that begins at each start.

  Args:
    words: `[n]` string.
    starts: `[n]` int32, the position of a character in each word.
    vocabulary: path of the vocabulary's file.

  Returns:
    `[n]` int64 ids and `[n]` int32 numbers of covered characters; 0 if no piece matches.
  """
  sizes = tf.range(1, MAX_PIECE_CHARS + 1)
  shape = [tf.size(words), MAX_PIECE_CHARS]
  candidates = tf.strings.substr(
    tf.broadcast_to(words[:, tf.newaxis], shape),
    tf.broadcast_to(starts[:, tf.newaxis], shape),
    tf.broadcast_to(sizes[tf.newaxis], shape),
    unit="UTF8_CHAR",
  )
  rows = tft.apply_vocabulary(candidates, vocabulary, default_value=-1)
  remaining = tf.strings.length(words, unit="UTF8_CHAR") - starts
  fits = (rows >= 0) & (sizes[tf.newaxis] <= remaining[:, tf.newaxis])
  taken = tf.reduce_max(tf.where(fits, sizes[tf.newaxis], 0), axis=1)
  found = tf.gather(rows, tf.maximum(taken - 1, 0), batch_dims=1)
  return found + SPECIALS, taken
