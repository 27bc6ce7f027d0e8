"""Checks texts in graph, in every signature, by the rule of the sources' `texts.usable`.

Core ops only, so that a stock TensorFlow Serving refuses the texts that the sources reject.
"""

from __future__ import annotations

import tensorflow as tf

from pipeline.sources import encoding
from pipeline.sources.text_files import texts

# No text contains it, so a repaired text first differs at the first invalid byte.
_REPAIRED = 0x01


def faults(values: tf.Tensor, *, what: str, max_chars: int) -> tf.Tensor:
  """Returns the fault of each text: `[batch]` string to `[batch]` string; empty for a valid text.

  Args:
    values: any bytes.
    what: name of a text in messages, such as "the text".
    max_chars: largest number of characters.
  """
  repaired = tf.strings.unicode_transcode(
    values, "UTF-8", "UTF-8", errors="replace", replacement_char=_REPAIRED
  )
  is_valid = repaired == values
  length = tf.strings.length(values, unit="UTF8_CHAR")
  is_seen = tf.strings.regex_full_match(values, rf"(?s)\C*?[^{texts.INVISIBLE}]\C*")
  has_nul = tf.strings.regex_full_match(values, r"(?s)\C*?\x00\C*")
  invalid = tf.cond(
    tf.reduce_all(is_valid),
    lambda: tf.fill(tf.shape(values), ""),
    lambda: tf.strings.join([f"{what} is ", _first_invalid(values, repaired)]),
  )
  found = tf.fill(tf.shape(values), "")
  # If several faults apply, the last one is returned.
  for applies, reason in (
    (length > max_chars, texts.too_long(what, max_chars)),
    (~is_seen, texts.empty(what)),
    (~is_valid, invalid),
    (has_nul, f"{what} is {encoding.NUL}"),
  ):
    found = tf.where(applies, reason, found)
  return found


def _first_invalid(values: tf.Tensor, repaired: tf.Tensor) -> tf.Tensor:
  """Returns a message for each text that names its first byte that is not UTF-8."""
  reasons = tf.constant([encoding.invalid(byte) for byte in range(256)])

  def of_one(each: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
    given, mended = (tf.io.decode_raw(text, tf.uint8) for text in each)
    shorter = tf.minimum(tf.size(given), tf.size(mended))
    place = tf.argmax(tf.concat([given[:shorter] != mended[:shorter], [True]], 0))
    return reasons[tf.reduce_sum(tf.cast(given[place : place + 1], tf.int32))]

  return tf.map_fn(of_one, (values, repaired), fn_output_signature=tf.string)
