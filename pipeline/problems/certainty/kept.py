"""Judges whether eval keeps what was asked for: coverage, and the accuracy of accepted answers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from dlpipe.verdicts import Ruling
from pipeline.problems.certainty.record import Certainty
from pipeline.problems.intervals import Z

# Metrics.
COVERAGE, ACCURACY = "coverage", "accepted_accuracy"
SIZE_NAME, ACCEPTED_NAME = "set_size", "accepted"

MAX_GAP = 0.02  # by default


def rulings(
  record: Certainty | None,
  metrics: Mapping[str, float],
  intervals: Mapping[str, tuple[float, float]],
  *,
  max_gap: float,
) -> Iterator[Ruling]:
  """Yields a ruling for each share that was asked for and can be measured.

  Args:
    record: what was asked; None if the model has nothing of this.
    metrics: eval's, by name.
    intervals: 95 % intervals of metrics.
    max_gap: how far below the asked share eval's may be, chance left aside.
  """
  if record is None:
    return
  rows = metrics.get("example_count", 0.0)
  accepted = metrics.get(ACCEPTED_NAME, 0.0)
  asked = [(COVERAGE, record.coverage if record.bound is not None else None, record.rows, rows)]
  asked.append(
    (
      ACCURACY,
      record.accepted_accuracy,
      round(record.rows * (record.accepted or 0)),
      accepted * rows if math.isfinite(accepted) else 0.0,
    )
  )
  for name, share, of_val, of_eval in asked:
    value = metrics.get(name, math.nan)
    if share is None or not math.isfinite(value) or min(of_val, of_eval) < 1:
      continue
    chance = Z * math.sqrt(share * (1 - share) * (1 / of_val + 1 / of_eval))
    bound = max(0.0, share - max_gap - chance)
    yield Ruling(
      metric=name,
      bound=f">= {bound:.4g} ({share:g} less {max_gap:g}, and chance)",
      value=value,
      passed=value >= bound,
      reason=f"{share:g} is promised; with {int(of_val):,} rows of val and {int(of_eval):,} of "
      f"eval, chance alone takes up to {chance:.2g} from it",
      interval=intervals.get(name),
    )


def warnings(record: Certainty | None) -> Iterator[str]:
  """Yields what a person must know before believing the sets."""
  if record is None:
    return
  if record.coverage is not None and record.bound is None:
    yield (
      f"What it does not know cannot be said: {record.sentence}. Give it more rows, or ask for "
      "less (train.coverage)."
    )
  elif record.accepted_accuracy is not None and record.accepted_from is None:
    yield f"No answer is accepted: {record.sentence}."
