"""`TrainingRecord`: the record that a training writes to its `model_run` artifact."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from dlpipe.artifact_files import ArtifactFile
from pipeline.problems.calibration import Calibration
from pipeline.task import Phase

MIN_STEPS, PATIENCE, MINUTES = "model.min_steps", "train.patience", "train.minutes"
ENDED_BY = "ended_by"  # in the row of an epoch: the setting that ended the phase


@dataclasses.dataclass(frozen=True, kw_only=True)
class PhaseRow(ArtifactFile):
  """The epochs of one phase.

  Attributes:
    phase: its name.
    setting: the hyperparameter that counts its epochs; None if the task fixes them.
    asked: the epochs that were asked for.
    scheduled: the most epochs that were planned.
    trained: the epochs that were trained.
    lifted_by: the setting for which more epochs were planned than asked.
    ended_by: the setting that ended the phase before all planned epochs.
  """

  phase: str
  setting: str | None
  asked: int
  scheduled: int
  trained: int
  lifted_by: str = MIN_STEPS
  ended_by: str = PATIENCE


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainingRecord(ArtifactFile):
  """`history.json`.

  Attributes:
    hyperparameters: the values that the model was trained with.
    tuned: the values among them that the Tuner chose.
    precision: Keras's dtype policy.
    parameters: the number of the model's weights.
    train_examples: the number of rows in train.
    prepare_seconds: the time until training began.
    phases: a row for each phase that was trained.
    epochs: a row for each epoch, as `loop.train` returns them.
    chosen: the place of the epoch in `epochs` whose weights the model has; None if unknown.
    class_weights: label to weight; empty if all classes count alike.
    calibration: how outputs become scores; None if the task has no scores of labels.
  """

  FILE: ClassVar[str] = "history.json"

  hyperparameters: dict[str, Any] = dataclasses.field(default_factory=dict)
  tuned: dict[str, Any] = dataclasses.field(default_factory=dict)
  precision: str = ""
  parameters: int = 0
  train_examples: int = 0
  prepare_seconds: float = 0.0
  phases: tuple[PhaseRow, ...] = ()
  epochs: list[dict[str, Any]] = dataclasses.field(default_factory=list)
  chosen: int | None = None
  class_weights: Mapping[str, float] = dataclasses.field(default_factory=dict)
  calibration: Calibration | None = None


def phase_rows(
  phases: Iterable[Phase],
  history: Sequence[Mapping[str, Any]],
  *,
  is_timed: bool = False,
) -> tuple[PhaseRow, ...]:
  """Returns a row for each phase that was trained.

  Args:
    phases: the phases as the task planned them.
    history: the rows of `loop.train`.
    is_timed: whether the training had a time limit, which lifts epochs as far as it allows.
  """
  found = []
  for phase in phases:
    rows = [row for row in history if row["phase"] == phase.name]
    if rows:
      found.append(
        PhaseRow(
          phase=phase.name,
          setting=phase.epochs_setting,
          asked=phase.epochs,
          scheduled=rows[-1]["epochs"],
          trained=len(rows),
          lifted_by=MINUTES if is_timed else MIN_STEPS,
          ended_by=rows[-1].get(ENDED_BY, PATIENCE),
        )
      )
  return tuple(found)


def chosen_epoch(history: Sequence[Mapping[str, Any]], monitor: tuple[str, str]) -> int | None:
  """Returns the place of the epoch whose weights `loop.train` leaves in the model.

  An equal later epoch replaces an earlier one, as in `BestEpoch`.

  Args:
    history: the rows of `loop.train`.
    monitor: the metric that picks the best epoch, and "max" or "min".

  Returns:
    The place, from 0; None if no epoch has a number.
  """
  metric, mode = monitor
  sign = 1 if mode == "max" else -1
  known = [
    (sign * row[metric], place)
    for place, row in enumerate(history)
    if metric in row and row[metric] == row[metric]
  ]
  return max(known)[1] if known else None
