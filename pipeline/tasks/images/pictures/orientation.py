"""Reads EXIF's orientation from a picture's bytes, and applies it, in graph.

Cameras store the sensor's rows and a number from 1 to 8 for the rotation. Every viewer applies it,
and no decoder of TensorFlow does. It is in a JPEG's APP1 segment or a PNG's eXIf chunk. Broken EXIF
data is ignored: the picture is shown as it is stored. Core ops only.

Source: CIPA DC-008 (Exif 2.32), 4.6.2 and 4.7.2; PNG (Third Edition), 11.3.4.4.
"""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from pipeline.tasks.images.pictures import formats

_AS_STORED = 1
# EXIF and colour profiles, each up to 64 KiB, precede a JPEG's pixels.
_JPEG_HEAD = 128 << 10
# More than any real picture has; the limit protects a server from crafted files.
_MAX_SEGMENTS = 1024
_TAG, _SHORT = 0x0112, 3
_BYTE_ORDERS = (0x4949, 0x4D4D)  # "II" is little-endian, "MM" big-endian

# Takes the offset of a segment; returns the offset of the next one, and the start and end of EXIF
# data in it, which are 0 and 0 if it has none.
_Segment = Callable[[tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor, tf.Tensor]]


def may_be_in_jpeg(data: tf.Tensor) -> tf.Tensor:
  """Returns whether JPEGs may have EXIF, by one search: `[...]` string to `[...]` bool."""
  return formats.contains(tf.strings.substr(data, 0, _JPEG_HEAD), r"Exif\x00\x00")


def may_be_in_png(data: tf.Tensor) -> tf.Tensor:
  """Returns whether PNGs may have EXIF, by one search: `[...]` string to `[...]` bool."""
  return formats.contains(data, "eXIf")


def of_jpeg(data: tf.Tensor) -> tf.Tensor:
  """Reads EXIF's orientation of a JPEG: `[]` string to `[]` int32 from 1 to 8; 1 if absent."""
  return _said_by(_exif(tf.strings.substr(data, 0, _JPEG_HEAD), _jpeg_segment, first=2))


def of_png(data: tf.Tensor) -> tf.Tensor:
  """Reads EXIF's orientation of a PNG: `[]` string to `[]` int32 from 1 to 8; 1 if absent."""
  return _said_by(_exif(data, _png_chunk, first=8))


def upright(pixels: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
  """Rotates and mirrors a square picture by its orientation.

  The picture is stretched to a square before, which gives the same result and is cheaper.

  Args:
    pixels: `[size, size, channels]`.
    orientation: `[]` int32 from 1 to 8.

  Returns:
    The same shape.
  """

  def turned() -> tf.Tensor:
    shown = tf.cond(orientation >= 5, lambda: tf.transpose(pixels, [1, 0, 2]), lambda: pixels)
    mirrored = tf.reduce_any(orientation == [2, 3, 6, 7])
    shown = tf.cond(mirrored, lambda: tf.reverse(shown, [1]), lambda: shown)
    upside_down = tf.reduce_any(orientation == [3, 4, 7, 8])
    return tf.cond(upside_down, lambda: tf.reverse(shown, [0]), lambda: shown)

  return tf.cond(orientation == _AS_STORED, lambda: pixels, turned)


def _exif(data: tf.Tensor, segment: _Segment, first: int) -> tf.Tensor:
  """Returns the first EXIF block of a file, `[bytes]` int64; empty without one."""
  data = tf.cast(tf.io.decode_raw(data, tf.uint8), tf.int64)
  size = tf.size(data, tf.int64)
  zero = tf.constant(0, tf.int64)
  _, start, stop = tf.while_loop(
    lambda at, start, stop: (start == 0) & (at < size),
    lambda at, start, stop: segment(data, at),
    (tf.constant(first, tf.int64), zero, zero),
    maximum_iterations=_MAX_SEGMENTS,
  )
  return data[start:stop]


def _jpeg_segment(data: tf.Tensor, at: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
  marker, size = _number(data, at, 2), _number(data, at + 2, 2)
  is_exif = (marker == 0xFFE1) & (_number(data, at + 4, 6) == int.from_bytes(b"Exif\0\0", "big"))
  # A scan, the end marker or an invalid segment ends the header.
  is_segment = (marker >= 0xFFC0) & (marker != 0xFFDA) & (marker != 0xFFD9) & (size >= 2)
  after = tf.where(is_segment, at + 2 + size, tf.size(data, tf.int64))
  after = tf.where(marker == 0xFFFF, at + 1, after)  # fill bytes may precede a marker
  return after, *_where(is_exif, at + 10, at + 2 + size)


def _png_chunk(data: tf.Tensor, at: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
  size = _number(data, at, 4)
  is_exif = _number(data, at + 4, 4) == int.from_bytes(b"eXIf", "big")
  return at + 12 + size, *_where(is_exif, at + 8, at + 8 + size)


def _where(is_exif: tf.Tensor, start: tf.Tensor, stop: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
  return tf.where(is_exif, start, 0), tf.where(is_exif, stop, 0)


def _said_by(block: tf.Tensor) -> tf.Tensor:
  """Returns the orientation in an EXIF block's first directory; 1 if that is invalid."""
  order = _number(block, 0, 2)
  is_little = order == _BYTE_ORDERS[0]

  def number(at: tf.Tensor | int, size: int) -> tf.Tensor:
    return tf.where(is_little, _number(block, at, size, little=True), _number(block, at, size))

  directory = number(4, 4)
  # Each entry has 12 bytes: tag, type, count, and the value or its offset.
  entries = block[directory + 2 :][: 12 * number(directory, 2)]
  entries = tf.reshape(entries[: tf.size(entries) // 12 * 12], [-1, 12])
  short = tf.where(is_little, [1, 256], [256, 1])
  tags, types, values = (
    tf.reduce_sum(entries[:, start : start + 2] * tf.cast(short, tf.int64), axis=1)
    for start in (0, 2, 8)
  )
  found = tf.boolean_mask(values, (tags == _TAG) & (types == _SHORT))
  said = tf.concat([found, [_AS_STORED]], 0)[0]
  is_sound = tf.reduce_any(order == tf.constant(_BYTE_ORDERS, tf.int64)) & (number(2, 2) == 42)
  return tf.cast(tf.where(is_sound & (said >= 1) & (said <= 8), said, _AS_STORED), tf.int32)


def _number(data: tf.Tensor, at: tf.Tensor | int, size: int, *, little: bool = False) -> tf.Tensor:
  """Reads an integer of `size` bytes at `at`, `[]` int64; bytes beyond the end count as 0."""
  found = data[at : at + size]
  found = tf.pad(found, [[0, size - tf.size(found)]])
  places = range(size) if little else reversed(range(size))
  return tf.reduce_sum(found * tf.constant([256**place for place in places], tf.int64))
