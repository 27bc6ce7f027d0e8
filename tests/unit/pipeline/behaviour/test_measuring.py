"""The interval of what a change costs."""

import numpy as np
import pytest

from pipeline.behaviour.measuring import _interval_of_loss


@pytest.mark.parametrize("lost", [1.0, 0.9])
def test_no_more_than_all_can_be_lost(lost):
  before = np.array([1.0] * 10 + [0.0] * 10)
  low, high = _interval_of_loss(before, lost * before)
  assert 0 < low < lost
  assert high == 1
