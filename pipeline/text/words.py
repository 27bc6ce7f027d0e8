"""Splits texts into words, in graph: identically in training, evaluation and every signature.

Core TensorFlow ops only, so that any TensorFlow loads the graph. Any bytes are accepted: invalid
UTF-8 becomes U+FFFD, and an empty text has no words. Texts that Unicode treats as equal have equal
words. Called by `preprocessing_fn`s.
"""

from __future__ import annotations

import tensorflow as tf

from pipeline.text.composition import compose

# Replaces the apostrophe within a word while words are split; the text no longer contains it then.
_INNER = "\u2019"
# RE2 expressions and their replacements, applied in this order to lower-cased text.
_MARKUP = (
  (r"(?s)<!--.*?-->|<!doctype[^<>]*>", " "),
  # Matches only tags: "<3" and "a < b" are text.
  (r"</?[a-z][a-z0-9]*(?:\s[^<>]*)?/?>", " "),
  (r"&(?:nbsp|#0*160|#x0*a0);", " "),
  (r"&(?:apos|[lr]squo|#0*39|#0*821[67]|#x0*27|#x0*201[89]);", "'"),
  (r"&(?:quot|[lrb]dquo|#0*34|#0*822[0-2]|#x0*22|#x0*201[c-e]);", '"'),
  (r"&(?:lt|#0*60|#x0*3c);", "<"),
  (r"&(?:gt|#0*62|#x0*3e);", ">"),
  (r"&(?:amp|#0*38|#x0*26);", "&"),
  (r"&(?:[a-z]+[0-9]*|#[0-9]+|#x[0-9a-f]+);", " "),
)
# A character that is a word by itself, as in scripts without spaces.
_ALONE = (
  r"\.\.|!!|\?\?|[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]"
  rf"|[^\p{{L}}\p{{M}}\p{{N}} {_INNER}]"
)
_WORDS = (
  ("[\u2018\u2019\u02bc\u00b4`]", "'"),
  ("[\\p{Z}\\p{Cc}\u200b]+", " "),
  # Joiners, direction marks, soft hyphens and variation selectors are invisible.
  ("[\\p{C}\ufe00-\ufe0f]", ""),
  # "isn't" is "is n't", so that every negation shares a word; "it's" is "it 's".
  (r"n't($|[^\p{L}\p{N}])", rf" n{_INNER}t\1"),
  (r"([\p{L}\p{N}])'(s|re|ve|ll|d|m)($|[^\p{L}\p{N}])", rf"\1 {_INNER}\2\3"),
  (r"(\p{L})'(\p{L})", rf"\1{_INNER}\2"),
  # A repeated mark differs from a single one; the number of repetitions does not matter.
  (r"\.{2,}|" + "\u2026", ".."),
  (r"!{2,}", "!!"),
  (r"\?{2,}", "??"),
  (f"({_ALONE})", r" \1 "),
  (_INNER, "'"),
)


def split_words(texts: tf.Tensor) -> tf.RaggedTensor:
  """Splits texts into lower-case words and marks; removes markup, entities and controls.

  Args:
    texts: `[batch]` string, any bytes.

  Returns:
    `[batch, (words)]` string, UTF-8 in normal form C. Contractions are two words, as in GloVe's
    ("do", "n't"); a word contains no space.
  """
  texts = tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8", errors="replace")
  # lower() truncates a text at its first NUL.
  texts = tf.strings.regex_replace(texts, r"\x00", " ")
  # Composed after lower(), which decomposes some characters: "\u0130" becomes "i\u0307".
  texts = compose(tf.strings.lower(texts, encoding="utf-8"))
  for pattern, replacement in (*_MARKUP, *_WORDS):
    texts = tf.strings.regex_replace(texts, pattern, replacement)
  return tf.strings.split(texts)


def part_buckets(words: tf.Tensor, *, chars: int, buckets: int) -> tf.Tensor:
  """Hashes the beginning or the end of each word, so that related words share a number.

  Args:
    words: `[...]` string, UTF-8.
    chars: length of the beginning in characters; if negative, length of the end.
    buckets: number of hash buckets; different parts may share one.

  Returns:
    `[...]` int64 in [0, buckets).
  """
  start = tf.zeros(tf.shape(words), tf.int32)
  if chars < 0:
    start = tf.maximum(tf.strings.length(words, unit="UTF8_CHAR") + chars, 0)
  length = tf.fill(tf.shape(words), abs(chars))
  parts = tf.strings.substr(words, start, length, unit="UTF8_CHAR")
  return tf.strings.to_hash_bucket_fast(parts, buckets)
