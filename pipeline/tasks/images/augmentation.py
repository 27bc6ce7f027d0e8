"""`Augmentation`: pictures are moved, mirrored and partly covered at random, in training only.

`MirroredMean`: a served picture may be looked at twice, as it is and mirrored.

Gathers alone, which XLA compiles, so that it may compile the whole step on a GPU.
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
from keras import ops


class Augmentation(keras.layers.Layer):
  """Changes each picture of `[batch, size, size, 3]` at random; the identity except in training.

  Args:
    size: side of the pictures in pixels.
    shift: the largest move in each direction, in pixels; what comes in from outside is mirrored at
      the edge.
    flip: whether to mirror left and right with probability 0.5.
    cutout: side in pixels of the square that is covered with the picture's mean colour; 0 covers
      nothing.
    both: whether served pictures are followed by their mirror images, where `flip` is on;
      `MirroredMean` brings them together again.
    seed: seed of the random draws; None draws one.
  """

  def __init__(
    self,
    *,
    size: int,
    shift: int,
    flip: bool,
    cutout: int,
    name: str,
    both: bool = False,
    seed: int | None = None,
  ):
    super().__init__(name=name)
    self.size, self.shift, self.flip, self.cutout = size, shift, flip, cutout
    self.both = both
    self._seeds = keras.random.SeedGenerator(seed)

  def call(self, pixels: Any, training: bool = False) -> Any:
    """Returns the pictures, changed if `training`; else twice as many if `mirrors_answers`."""
    if not training:
      return ops.concatenate([pixels, pixels[:, :, ::-1]]) if self.mirrors_answers else pixels
    rows = ops.shape(pixels)[0]
    if self.shift or self.flip:
      # Whole rows, then whole columns: a tenth of the time of a gather of single values.
      pixels = tf.gather(pixels, self._places(rows, flip=False), axis=1, batch_dims=1)
      turned = tf.transpose(pixels, (0, 2, 1, 3))
      turned = tf.gather(turned, self._places(rows, flip=self.flip), axis=1, batch_dims=1)
      pixels = tf.transpose(turned, (0, 2, 1, 3))
    return self._covered(pixels, rows) if self.cutout else pixels

  @property
  def mirrors_answers(self) -> bool:
    """Whether served pictures are followed by their mirror images."""
    return self.both and self.flip

  def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
    """Returns the input's shape."""
    return input_shape

  def _places(self, rows: Any, *, flip: bool) -> Any:
    """Draws where each column (or row) of the new pictures is in the old ones: `[rows, size]`."""
    last = self.size - 1
    places = ops.arange(self.size, dtype="int32")[None] + self._draw(
      rows, -self.shift, self.shift + 1
    )
    # A mirror at each edge; two of them bring a place back.
    places = last - ops.abs(last - places % (2 * last))
    return ops.where(self._draw(rows, 0, 2) == 1, last - places, places) if flip else places

  def _covered(self, pixels: Any, rows: Any) -> Any:
    side = ops.arange(self.size, dtype="int32")[None]

    def within() -> Any:
      # The middle of the square is anywhere in the picture, so its edges may be outside.
      first = self._draw(rows, 0, self.size + 1) - self.cutout // 2
      return ops.logical_and(side >= first, side < first + self.cutout)

    square = ops.logical_and(within()[:, :, None, None], within()[:, None, :, None])
    return ops.where(square, ops.mean(pixels, axis=(1, 2), keepdims=True), pixels)

  def _draw(self, rows: Any, low: int, high: int) -> Any:
    """Draws `[rows, 1]` whole numbers from `low` to below `high`."""
    return keras.random.randint((rows, 1), low, high, dtype="int32", seed=self._seeds)


class MirroredMean(keras.layers.Layer):
  """Brings together the maps of pictures and of their mirror images, if `Augmentation` adds these.

  A map of a mirror image is mirrored back, so that each place stands for the same part of the
  picture. Behind it, a mean over the map and a layer without bends give the mean of both answers.

  Args:
    augmentation: the layer that may add mirror images.
  """

  def __init__(self, augmentation: Augmentation, *, name: str):
    super().__init__(name=name)
    # A function: Keras would take an attribute for a layer of this one.
    self._is_on = lambda: augmentation.mirrors_answers

  def call(self, maps: Any, training: bool = False) -> Any:
    """Maps `[2 * batch, height, width, channels]` to `[batch, ...]`, or returns what it gets."""
    if training or not self._is_on():
      return maps
    plain, mirrored = ops.split(maps, 2)
    return (plain + mirrored[:, :, ::-1]) / 2

  def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
    """Returns the input's shape; the batch is that of the pictures."""
    return input_shape
