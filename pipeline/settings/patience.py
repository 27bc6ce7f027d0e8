"""From which epoch `train.patience` counts."""

from __future__ import annotations

# Patience counts in the part of the schedule whose rate is below a sixth of its peak. Before that,
# what an epoch is worth goes up and down, and a stop leaves weights that have not settled.
_ANNEALED = 0.75


def counts_from(epochs: int) -> int:
  """The first epoch, from 0, that counts in a phase of so many epochs."""
  return int(_ANNEALED * epochs)


def can_end(patience: int, epochs: int) -> bool:
  """Whether a patience can end a phase of so many epochs before its last."""
  return counts_from(epochs) + patience < epochs
