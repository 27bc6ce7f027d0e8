"""Cross-entropy with smoothed labels: a classifier that is never told to be quite sure.

Source: Szegedy et al. 2016, "Rethinking the Inception Architecture for Computer Vision", section 7,
https://arxiv.org/abs/1512.00567
"""

from __future__ import annotations

from typing import Any

import keras


class SmoothedCrossentropy(keras.losses.Loss):
  """Cross-entropy of logits `[batch, classes]` and labels `[batch]`, partly of all classes alike.

  Args:
    smoothing: the part of each label that all classes share, at least 0 and below 1.
  """

  def __init__(self, smoothing: float):
    super().__init__(name="smoothed_crossentropy")
    self._smoothing = smoothing

  def call(self, y_true: Any, y_pred: Any) -> Any:
    """Returns the loss `[batch]` float32 of each row."""
    logs = keras.ops.log_softmax(keras.ops.cast(y_pred, "float32"))
    targets = keras.ops.one_hot(keras.ops.cast(y_true, "int32"), logs.shape[-1], dtype="float32")
    said = -keras.ops.sum(targets * logs, axis=-1)
    return (1 - self._smoothing) * said - self._smoothing * keras.ops.mean(logs, axis=-1)
