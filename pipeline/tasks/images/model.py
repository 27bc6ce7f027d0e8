"""Models of the images task: a small `cnn`, and a pre-trained backbone with a new head.

Both take `[batch, image_size, image_size, 3]` in [0, 255] and return logits `[batch, classes]`
float32. Scaling, augmentation and a backbone's preprocessing are layers of the model, so that
serving cannot differ from training.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
import keras_tuner
import tensorflow_transform as tft
from keras import layers

from pipeline.params import inferred
from pipeline.tasks.images.backbone_names import CNN
from pipeline.tasks.images.backbones import Backbone, get_backbone
from pipeline.tasks.images.cnn import augmentation, cnn
from pipeline.tasks.images.features import PIXELS, VOCABULARY

if TYPE_CHECKING:
  from pipeline.tasks.images.params import ImageParams


def build_model(params: ImageParams, tft_output: tft.TFTransformOutput) -> keras.Model:
  """Builds the model that `params.backbone` names; "cnn" is the model without a backbone.

  Raises:
    BadInputError: the backbone is unknown, or the weights do not fit it.
  """
  classes = tft_output.vocabulary_size_by_name(VOCABULARY)
  if params.backbone == CNN:
    return cnn(params, classes)
  return _transfer(params, classes)


def _transfer(params: ImageParams, classes: int) -> keras.Model:
  size = inferred(params.image_size)
  return keras.Sequential(
    [
      keras.Input((size, size, 3), name=PIXELS),
      augmentation(params),
      _BackboneLayer(
        get_backbone(params.backbone), (size, size, 3), params.weights, name="backbone"
      ),
      layers.GlobalAveragePooling2D(name="pooling"),
      # Features of backbones differ in scale; normalized, one weight decay fits all backbones.
      layers.BatchNormalization(momentum=0.9, center=False, scale=False),
      layers.Dropout(params.dropout),
      # From zero, as a logistic regression: a shrinkage is too slow to remove random first weights.
      layers.Dense(
        classes,
        kernel_initializer="zeros",
        kernel_regularizer=keras.regularizers.L2(params.head_l2),
        dtype="float32",
      ),
    ],
    name="transfer",
  )


class _BackboneLayer(keras.layers.Layer):
  """A backbone that always runs in inference mode, so that its batch statistics do not change."""

  def __init__(
    self, backbone: Backbone, input_shape: tuple[int, int, int], weights: str | None, *, name: str
  ):
    super().__init__(name=name)
    self._preprocess = backbone.preprocess
    self.model = backbone.build(input_shape, weights)

  def call(self, pixels):
    """Maps `[batch, height, width, 3]` in [0, 255] to `[batch, h, w, channels]`."""
    return self.model(self._preprocess(pixels), training=False)

  def compute_output_shape(self, input_shape):
    return self.model.compute_output_shape(input_shape)


def search_space(hp: keras_tuner.HyperParameters, params: ImageParams) -> None:
  """Declares the settings that the Tuner varies, around the values of this run."""
  rate = params.learning_rate
  hp.Float("learning_rate", min_value=rate / 10, max_value=rate * 10, sampling="log", default=rate)
  hp.Float("dropout", min_value=0.0, max_value=0.6, step=0.1, default=round(params.dropout, 1))
  if params.backbone.lower() != CNN and params.head_l2:
    l2 = params.head_l2
    hp.Float("head_l2", min_value=l2 / 10, max_value=l2 * 10, sampling="log", default=l2)
