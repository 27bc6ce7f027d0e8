"""`preprocessing_fn` of the images task: encoded bytes in, one graph for training and serving."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import tensorflow as tf
import tensorflow_transform as tft

from pipeline.params import inferred
from pipeline.tasks.images.features import IMAGE, LABEL, LABEL_ID, PIXELS, VOCABULARY
from pipeline.tasks.images.pictures.decoding import decode

if TYPE_CHECKING:
  from pipeline.tasks.images.params import ImageParams


def preprocessing_fn(inputs: Mapping[str, Any], params: ImageParams) -> dict[str, tf.Tensor]:
  """Decodes pictures as viewers show them, resizes them, and numbers the labels.

  Args:
    inputs: `image` `[batch, 1]` string (JPEG, PNG, BMP or GIF; the first frame of an animation)
      and `label` `[batch, 1]` string; dense or sparse.
    params: `image_size` is the side of the square in pixels.

  Returns:
    `pixels` `[batch, image_size, image_size, 3]` float32, whole numbers in [0, 255], and
    `label_id` `[batch]` int64, -1 for a label that train lacks. Labels are numbered by
    frequency, ties by name.
  """
  label_id = tft.compute_and_apply_vocabulary(
    _flat(inputs[LABEL]), vocab_filename=VOCABULARY, num_oov_buckets=0, default_value=-1
  )
  return {**picture_features(inputs[IMAGE], params.image_size), LABEL_ID: label_id}


def picture_features(image: Any, size: int | None) -> dict[str, tf.Tensor]:
  """Computes `pixels` only; a task with other labels calls it."""
  return {PIXELS: decode(_flat(image), inferred(size))}


def _flat(value: tf.Tensor | tf.SparseTensor) -> tf.Tensor:
  dense = tf.sparse.to_dense(value) if isinstance(value, tf.SparseTensor) else value
  return tf.reshape(dense, [-1])
