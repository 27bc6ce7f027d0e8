"""The rate rises in its part of the steps, and is the schedule's after that."""

import keras
import pytest

from pipeline.text.warm_up import WarmUp


def test_the_rate_rises_and_then_follows_the_schedule():
  cosine = keras.optimizers.schedules.CosineDecay(0.1, decay_steps=100)
  rates = [float(WarmUp(cosine, 0.1)(step)) for step in range(100)]
  assert rates[0] == pytest.approx(0.1 * 1 / 10, rel=1e-3)
  assert rates[:10] == sorted(rates[:10])
  assert rates[10:] == pytest.approx([float(cosine(step)) for step in range(10, 100)])


def test_without_a_part_it_is_the_schedule():
  cosine = keras.optimizers.schedules.CosineDecay(0.1, decay_steps=10)
  assert float(WarmUp(cosine, 0.0)(0)) == pytest.approx(0.1)
