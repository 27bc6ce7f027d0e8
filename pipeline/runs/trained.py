"""Describes the training of an earlier run: its epochs, and the trials of its Tuner."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from components.trials import Trials
from dlpipe import nodes as names
from dlpipe.words import duration, number
from pipeline.runs.retention.cleaned import CleanedRun
from pipeline.training.training_record import PhaseRow, TrainingRecord


def record_of(nodes: Sequence[Mapping[str, Any]], kept: CleanedRun | None = None) -> TrainingRecord:
  """Returns the record of a run's training; empty if nothing was trained, or its files are gone.

  Args:
    nodes: those of a `PastRun` with artifacts.
    kept: what was kept of its files, if they were deleted.
  """
  if kept is not None:
    return TrainingRecord.from_json(kept.training)
  outputs = {node["id"]: node["outputs"] for node in nodes}
  uri = names.MODEL_RUN.find(outputs)
  try:
    record = TrainingRecord.read(pathlib.Path(uri)) if uri else None
  except OSError:
    record = None
  return record or TrainingRecord()


def sentence(phase: PhaseRow) -> str:
  """Returns `train: 150 epochs, of 12 asked for (model.min_steps); ended after 122 (...)`."""
  words = f"{phase.phase}: {phase.scheduled} epoch{'' if phase.scheduled == 1 else 's'}"
  if phase.scheduled != phase.asked:
    words += f", of {phase.asked} asked for ({phase.lifted_by})"
  if phase.trained != phase.scheduled:
    words += f"; ended after {phase.trained} ({phase.ended_by})"
  return words


def weights_in_words(weights: Mapping[str, float]) -> str:
  """Returns the weights of classes, the heaviest first: `rare 5, common 1`."""
  ordered = sorted(weights.items(), key=lambda item: -item[1])
  return ", ".join(f"{label} {number(weight)}" for label, weight in ordered)


def ranked(trials: Trials) -> Trials:
  """Returns the trials with the best first; those that failed come last, in their order."""
  sign = -1 if trials.mode == "max" else 1
  failed = float("inf")
  rows = sorted(trials.trials, key=lambda t: failed if t.score is None else sign * t.score)
  return dataclasses.replace(trials, trials=tuple(rows))


def trial_lines(trials: Trials) -> list[str]:
  """Returns the trials for a terminal, the best first."""
  found = [f"Trials, by {trials.monitor}; the Trainer takes the best one's values"]
  if trials.ended_by:
    found[0] += f"; ended by {trials.ended_by}"
  for trial in ranked(trials).trials:
    came = number(trial.score) if trial.score is not None else f"failed: {trial.error}"
    if trial.ended_by:
      came += f"  stopped ({trial.ended_by})"
    values = ", ".join(f"{name} {_shown(v)}" for name, v in trial.hyperparameters.items())
    found.append(
      f"  {trial.trial:>3}{'*' if trial.trial == trials.best else ' '} {values}  {came}  "
      f"({trial.epochs} epochs, {duration(trial.seconds)})"
    )
  return found


def _shown(value: Any) -> str:
  """Returns a hyperparameter for a person."""
  return number(value) if isinstance(value, float) else str(value)
