"""SqueezeNet v1.1 without its top layers, as a Keras model that reads legacy `.h5` weights.

Source: Iandola et al. 2016, "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters and
<0.5MB model size", https://arxiv.org/abs/1602.07360; version 1.1 as in the authors' repository.
722,496 parameters.
"""

from __future__ import annotations

import h5py
import keras
import numpy as np
from keras import layers

from dlpipe.errors import BadInputError
from pipeline.tasks.images.weights_files import check_weights_file

# Means of ImageNet's blue, green and red in the training of the published weights.
_MEAN_BGR = (104.006, 116.669, 122.679)
# Filters of (squeeze, expand) for fire2 to fire9, and the modules with a pooling layer after them.
_FIRES = ((16, 64), (16, 64), (32, 128), (32, 128), (48, 192), (48, 192), (64, 256), (64, 256))
_POOL_AFTER = (3, 5)


def preprocess(pixels):
  """Converts `[batch, height, width, 3]` RGB in [0, 255] to the input that the weights expect."""
  return pixels[..., ::-1] - keras.ops.convert_to_tensor(_MEAN_BGR, dtype=pixels.dtype)


def squeezenet(*, input_shape: tuple[int, int, int], weights: str | None) -> keras.Model:
  """Builds SqueezeNet v1.1 up to fire9.

  Args:
    input_shape: `(height, width, 3)`.
    weights: path of a legacy `.h5` file, or None for random weights.

  Returns:
    A model from `[batch, height, width, 3]` to `[batch, h, w, 512]` float32; h and w are about a
    sixteenth of height and width.

  Raises:
    BadInputError: the file does not hold weights of SqueezeNet v1.1.
  """
  inputs = keras.Input(input_shape)
  x = layers.Conv2D(64, 3, strides=2, activation="relu", name="conv1")(inputs)
  x = layers.MaxPooling2D(3, strides=2, name="pool1")(x)
  for number, (squeeze, expand) in enumerate(_FIRES, start=2):
    x = _fire(x, f"fire{number}", squeeze, expand)
    if number in _POOL_AFTER:
      x = layers.MaxPooling2D(3, strides=2, name=f"pool{number}")(x)
  model = keras.Model(inputs, x, name="squeezenet")
  if weights is not None:
    _load(model, weights)
  return model


def _fire(x, name: str, squeeze: int, expand: int):
  x = layers.Conv2D(squeeze, 1, activation="relu", name=f"{name}_squeeze1x1")(x)
  narrow = layers.Conv2D(expand, 1, activation="relu", name=f"{name}_expand1x1")(x)
  wide = layers.Conv2D(expand, 3, padding="same", activation="relu", name=f"{name}_expand3x3")(x)
  return layers.Concatenate(name=f"{name}_concat")([narrow, wide])


def _load(model: keras.Model, path: str) -> None:
  """Assigns kernels and biases by layer name; the datasets' own names vary between exports."""
  try:
    check_weights_file(path)
    with h5py.File(path) as file:
      for layer in model.layers:
        if layer.weights:
          group = file["/".join(layer.name.split("_", 1))]
          if not isinstance(group, h5py.Group):
            raise ValueError(f"{group.name} is not a layer")
          arrays: list[np.ndarray] = []
          group.visititems(lambda _, item, into=arrays: _collect(item, into))
          # The kernel has four dimensions, the bias has one.
          layer.set_weights(sorted(arrays, key=lambda a: -a.ndim))
  except (OSError, KeyError, ValueError) as err:
    raise BadInputError(
      "model.weights must be a Keras .h5 file of SqueezeNet v1.1 without top. "
      f"Received: {path!r} ({err})"
    ) from err


def _collect(item: h5py.Dataset | h5py.Group, into: list[np.ndarray]) -> None:
  if isinstance(item, h5py.Dataset):
    into.append(np.asarray(item))
