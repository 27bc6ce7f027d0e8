"""What a text may be, in graph: the rule of the sources' `texts.usable` for every signature.

Core ops only, so that a stock TensorFlow Serving refuses what training set aside.
"""

from __future__ import annotations

import tensorflow as tf

from pipeline.sources import encoding
from pipeline.sources.text_files import texts

# In no text, so that the first byte that is no UTF-8 is where a repaired text differs.
_REPAIRED = 0x01


def faults(values: tf.Tensor, *, what: str, max_chars: int) -> tf.Tensor:
  """Returns why texts are not answered: `[batch]` string to `[batch]` string, empty if they are.

  Args:
    values: any bytes.
    what: what to call one in messages, such as "the text".
    max_chars: the most characters.
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
  # Where several apply, the last is said.
  for applies, reason in (
    (length > max_chars, texts.too_long(what, max_chars)),
    (~is_seen, texts.empty(what)),
    (~is_valid, invalid),
    (has_nul, f"{what} is {encoding.NUL}"),
  ):
    found = tf.where(applies, reason, found)
  return found


def _first_invalid(values: tf.Tensor, repaired: tf.Tensor) -> tf.Tensor:
  """Returns the reason of each text by its first byte that is no UTF-8."""
  reasons = tf.constant([encoding.invalid(byte) for byte in range(256)])

  def of_one(each: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
    given, mended = (tf.io.decode_raw(text, tf.uint8) for text in each)
    shorter = tf.minimum(tf.size(given), tf.size(mended))
    place = tf.argmax(tf.concat([given[:shorter] != mended[:shorter], [True]], 0))
    return reasons[tf.reduce_sum(tf.cast(given[place : place + 1], tf.int32))]

  return tf.map_fn(of_one, (values, repaired), fn_output_signature=tf.string)
