"""Computes the first epoch that counts against `train.patience`."""

from __future__ import annotations

# Patience counts only in the part of the schedule in which the learning rate is below a sixth of
# its peak. Before that the metric goes up and down, and stopping leaves weights that have not
# converged.
_ANNEALED = 0.75


def counts_from(epochs: int) -> int:
  """Returns the first epoch, from 0, that counts against patience in a phase of `epochs` epochs.

  >>> counts_from(20)
  15
  """
  return int(_ANNEALED * epochs)


def can_end(patience: int, epochs: int) -> bool:
  """Returns whether a patience can end a phase of `epochs` epochs before its last epoch."""
  return counts_from(epochs) + patience < epochs
