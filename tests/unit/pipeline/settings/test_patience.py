"""From which epoch patience counts, and when it can end a phase."""

import pytest

from pipeline.settings.patience import can_end, counts_from


@pytest.mark.parametrize(("epochs", "first"), [(1, 0), (2, 1), (4, 3), (12, 9), (150, 112)])
def test_it_counts_in_the_last_quarter(epochs, first):
  assert counts_from(epochs) == first


@pytest.mark.parametrize(
  ("patience", "epochs", "can"), [(2, 12, True), (3, 12, False), (1, 4, False), (10, 60, True)]
)
def test_it_ends_a_phase_only_before_its_last_epoch(patience, epochs, can):
  assert can_end(patience, epochs) is can
