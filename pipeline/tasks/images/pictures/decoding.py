"""Decodes pictures in graph to the pixels that viewers show.

TensorFlow's decoders return the stored pixels. This module puts transparent pixels on white, scales
16 bits to 8 by the range in use, and applies EXIF's orientation. Core ops only, so that a stock
TensorFlow Serving loads the graph. `servable` refuses invalid pictures before they are decoded.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import tensorflow as tf

from pipeline.sources.file_formats import BIT_DEPTHS
from pipeline.tasks.images.pictures import formats, gif, orientation

_AS_STORED = 1

_Then = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


def decode(encoded: tf.Tensor, size: int) -> tf.Tensor:
  """Decodes `[batch]` string to `[batch, size, size, 3]` float32, stretched to a square.

  The result is float32 because TFT has no uint8. The values are rounded, so that they can be stored
  as uint8 without loss.
  """

  def decode_one(each: tuple[tf.Tensor, ...]) -> tf.Tensor:
    pixels = tf.ensure_shape(decode_and(_squared(size), *each), [size, size, 3])
    return tf.clip_by_value(tf.round(pixels), 0, 255)

  return tf.map_fn(
    decode_one,
    (encoded, *plans(encoded)),
    fn_output_signature=tf.TensorSpec([size, size, 3], tf.float32),
  )


def plans(encoded: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
  """Determines how each of `[batch]` string is decoded.

  Returns:
    `[batch]` int32, the format as in `formats.kinds`; `[batch]` bool, whether the decoded pixels
    may need transparency, scaling or rotation.
  """
  kinds = formats.kinds(encoded)
  png = _is_16_bits(encoded) | _may_be_transparent(encoded) | orientation.may_be_in_png(encoded)
  return kinds, (
    ((kinds == formats.JPEG) & orientation.may_be_in_jpeg(encoded))
    | ((kinds == formats.PNG) & png)
    | (kinds == formats.GIF)
    | ((kinds == formats.BMP) & formats.has_bmp_alpha(formats.heads(encoded)))
  )


def decode_and(then: _Then, data: tf.Tensor, kind: tf.Tensor, is_special: tf.Tensor) -> tf.Tensor:
  """Decodes one picture and applies a function to it, in the branch of its format.

  Args:
    then: takes `[height, width, 3]` in [0, 255] and EXIF's orientation, int32. The pixels are
      float32 only if uint8 would lose precision, to save memory.
    data: `[]` string.
    kind: `[]` int32, from `plans`.
    is_special: `[]` bool, from `plans`.

  Returns:
    The result of `then`.
  """
  # Other formats are refused earlier, or else by the decoder.
  return tf.cond(
    is_special, lambda: _special(then)(data, kind), lambda: then(_stored(data), _as_stored())
  )


@functools.lru_cache
def _squared(size: int) -> _Then:
  """Returns the function that makes a picture an upright square; the same one for equal sizes."""

  def squared(pixels: tf.Tensor, turn: tf.Tensor) -> tf.Tensor:
    # Antialiasing keeps thin strokes that bilinear sampling would skip.
    return orientation.upright(tf.image.resize(pixels, [size, size], antialias=True), turn)

  return squared


@functools.lru_cache
def _special(then: _Then) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
  """Returns the decoding of rare pictures, as a function that is traced once in a process.

  It and `then` are functions of their own in the graph: ordinary pictures skip these ops, and every
  branch calls `then` in place of a copy, which whoever loads the graph would optimize, too.
  """
  apart = {"autograph": False, "experimental_attributes": {"_noinline": True}}
  called = tf.function(then, **apart)

  def then_apart(pixels: tf.Tensor, turn: tf.Tensor) -> tf.Tensor:
    return called(tf.ensure_shape(pixels, [None, None, 3]), turn)

  def special(data: tf.Tensor, kind: tf.Tensor) -> tf.Tensor:
    return tf.switch_case(
      kind,
      {
        formats.JPEG: lambda: then_apart(_stored(data), orientation.of_jpeg(data)),
        formats.PNG: lambda: _png(data, then_apart),
        formats.GIF: lambda: _gif(data, then_apart),
        formats.BMP: lambda: then_apart(_bmp_with_alpha(data), _as_stored()),
      },
    )

  signature = [tf.TensorSpec([], tf.string), tf.TensorSpec([], tf.int32)]
  return tf.function(special, input_signature=signature, **apart)


# The chunk that makes one colour, or colours of a palette, transparent.
_TRANSPARENT_COLORS = "tRNS"


def _is_16_bits(png: tf.Tensor) -> tf.Tensor:
  return formats.starts_with(png, b"\x10", 24)


def _has_alpha_channel(png: tf.Tensor) -> tf.Tensor:
  return formats.starts_with(png, b"\4", 25) | formats.starts_with(png, b"\6", 25)


def _may_be_transparent(png: tf.Tensor) -> tf.Tensor:
  return _has_alpha_channel(png) | formats.contains(png, _TRANSPARENT_COLORS)


def _as_stored() -> tf.Tensor:
  return tf.constant(_AS_STORED)


def _stored(data: tf.Tensor, channels: int = 3) -> tf.Tensor:
  # Without expand_animations=False the rank depends on the bytes, which resize refuses.
  return tf.io.decode_image(data, channels=channels, expand_animations=False)


def _png(data: tf.Tensor, then: _Then) -> tf.Tensor:
  turn = orientation.of_png(data)
  return tf.cond(
    _is_16_bits(data),
    lambda: then(_of_16_bits(tf.io.decode_png(data, 4, tf.uint16)), turn),
    lambda: tf.cond(
      _may_be_transparent(data),
      # The decoder knows which colours are transparent.
      lambda: then(_on_white(tf.io.decode_png(data, 4)), turn),
      # For a 1-bit PNG without alpha, the decoder returns an alpha of 1 instead of 255.
      lambda: then(tf.io.decode_png(data, 3), turn),
    ),
  )


def _gif(data: tf.Tensor, then: _Then) -> tf.Tensor:
  frame = gif.first_frame(data)
  return then(gif.on_canvas(_stored(frame.data), frame), _as_stored())


def _bmp_with_alpha(data: tf.Tensor) -> tf.Tensor:
  pixels = _stored(data, channels=4)
  # Some writers leave the alpha at 0; a fully transparent picture is not intended.
  means_it = tf.reduce_any(pixels[..., 3] > 0)
  return tf.cond(means_it, lambda: _on_white(pixels), lambda: pixels[..., :3])


def _on_white(pixels: tf.Tensor) -> tf.Tensor:
  """Composites `[height, width, 4]` uint8 on white: `[height, width, 3]` uint8."""
  color, opacity = tf.cast(pixels[..., :3], tf.uint16), tf.cast(pixels[..., 3:], tf.uint16)
  # The largest sum is 65,025 + 127, which fits in 16 bits.
  summed = color * opacity + (255 - opacity) * 255 + 127
  return tf.cast(summed // 255, tf.uint8)


def _of_16_bits(pixels: tf.Tensor) -> tf.Tensor:
  """Composites `[height, width, 4]` uint16 on white: `[height, width, 3]` float32 in [0, 255]."""
  color, opacity = tf.cast(pixels[..., :3], tf.float32), tf.cast(pixels[..., 3:], tf.float32)
  ranges = tf.constant([2.0**bits - 1 for bits in BIT_DEPTHS])
  brightest = tf.reduce_min(tf.boolean_mask(ranges, ranges >= tf.reduce_max(color)))
  opacity /= ranges[-1]
  return 255 * (color / brightest * opacity + 1 - opacity)
