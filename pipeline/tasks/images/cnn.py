"""The network for pictures that starts from nothing: whitened patches, then blocks that halve.

Sources: Jordan 2024, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU",
https://arxiv.org/abs/2404.00498 (whitening of the first layer, pooling before normalization);
He et al. 2016, "Identity Mappings in Deep Residual Networks",
https://arxiv.org/abs/1603.05027.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import layers, ops

from pipeline.params import inferred
from pipeline.tasks.images.augmentation import Augmentation, MirroredMean
from pipeline.tasks.images.features import PIXELS
from pipeline.tasks.images.params import widths_for

if TYPE_CHECKING:
  from pipeline.tasks.images.params import ImageParams

_PATCH = 2  # side of the patches that the first layer sees, in pixels
_PATCH_VALUES = 3 * _PATCH**2
_PATCHES = 1_000_000
_NO_VARIANCE = 1e-7  # of values from 0 to 1: less than a tenth of a grey level


def cnn(params: ImageParams, classes: int) -> keras.Model:
  """Builds the network: a first layer, and blocks of half the size of the block before.

  Args:
    params: `widths` has the filters of each block, by default `widths_for` the picture size.
    classes: number of classes.

  Returns:
    A model from `[batch, image_size, image_size, 3]` in [0, 255] to logits `[batch, classes]`
    float32.
  """
  size = inferred(params.image_size)
  pixels = keras.Input((size, size, 3), name=PIXELS)
  # Read after `first_look.adapt` has decided about `flip`.
  both = params.flip is not False and params.mirrored_answers
  augment = augmentation(params, both=both)
  x = augment(pixels)
  x = layers.Rescaling(1 / 255)(x)
  if params.whitening:
    x = layers.ReLU()(Whitening(name="whitening")(x))
  for width in params.widths or widths_for(size):
    x = _block(x, width, residual=params.residual)
  if both:
    x = MirroredMean(augment, name="mirrored_mean")(x)
  x = layers.GlobalAveragePooling2D()(x)
  x = layers.Dropout(params.dropout)(x)
  # Softmax and loss stay in float32 in mixed precision.
  return keras.Model(pixels, layers.Dense(classes, dtype="float32")(x), name="cnn")


def augmentation(params: ImageParams, *, both: bool = False) -> Augmentation:
  """Returns the layer that changes pictures in training, and nothing when the model is served.

  Args:
    params: the settings.
    both: whether a served picture is also looked at mirrored; `MirroredMean` must follow.
  """
  size = inferred(params.image_size)
  return Augmentation(
    size=size,
    shift=int(params.shift * size),
    # Null is decided from the pictures, before training: `first_look.adapt`.
    flip=bool(params.flip),
    cutout=round(params.cutout * size),
    both=both,
    name="augmentation",
  )


def _block(x: Any, width: int, *, residual: bool) -> Any:
  """Halves the map: a convolution and pooling, then one at half the size, or two and a shortcut."""
  x = layers.Conv2D(width, 3, padding="same", use_bias=False)(x)
  # Pooling before the normalization makes that four times cheaper. A map of one pixel stays.
  x = layers.MaxPooling2D(padding="valid" if x.shape[1] > 1 else "same")(x)
  x = shortcut = _normalized(x)
  for _ in range(2 if residual else 1):
    x = _normalized(layers.Conv2D(width, 3, padding="same", use_bias=False)(x))
  return layers.Add()([x, shortcut]) if residual else x


def _normalized(x: Any) -> Any:
  # Keras' default of 0.99 needs hundreds of steps to converge; small data has few steps.
  return layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))


class Whitening(layers.Layer):
  """A convolution whose filters are fixed: they make neighbouring pixels uncorrelated.

  What they are follows from the training pictures, by `fit`; before that they are random. There is
  each filter and its negative, since a ReLU follows. Only the bias is trained.
  """

  def build(self, input_shape: tuple[int | None, ...]) -> None:
    """Makes the filters `[2, 2, 3, 24]` and the bias `[24]`."""
    self.kernel = self.add_weight(
      shape=(_PATCH, _PATCH, 3, 2 * _PATCH_VALUES),
      initializer="glorot_uniform",
      trainable=False,
      name="kernel",
    )
    self.bias = self.add_weight(shape=(2 * _PATCH_VALUES,), initializer="zeros", name="bias")

  def call(self, pixels: Any) -> Any:
    """Maps `[batch, size, size, 3]` to `[batch, size - 1, size - 1, 24]`."""
    return ops.conv(pixels, self.kernel, padding="valid") + self.bias

  def compute_output_shape(self, input_shape: tuple[Any, ...]) -> tuple[Any, ...]:
    """Returns the shape of `call`'s result."""
    batch, height, width, _ = input_shape
    return batch, height - _PATCH + 1, width - _PATCH + 1, 2 * _PATCH_VALUES

  def fit(self, pictures: Any) -> None:
    """Sets the filters to the scaled principal components of the pictures' patches.

    Args:
      pictures: `[size, side, side, 3]` in [0, 255].
    """
    side = pictures.shape[1] - _PATCH + 1
    # A million patches, of all pictures, tell twelve values apart well enough.
    step = math.ceil(math.sqrt(len(pictures) * side**2 / _PATCHES))
    shifted = [
      pictures[:, y : y + side : step, x : x + side : step]
      for y in range(_PATCH)
      for x in range(_PATCH)
    ]
    patches = np.concatenate(shifted, axis=-1).reshape(-1, _PATCH_VALUES) / 255
    variances, components = np.linalg.eigh(np.cov(patches, rowvar=False, bias=True))
    # What hardly varies is not blown up, and what never does is not read: of grey pictures, the
    # difference between two colours. Else a trace of colour in service would outweigh the picture.
    filters = components * np.where(variances > _NO_VARIANCE, 1 / np.sqrt(variances + 5e-4), 0)
    kernel = np.concatenate([filters, -filters], axis=1)
    self.kernel.assign(kernel.reshape(_PATCH, _PATCH, 3, 2 * _PATCH_VALUES))
