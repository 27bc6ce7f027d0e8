"""Rewrites a GIF in graph, so that TensorFlow decodes its first frame as viewers show it.

TensorFlow's decoder reads every frame to return one, draws transparent pixels in black, and ignores
the canvas. So the decoder gets a file that is cut after the first frame, without transparency and
with white in place of the transparent colour. Core ops only.

Source: GIF89a specification, W3C, 17 to 27.
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

# A sub-block has up to 255 bytes: 16 MiB of them, more than any picture.
_MAX_STEPS = 1 << 16
_BYTES = [bytes([value]) for value in range(256)]
_BETWEEN, _EXTENSION, _PIXELS, _WHOLE, _BROKEN = range(5)
_EXTENSION_MARK, _CONTROL_LABEL, _IMAGE_MARK = 0x21, 0xF9, 0x2C


class Frame(NamedTuple):
  """A first frame.

  Attributes:
    data: `[]` string, a GIF of this frame only, at the upper left; invalid if the frame is not
      whole.
    is_whole: `[]` bool, whether the file contains the whole frame.
    top_left: `[2]` int32, row and column of the frame on the canvas.
    size: `[2]` int32, height and width of the frame in pixels.
    canvas: `[2]` int32, height and width of the canvas in pixels.
    is_transparent: `[]` bool, whether the frame has a transparent colour.
  """

  data: tf.Tensor
  is_whole: tf.Tensor
  top_left: tf.Tensor
  size: tf.Tensor
  canvas: tf.Tensor
  is_transparent: tf.Tensor


def first_frame(data: tf.Tensor) -> Frame:
  """Finds the first frame of a GIF, `[]` string."""
  numbers = tf.cast(tf.io.decode_raw(data, tf.uint8), tf.int32)
  length = tf.size(numbers)

  def byte(at: tf.Tensor | int) -> tf.Tensor:
    return tf.reduce_sum(numbers[at : at + 1])  # 0 beyond the end

  def short(at: tf.Tensor | int) -> tf.Tensor:
    return byte(at) + 256 * byte(at + 1)

  def table(flags: tf.Tensor) -> tf.Tensor:
    size = 3 * tf.bitwise.left_shift(2, tf.bitwise.bitwise_and(flags, 7))
    return tf.where(flags >= 128, size, 0)

  def step(
    at: tf.Tensor, state: tf.Tensor, control: tf.Tensor, image: tf.Tensor
  ) -> tuple[tf.Tensor, ...]:
    mark = byte(at)
    is_between = state == _BETWEEN
    is_extension, is_image = mark == _EXTENSION_MARK, mark == _IMAGE_MARK
    control = tf.where(is_between & is_extension & (byte(at + 1) == _CONTROL_LABEL), at, control)
    image = tf.where(is_between & is_image, at, image)
    begun = tf.where(is_extension, _EXTENSION, tf.where(is_image, _PIXELS, _BROKEN))
    ended = tf.where(state == _EXTENSION, _BETWEEN, _WHOLE)
    # A colour table and the code size precede the pixels.
    header = tf.where(is_image, 10 + table(byte(at + 9)) + 1, 2)
    after = at + tf.where(is_between, header, 1 + mark)
    state = tf.where(is_between, begun, tf.where(mark == 0, ended, state))
    return after, state, control, image

  end, state, control, image = tf.while_loop(
    lambda at, state, control, image: (at < length) & (state < _WHOLE),
    step,
    (13 + table(byte(10)), tf.constant(_BETWEEN), tf.constant(0), tf.constant(0)),
    maximum_iterations=_MAX_STEPS,
  )
  top_left = tf.stack([short(image + 3), short(image + 1)])
  size = tf.stack([short(image + 7), short(image + 5)])
  flags = byte(control + 3)
  is_transparent = (control > 0) & (tf.bitwise.bitwise_and(flags, 1) == 1)
  colors = tf.where(byte(image + 9) >= 128, image + 10, 13)
  white = colors + 3 * byte(control + 6)

  def opaque() -> tf.Tensor:
    without_flag = _put(data, tf.gather(_BYTES, tf.bitwise.bitwise_and(flags, 254)), control + 3)
    return _put(without_flag, b"\xff\xff\xff", white)

  alone = tf.cond(is_transparent, opaque, lambda: data)
  alone = _put(tf.strings.substr(alone, 0, end), b"\0\0\0\0", image + 1)
  return Frame(
    data=tf.strings.join([alone, b";"]),
    is_whole=(state == _WHOLE) & tf.reduce_all(size > 0),
    top_left=top_left,
    size=size,
    canvas=tf.maximum(tf.stack([short(8), short(6)]), top_left + size),
    is_transparent=is_transparent,
  )


def on_canvas(pixels: tf.Tensor, frame: Frame) -> tf.Tensor:
  """Puts a frame's pixels `[height, width, 3]` on the white canvas."""
  after = frame.canvas - frame.top_left - tf.shape(pixels)[:2]
  margins = tf.stack([frame.top_left, after], axis=1)
  return tf.pad(pixels, tf.concat([margins, [[0, 0]]], 0), constant_values=255)


def _put(data: tf.Tensor, new: tf.Tensor | bytes, at: tf.Tensor) -> tf.Tensor:
  length = tf.strings.length(data)
  before = tf.strings.substr(data, 0, tf.minimum(at, length))
  start = tf.minimum(at + tf.strings.length(new), length)
  return tf.strings.join([before, new, tf.strings.substr(data, start, length)])
