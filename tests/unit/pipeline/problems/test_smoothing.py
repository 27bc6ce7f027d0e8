"""Smoothed labels: what the loss is, and which classifier gets it."""

import keras
import numpy as np
import pytest

from pipeline.problems.classes import compile_args
from pipeline.problems.smoothing import SmoothedCrossentropy
from pipeline.tasks.images.params import ImageParams
from pipeline.tasks.sentiment.params import SentimentParams

_LOGITS = np.array([[2.0, 0.0, -1.0], [0.5, 0.25, 3.0]], "float32")
_LABELS = np.array([0, 1])


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
def test_a_part_of_each_label_is_of_all_classes_alike(smoothing):
  targets = np.eye(3)[_LABELS] * (1 - smoothing) + smoothing / 3
  expected = keras.losses.CategoricalCrossentropy(from_logits=True)(targets, _LOGITS)
  found = SmoothedCrossentropy(smoothing)(_LABELS, _LOGITS)
  assert float(found) == pytest.approx(float(expected), rel=1e-5)


def test_it_is_computed_in_float32():
  found = SmoothedCrossentropy(0.1)(_LABELS, _LOGITS.astype("float16") * 20_000)
  assert np.isfinite(float(found))


@pytest.mark.parametrize(
  ("params", "expected"),
  [
    (ImageParams(label_smoothing=0.2), SmoothedCrossentropy),
    (ImageParams(label_smoothing=0), keras.losses.SparseCategoricalCrossentropy),
    (SentimentParams(), keras.losses.SparseCategoricalCrossentropy),
  ],
)
def test_a_task_that_has_the_setting_trains_with_it(params, expected):
  assert type(compile_args(params)["loss"]) is expected
