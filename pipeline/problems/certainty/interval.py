"""An interval around a number that holds the right one as often as asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from pipeline.problems.certainty import conformal
from pipeline.problems.certainty.record import HIGH, LOW, Certainty
from pipeline.problems.number import DEVIATION

Outputs = Mapping[str, tf.Tensor]


class Interval:
  """An interval of one width for all rows: the errors of val say how wide."""

  reads = None  # the model's own output, in standard deviations

  def groups(self, labels: np.ndarray) -> np.ndarray:
    """Returns one group for all rows, `[rows]` int."""
    return np.zeros(len(labels), np.int64)

  def fit(
    self,
    said: np.ndarray,
    labels: np.ndarray,
    *,
    coverage: float | None,
    accepted_accuracy: float | None,
  ) -> Certainty:
    """Finds half the width.

    Args:
      said: `[rows, 1]`, in standard deviations of train.
      labels: the same of the labels.
      coverage: as the user asks for it; None is 0.95.
      accepted_accuracy: not read: a number is never just right.
    """
    del accepted_accuracy
    wanted = coverage or conformal.USUAL
    errors = np.abs(said.reshape(-1).astype(np.float64) - labels.reshape(-1))
    errors = np.where(np.isfinite(errors), errors, np.inf)
    return Certainty(
      coverage=wanted,
      is_asked=coverage is not None,
      rows=len(errors),
      bound=conformal.bound(errors, wanted),
    )

  def graph(self, record: Certainty) -> Callable[[Outputs, Outputs], Any]:
    """Returns the function to `low` and `high`, `[batch]` float32 each, around `value`.

    With too few rows of val there is neither, because JSON has no infinity.
    """

    def added(found: Outputs, features: Outputs) -> tuple[dict[str, tf.Tensor], None]:
      if record.bound is None:
        return {}, None
      half = record.bound * tf.cast(features[DEVIATION], tf.float32)
      return {LOW: found["value"] - half, HIGH: found["value"] + half}, None

    return added
