"""Unicode's canonical composition (NFC) in graph: equal texts get equal code points.

An "é" is one character on most keyboards and two, a letter and an accent, in much of what macOS and
PDFs contain. Unicode treats both as the same text. This module implements UAX #15 with core
TensorFlow ops over the tables of Python's `unicodedata`, so that any TensorFlow loads the graph. A
text that is already composed, as most are, costs one match of a regular expression.
"""

from __future__ import annotations

import dataclasses
import functools
import sys
import unicodedata
from collections.abc import Iterable

import numpy as np
import tensorflow as tf

_MAX_PARTS = 4  # the longest canonical decomposition of a character
_NOTHING = -1
_KEY_BITS = 21  # bits of a code point
# Hangul syllables are computed from the numbers of their consonants and vowels.
_SYLLABLES, _LEADS, _VOWELS, _TAILS = 0xAC00, 0x1100, 0x1161, 0x11A7
_LEAD_COUNT, _VOWEL_COUNT, _TAIL_COUNT = 19, 21, 28


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Tables:
  """Unicode's tables of characters; `composites`, `marks` and `pairs` are sorted.

  Attributes:
    composites: `[n]` int32, the characters that are decomposed.
    parts: `[n, 4]` int32, the decomposition of each, -1 after its end.
    marks: `[m]` int32, the characters that combine with the one before them.
    classes: `[m]` int32, their combining classes, all above 0.
    pairs: `[p]` int64, two characters that are composed, the first times 2**21 plus the second.
    composed: `[p]` int32, the composed character of each pair.
    doubtful: a regular expression of RE2; a text that does not match it is already composed.
  """

  composites: np.ndarray
  parts: np.ndarray
  marks: np.ndarray
  classes: np.ndarray
  pairs: np.ndarray
  composed: np.ndarray
  doubtful: str


def compose(texts: tf.Tensor) -> tf.Tensor:
  """Converts `[n]` string, UTF-8, to `[n]` string in Unicode's normal form C."""

  def by_words() -> tf.Tensor:
    # No character is composed with a space, and a batch repeats many of its words.
    words = tf.strings.split(texts, sep=" ")
    distinct, index = tf.unique(words.flat_values)
    places = tf.where(_is_doubtful(distinct))
    composed = _compose(tf.gather_nd(distinct, places))
    distinct = tf.tensor_scatter_nd_update(distinct, places, composed)
    # `reduce_join` with a separator would drop all separators before the first non-empty word.
    spaced = tf.gather(tf.strings.join([" ", distinct]), index)
    joined = tf.strings.reduce_join(words.with_flat_values(spaced), axis=1)
    return tf.strings.regex_replace(joined, "^ ", "")

  return tf.cond(tf.reduce_any(_is_doubtful(texts)), by_words, lambda: tf.identity(texts))


def _is_doubtful(texts: tf.Tensor) -> tf.Tensor:
  return tf.strings.regex_full_match(texts, f"(?s).*(?:{_tables().doubtful}).*")


def _compose(texts: tf.Tensor) -> tf.Tensor:
  chars, rows = _decompose(tf.strings.unicode_decode(texts, "UTF-8"))
  chars, rows, _ = tf.while_loop(
    lambda chars, rows, more: more,
    lambda chars, rows, more: _compose_once(chars, rows),
    (chars, rows, tf.constant(True)),
    shape_invariants=(tf.TensorShape([None]), tf.TensorShape([None]), tf.TensorShape([])),
  )
  count = tf.size(texts, out_type=tf.int64)
  return tf.strings.unicode_encode(tf.RaggedTensor.from_value_rowids(chars, rows, count), "UTF-8")


def _decompose(chars: tf.RaggedTensor) -> tuple[tf.Tensor, tf.Tensor]:
  """Decomposes `[n, (chars)]` int32 fully, and sorts the marks after each character.

  Returns:
    `[m]` int32, the characters, and `[m]` int64, the row of each.
  """
  tables, flat = _tables(), chars.flat_values
  itself = tf.pad(flat[:, tf.newaxis], [[0, 0], [0, _MAX_PARTS - 1]], constant_values=_NOTHING)
  place, known = _find(flat, tables.composites)
  parts = tf.where(known[:, tf.newaxis], tf.gather(tf.constant(tables.parts), place), itself)
  there = parts != _NOTHING
  row_of = tf.broadcast_to(chars.value_rowids()[:, tf.newaxis], tf.shape(parts, tf.int64))
  flat, rows = tf.boolean_mask(parts, there), tf.boolean_mask(row_of, there)
  classes = _classes(flat)
  run = tf.cumsum(tf.cast((classes == 0) | _starts(rows), tf.int64))
  order = tf.argsort(run * 256 + tf.cast(classes, tf.int64), stable=True)
  return tf.gather(flat, order), rows


def _compose_once(chars: tf.Tensor, rows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
  """Composes every base character with the first later character that it can combine with.

  Args:
    chars: `[m]` int32.
    rows: `[m]` int64, the row of each.

  Returns:
    The remaining characters, their rows, and whether anything was composed.
  """
  classes, starts = _classes(chars), _starts(rows)
  is_base = classes == 0
  index = tf.range(tf.size(chars))
  before = tf.maximum(index - 1, 0)
  first = tf.boolean_mask(index, is_base | starts)
  base = tf.gather(first, tf.maximum(tf.cumsum(tf.cast(is_base | starts, tf.int32)) - 1, 0))
  # A character of class 0 may be composed only with its immediate predecessor.
  base = tf.where(is_base, before, base)
  reached = ~starts & (tf.gather(classes, base) == 0)
  reached &= is_base | (tf.gather(classes, before) < classes)
  pairs = _pair(tf.gather(chars, base), chars)
  fits = reached & (pairs != _NOTHING)
  # A character that its base absorbs in this step absorbs no other in the same step.
  taken = tf.boolean_mask(index, fits & ~tf.gather(fits, base))
  bases = tf.gather(base, taken)
  is_first = tf.concat([tf.ones_like(bases[:1], tf.bool), bases[1:] != bases[:-1]], axis=0)
  taken, bases = tf.boolean_mask(taken, is_first), tf.boolean_mask(bases, is_first)
  chars = tf.tensor_scatter_nd_update(chars, bases[:, tf.newaxis], tf.gather(pairs, taken))
  gone = tf.scatter_nd(taken[:, tf.newaxis], tf.ones_like(taken), tf.shape(chars))
  left = gone == 0
  return tf.boolean_mask(chars, left), tf.boolean_mask(rows, left), tf.size(taken) > 0


def _pair(first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
  """Returns the composed characters of `[m]` int32 pairs: `[m]` int32, -1 if there is none."""
  tables = _tables()
  key = tf.cast(first, tf.int64) * (1 << _KEY_BITS) + tf.cast(second, tf.int64)
  place, known = _find(key, tables.pairs)
  composed = tf.where(known, tf.gather(tf.constant(tables.composed), place), _NOTHING)
  lead, vowel, tail = first - _LEADS, second - _VOWELS, second - _TAILS
  is_two = (lead >= 0) & (lead < _LEAD_COUNT) & (vowel >= 0) & (vowel < _VOWEL_COUNT)
  composed = tf.where(is_two, _SYLLABLES + (lead * _VOWEL_COUNT + vowel) * _TAIL_COUNT, composed)
  syllable = first - _SYLLABLES
  open_end = (syllable >= 0) & (syllable < _LEAD_COUNT * _VOWEL_COUNT * _TAIL_COUNT)
  open_end &= syllable % _TAIL_COUNT == 0
  return tf.where(open_end & (tail > 0) & (tail < _TAIL_COUNT), first + tail, composed)


def _classes(chars: tf.Tensor) -> tf.Tensor:
  """Returns the combining classes of `[m]` int32: `[m]` int32; 0 for a base character."""
  tables = _tables()
  place, known = _find(chars, tables.marks)
  return tf.where(known, tf.gather(tf.constant(tables.classes), place), 0)


def _starts(rows: tf.Tensor) -> tf.Tensor:
  """Returns which of `[m]` int64 are the first of their rows: `[m]` bool."""
  return tf.concat([tf.ones_like(rows[:1], tf.bool), rows[1:] != rows[:-1]], axis=0)


def _find(values: tf.Tensor, known: np.ndarray) -> tuple[tf.Tensor, tf.Tensor]:
  """Finds `[m]` values in a sorted array: `[m]` int32 positions, and `[m]` bool, whether found."""
  keys = tf.constant(known)
  place = tf.minimum(tf.searchsorted(keys, values), len(known) - 1)
  return place, tf.gather(keys, place) == values


@functools.cache
def _tables() -> _Tables:
  parts: dict[int, list[int]] = {}
  classes: dict[int, int] = {}
  pairs: dict[int, int] = {}
  doubtful = {
    *range(_VOWELS, _VOWELS + _VOWEL_COUNT),
    *range(_TAILS + 1, _TAILS + _TAIL_COUNT),
  }
  for code in range(sys.maxunicode + 1):
    char = chr(code)
    if combining := unicodedata.combining(char):
      classes[code] = combining
    decomposition = unicodedata.decomposition(char)
    if not decomposition or decomposition.startswith("<"):  # used by NFKC only
      continue
    parts[code] = [ord(part) for part in unicodedata.normalize("NFD", char)]
    if unicodedata.normalize("NFC", char) != char:
      doubtful.add(code)
    else:
      first, second = (int(part, 16) for part in decomposition.split())
      pairs[(first << _KEY_BITS) + second] = code
      doubtful.add(second)
  keys = sorted(pairs)
  return _Tables(
    composites=np.array(list(parts), "int32"),
    parts=np.array([p + [_NOTHING] * (_MAX_PARTS - len(p)) for p in parts.values()], "int32"),
    marks=np.array(list(classes), "int32"),
    classes=np.array(list(classes.values()), "int32"),
    pairs=np.array(keys, "int64"),
    composed=np.array([pairs[key] for key in keys], "int32"),
    # A single mark that is never composed, such as a tone of Thai, cannot be out of order.
    doubtful=f"{_class_of(doubtful)}|{_class_of(classes)}{{2}}",
  )


def _class_of(codes: Iterable[int]) -> str:
  """Returns a character class of RE2."""
  ordered = np.array(sorted(codes))
  runs = np.split(ordered, np.flatnonzero(np.diff(ordered) != 1) + 1)
  return "[" + "".join(rf"\x{{{run[0]:x}}}-\x{{{run[-1]:x}}}" for run in runs) + "]"
