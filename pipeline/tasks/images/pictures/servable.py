"""The rule for valid pictures, in graph: for the sources, `predict`, `batch` and every signature.

TensorFlow Serving runs only graphs, and the sources call the same graph. The rule reads sizes and
formats from headers. A picture that passes is decoded, and the decoder may still refuse it. Core
ops only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from pipeline.tasks.images.pictures import decoding, formats, gif
from pipeline.tasks.images.sources import headers, pictures

_TAIL_BYTES = 64
# Bytes up to the end of the size in each format, except JPEG, which has no fixed place for it.
_NOT_PLAIN = "a BMP with a colour palette, compression or 16-bit colours; save it as PNG"
_NO_SIZE = [*(f"damaged {kind}: no size in its header" for kind in formats.KINDS), ""]
_NO_SIZE[formats.GIF] = "cut off or damaged: the GIF has no whole frame"
_NO_END = [*(f"cut off: the {kind} has no end" for kind in formats.KINDS), ""]
_LEAST_BYTES = {formats.PNG: 33, formats.GIF: 13, formats.BMP: 54}


def faults(encoded: tf.Tensor, options: Mapping[str, Any]) -> tf.Tensor:
  """Returns the fault of each picture: `[batch]` string to `[batch]` string; empty for a valid one.

  Args:
    encoded: the files' bytes.
    options: the data option `max_pixels`.

  Raises:
    tf.errors.InvalidArgumentError: a JPEG has no header with its size.
  """
  return _faults(encoded, tf.constant(pictures.max_pixels(options), tf.int64))


def _faults(encoded: tf.Tensor, max_pixels: tf.Tensor) -> tf.Tensor:
  kinds, head = formats.kinds(encoded), formats.heads(encoded)
  is_cut_off = _is_cut_off(encoded, kinds) | (
    (kinds == formats.BMP) & _is_bmp_cut_off(encoded, head)
  )
  size = _sizes(encoded, kinds, head, is_cut_off)
  pixels = size[:, 0] * size[:, 1]
  too_large = tf.strings.join(
    [
      "too large: ",
      tf.strings.as_string(size[:, 1]),
      " x ",
      tf.strings.as_string(size[:, 0]),
      " pixels, more than data.max_pixels = ",
      tf.strings.as_string(max_pixels),
    ]
  )
  no_picture = tf.strings.join(["not a JPEG, PNG, GIF or BMP picture, but ", _described(encoded)])
  found = tf.fill(tf.shape(encoded), "")
  # If several faults apply, the last one is returned.
  for applies, reason in (
    ((kinds == formats.BMP) & ~formats.is_plain_bmp(head), _NOT_PLAIN),
    (pixels <= 0, tf.gather(_NO_SIZE, kinds)),
    (is_cut_off, tf.gather(_NO_END, kinds)),
    (pixels > max_pixels, too_large),
    (kinds == formats.UNKNOWN, no_picture),
    (encoded == "", "the file is empty (zero bytes)"),
  ):
    found = tf.where(applies, reason, found)
  return found


@tf.function(
  input_signature=[tf.TensorSpec([], tf.string), tf.TensorSpec([], tf.int64)], autograph=False
)
def inspect(data: tf.Tensor, max_pixels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
  """Checks one picture by the rule and decodes it as `decoding.decode` does.

  Returns:
    The fault, `[]` string, empty for a valid picture; height and width as viewers show them, `[2]`
    int32, 0 for a picture with a fault.

  Raises:
    tf.errors.OpError: the decoder refuses the picture.
  """
  encoded = data[tf.newaxis]
  fault = _faults(encoded, max_pixels)[0]

  def shown_size() -> tf.Tensor:
    kinds, are_special = decoding.plans(encoded)
    return decoding.decode_and(_shown_size, data, kinds[0], are_special[0])

  return fault, tf.cond(fault == "", shown_size, lambda: tf.zeros([2], tf.int32))


def _shown_size(pixels: tf.Tensor, turn: tf.Tensor) -> tf.Tensor:
  size = tf.shape(pixels)[:2]
  return tf.where(turn >= 5, tf.reverse(size, [0]), size)


def _sizes(
  encoded: tf.Tensor, kinds: tf.Tensor, head: tf.Tensor, is_cut_off: tf.Tensor
) -> tf.Tensor:
  """Reads height and width from headers: `[batch, 2]` int64; 0 or less if they are missing."""
  png = [formats.number(head, at, 4, little=False) for at in (20, 16)]
  is_png = (kinds == formats.PNG)[:, tf.newaxis]
  stated = tf.where(is_png, tf.stack(png, axis=1), formats.bmp_size(head))
  least = tf.gather([_LEAST_BYTES.get(kind, 0) for kind in range(formats.UNKNOWN + 1)], kinds)
  has_header = tf.strings.length(encoded) >= least
  has_header &= (kinds != formats.PNG) | formats.starts_with(encoded, b"IHDR", 12)
  nothing = tf.zeros([2], tf.int32)

  def read(each: tuple[tf.Tensor, ...]) -> tf.Tensor:
    data, is_jpeg, is_gif = each
    return tf.cond(
      is_jpeg,
      # The decoder would refuse a truncated file without naming the cause.
      lambda: tf.io.extract_jpeg_shape(data)[:2],
      lambda: tf.cond(is_gif, lambda: _size_of_gif(data), lambda: nothing),
    )

  are_jpegs, are_gifs = (kinds == formats.JPEG) & ~is_cut_off, kinds == formats.GIF
  found = tf.map_fn(
    read, (encoded, are_jpegs, are_gifs), fn_output_signature=tf.TensorSpec([2], tf.int32)
  )
  is_stated = has_header & ((kinds == formats.PNG) | (kinds == formats.BMP))
  return tf.where(is_stated[:, tf.newaxis], stated, tf.cast(found, tf.int64))


@tf.function(
  input_signature=[tf.TensorSpec([], tf.string)],
  autograph=False,
  experimental_attributes={"_noinline": True},
)
def _size_of_gif(data: tf.Tensor) -> tf.Tensor:
  frame = gif.first_frame(data)
  return tf.where(frame.is_whole, frame.canvas, 0)


def _is_cut_off(encoded: tf.Tensor, kinds: tf.Tensor) -> tf.Tensor:
  """Returns whether JPEGs and PNGs lack an end marker, which the decoder needs: `[batch]` bool."""
  length = tf.strings.length(encoded)
  start = tf.maximum(length - _TAIL_BYTES, 0)
  tail = tf.strings.substr(encoded, start, tf.fill(tf.shape(start), _TAIL_BYTES))
  numbers = tf.io.decode_raw(tail, tf.uint8, fixed_length=_TAIL_BYTES)
  numbers = tf.reshape(numbers, [-1, _TAIL_BYTES])
  ends_jpeg = tf.reduce_any((numbers[:, :-1] == 0xFF) & (numbers[:, 1:] == 0xD9), axis=1)
  ends_png = formats.contains(tail, "IEND")
  # Some cameras append data; then the end marker is searched for in the whole file.
  jpeg = tf.where((kinds == formats.JPEG) & ~ends_jpeg, encoded, "")
  png = tf.where((kinds == formats.PNG) & ~ends_png, encoded, "")
  has_no_eoi = tf.strings.split(jpeg, b"\xff\xd9", maxsplit=1).row_lengths() == 1
  return ((jpeg != "") & has_no_eoi) | ((png != "") & ~formats.contains(png, "IEND"))


def _is_bmp_cut_off(encoded: tf.Tensor, head: tf.Tensor) -> tf.Tensor:
  """Returns whether BMPs are shorter than their pixels, with rows padded to 4 bytes."""
  start, bits = formats.number(head, 10, 4, little=True), formats.number(head, 28, 2, little=True)
  size = formats.bmp_size(head)
  row = (bits * size[:, 1] + 31) // 32 * 4
  return tf.cast(tf.strings.length(encoded), tf.int64) < start + row * size[:, 0]


def _described(encoded: tf.Tensor) -> tf.Tensor:
  """Describes the likely formats of files that are not pictures."""
  start = tf.strings.substr(encoded, 0, headers.TEXT_BYTES)
  # The last character may be incomplete.
  valid = tf.strings.unicode_transcode(start, "UTF-8", "UTF-8", errors="ignore")
  is_utf8 = tf.strings.length(start) - tf.strings.length(valid) < headers.LONGEST_CHARACTER
  is_text = is_utf8 & tf.strings.regex_full_match(valid, headers.NO_CONTROL)
  words = tf.where(is_text, headers.TEXT, headers.UNKNOWN)
  for offset, magic, other in reversed(headers.OTHERS):
    words = tf.where(formats.starts_with(encoded, magic, offset), other, words)
  return words
