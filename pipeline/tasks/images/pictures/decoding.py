"""Encoded pictures to the pixels that viewers show, in graph.

TensorFlow's decoders give what is stored. Here transparency lies on white, 16 bits become 8 by the
range that is used, and EXIF's orientation is obeyed. Core ops only, so that a stock TensorFlow
Serving loads the graph; what may not be decoded is refused before (`servable`).
"""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from pipeline.tasks.images.pictures import formats, gif, orientation

# How many bits sensors have. A picture of 16 is read by the fewest that hold its brightest value.
_DEPTHS = (8, 10, 12, 14, 16)
_AS_STORED = 1

_Then = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


def decode(encoded: tf.Tensor, size: int) -> tf.Tensor:
  """Decodes `[batch]` string to `[batch, size, size, 3]` float32, stretched to a square.

  TFT has no uint8. Rounding makes the values whole, so that they can be kept as uint8 unharmed.
  """

  def squared(pixels: tf.Tensor, turn: tf.Tensor) -> tf.Tensor:
    # Halving with antialias keeps thin strokes that bilinear sampling would step over.
    return orientation.upright(tf.image.resize(pixels, [size, size], antialias=True), turn)

  def decode_one(each: tuple[tf.Tensor, ...]) -> tf.Tensor:
    pixels = tf.ensure_shape(decode_and(squared, *each), [size, size, 3])
    return tf.clip_by_value(tf.round(pixels), 0, 255)

  return tf.map_fn(
    decode_one,
    (encoded, *plans(encoded)),
    fn_output_signature=tf.TensorSpec([size, size, 3], tf.float32),
  )


def plans(encoded: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
  """Returns how each of `[batch]` string is decoded.

  Returns:
    `[batch]` int32, its format, as `formats.kinds` says; `[batch]` bool, whether it may be shown
    otherwise than the decoder gives it.
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
  """Decodes one picture and goes on with it, in the branch of its format.

  Args:
    then: takes `[height, width, 3]` in [0, 255], uint8 where that is enough and else float32, since
      a large picture of the one should not become one of the other; and EXIF's orientation, int32.
    data: `[]` string.
    kind: `[]` int32, of `plans`.
    is_special: `[]` bool, of `plans`.

  Returns:
    What `then` returns.
  """

  # A call of its own, or each ordinary picture would pass every op of this.
  @tf.function(autograph=False, experimental_attributes={"_noinline": True})
  def special() -> tf.Tensor:
    return tf.switch_case(
      kind,
      {
        formats.JPEG: lambda: then(_stored(data), orientation.of_jpeg(data)),
        formats.PNG: lambda: _png(data, then),
        formats.GIF: lambda: _gif(data, then),
        formats.BMP: lambda: then(_bmp_with_alpha(data), _as_stored()),
      },
    )

  # What is of none of the formats is refused before; else the decoder says so.
  return tf.cond(is_special, special, lambda: then(_stored(data), _as_stored()))


# The chunk that makes colours of a palette, or one colour, transparent.
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
  # Without expand_animations=False the rank depends on the bytes, and resize refuses it.
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
      # Asked for an opacity that is not there, it gives 1 instead of 255 in a PNG of 1 bit.
      lambda: then(tf.io.decode_png(data, 3), turn),
    ),
  )


def _gif(data: tf.Tensor, then: _Then) -> tf.Tensor:
  frame = gif.first_frame(data)
  return then(gif.on_canvas(_stored(frame.data), frame), _as_stored())


def _bmp_with_alpha(data: tf.Tensor) -> tf.Tensor:
  pixels = _stored(data, channels=4)
  # A writer that knows no opacity leaves it 0; nobody means to show nothing.
  means_it = tf.reduce_any(pixels[..., 3] > 0)
  return tf.cond(means_it, lambda: _on_white(pixels), lambda: pixels[..., :3])


def _on_white(pixels: tf.Tensor) -> tf.Tensor:
  """Lays `[height, width, 4]` uint8 on white: `[height, width, 3]` uint8."""
  color, opacity = tf.cast(pixels[..., :3], tf.uint16), tf.cast(pixels[..., 3:], tf.uint16)
  # The greatest sum is 65,025 + 127, which 16 bits hold.
  summed = color * opacity + (255 - opacity) * 255 + 127
  return tf.cast(summed // 255, tf.uint8)


def _of_16_bits(pixels: tf.Tensor) -> tf.Tensor:
  """Lays `[height, width, 4]` uint16 on white: `[height, width, 3]` float32 in [0, 255]."""
  color, opacity = tf.cast(pixels[..., :3], tf.float32), tf.cast(pixels[..., 3:], tf.float32)
  ranges = tf.constant([2.0**bits - 1 for bits in _DEPTHS])
  brightest = tf.reduce_min(tf.boolean_mask(ranges, ranges >= tf.reduce_max(color)))
  opacity /= ranges[-1]
  return 255 * (color / brightest * opacity + 1 - opacity)
