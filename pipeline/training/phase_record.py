"""What a training's record says of its phases: the epochs that were asked for, and done."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pipeline.task import Phase


def phase_rows(
  phases: Iterable[Phase], history: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
  """A row for each phase that was trained.

  Args:
    phases: as they were asked for.
    history: the rows of `loop.train`.

  Returns:
    Of each `phase`, `setting` (the hyperparameter that counts its epochs), `asked`, `scheduled`
    (more where `model.min_steps` lifted them) and `trained` (fewer where `train.patience` ended
    it).
  """
  found = []
  for phase in phases:
    rows = [row for row in history if row["phase"] == phase.name]
    if rows:
      found.append(
        {
          "phase": phase.name,
          "setting": phase.epochs_setting,
          "asked": phase.epochs,
          "scheduled": rows[-1]["epochs"],
          "trained": len(rows),
        }
      )
  return found
