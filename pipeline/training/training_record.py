"""`TrainingRecord`: the record that a training writes to its `model_run` artifact."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from dlpipe.artifact_files import ArtifactFile
from pipeline.problems.calibration import Calibration
from pipeline.problems.certainty.record import Certainty
from pipeline.task import Phase

MIN_STEPS, PATIENCE, MINUTES = "model.min_steps", "train.patience", "train.minutes"
ENDED_BY = "ended_by"  # in the row of an epoch: the setting, or what else, ended the phase
BY_CALLBACK = "a callback of the task"


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
    ended_by: the setting that ended the phase before all planned epochs, or what else did.
  """

  phase: str
  setting: str | None
  asked: int
  scheduled: int
  trained: int
  lifted_by: str = MIN_STEPS
  ended_by: str = PATIENCE


@dataclasses.dataclass(frozen=True, kw_only=True)
class WarmStart(ArtifactFile):
  """How a training began: from the served model, or anew.

  Attributes:
    version: the version that it began from; None if it began anew.
    cold_because: why it began anew although `train.warm_start` is set.
    carried: what was carried over, in a sentence.
    weights: how many weights were carried, wholly or in part, and how many there are.
    numbers: the part of all their numbers that was carried.
    rows: by kind of rows, such as `words` and `classes`, how many were carried and how many there
      are.
    measured: what the training took and reached: `metric`, its `best` value on val, the `seconds`
      of `adapt` and all epochs, `seconds_to_best`, `epochs`, and the `examples` of train.
    cold: the same of the last training that began anew, before this one.
  """

  version: int | None = None
  cold_because: str = ""
  carried: str = ""
  weights: tuple[int, int] = (0, 0)
  numbers: float = 0.0
  rows: dict[str, tuple[int, int]] = dataclasses.field(default_factory=dict)
  measured: dict[str, Any] = dataclasses.field(default_factory=dict)
  cold: dict[str, Any] = dataclasses.field(default_factory=dict)

  def sentences(self) -> list[str]:
    """Describes how the training began, and what it saved."""
    said = self.carried or (f"cold start: {self.cold_because}" if self.cold_because else "")
    return [each for each in (said, self.comparison()) if each]

  def comparison(self) -> str:
    """Compares the training with the last one that began anew; empty if there is none."""
    now, cold = self.measured, self.cold
    if self.version is None or not now or not cold or now.get("metric") != cold.get("metric"):
      return ""
    if now.get("best") is None or cold.get("best") is None:
      return ""
    return (
      f"{now['metric']} {now['best']:.4g} in {now['seconds']:.3g} s; the last cold start "
      f"{cold['best']:.4g} in {cold['seconds']:.3g} s"
    )


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
    epochs: a row for each epoch, as `loop.Training.run` returns them.
    chosen: the place of the epoch in `epochs` whose weights the model has; None if unknown.
    class_weights: label to weight; empty if all classes count alike.
    calibration: how outputs become scores; None if the task has no scores of labels.
    warm_start: how the training began; None if `train.warm_start` is not set.
    certainty: what val says about how far answers can be trusted; None for texts.
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
  warm_start: WarmStart | None = None
  certainty: Certainty | None = None


def phase_rows(
  phases: Iterable[Phase],
  history: Sequence[Mapping[str, Any]],
  *,
  is_timed: bool = False,
) -> tuple[PhaseRow, ...]:
  """Returns a row for each phase that was trained.

  Args:
    phases: the phases as the task planned them.
    history: the rows of `loop.Training.run`.
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
  """Returns the place of the epoch whose weights `loop.Training` leaves in the model.

  An equal later epoch replaces an earlier one, as in `BestEpoch`.

  Args:
    history: the rows of `loop.Training.run`.
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
