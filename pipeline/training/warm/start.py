"""`WarmStart`: how a training began, and whether beginning from another model earned its place."""

from __future__ import annotations

import dataclasses
import math
import pathlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import keras
import tensorflow_transform as tft

from components.training_base import Base
from components.versioned_pusher import version_folders
from dlpipe import progress
from pipeline import carried_rows
from pipeline.task import Phase, Task
from pipeline.training.training_record import WarmStart
from pipeline.training.warm import carrying, weights_file

# A training that begins from a trained model needs fewer epochs, and smaller steps, which do not
# shake off what was learnt: docs/decisions/0065-warm-starts.md has the measurements.
_EPOCHS, _RATE = 1 / 4, 0.3


@dataclasses.dataclass(frozen=True)
class Start:
  """How a training begins.

  Attributes:
    record: for the record of the training.
    generation: how many warm starts lie between the model and the last cold one.
    cold: what the last cold training took and reached; empty if nobody measured it.
  """

  record: WarmStart = dataclasses.field(default_factory=WarmStart)
  generation: int = 0
  cold: Mapping[str, Any] = dataclasses.field(default_factory=dict)

  @property
  def is_warm(self) -> bool:
    """Whether the training begins from another model."""
    return self.record.version is not None

  def shorten(self, phase: Phase, epochs: int, fixed_epochs: Collection[str]) -> int:
    """Returns the epochs to train instead of those of a cold start; what the user set holds."""
    if not self.is_warm or phase.epochs_setting in fixed_epochs:
      return epochs
    return math.ceil(epochs * _EPOCHS)

  def phases(self, phases: Sequence[Phase]) -> list[Phase]:
    """Returns the phases with the rates of this start."""
    if not self.is_warm:
      return list(phases)
    return [dataclasses.replace(each, learning_rate=each.learning_rate * _RATE) for each in phases]

  def measured(
    self,
    history: Sequence[Mapping[str, Any]],
    monitor: tuple[str, str],
    examples: int,
    adapt_seconds: float,
  ) -> tuple[WarmStart, dict[str, Any]]:
    """Returns the record with what was measured, and the facts of the last cold training.

    Args:
      history: a row for each epoch.
      monitor: the metric that picks the best epoch, and "max" or "min".
      examples: the rows of train.
      adapt_seconds: what the task's `adapt` took before the first epoch.
    """
    found = measured(history, monitor, examples, adapt_seconds)
    cold = dict(self.cold) if self.is_warm else found
    return dataclasses.replace(self.record, measured=found, cold=cold), cold


def begin(
  task: Task,
  settings: Mapping[str, Any],
  base: Base | None,
  model: keras.Model,
  tft_output: tft.TFTransformOutput,
) -> Start:
  """Carries the weights of the served model over, if the settings ask for it and it can be.

  Args:
    task: the task.
    settings: the section `train`.
    base: the model to begin from; None if none is served.
    model: built.
    tft_output: the transform graph.
  """
  name_classes(task, model, tft_output)
  if not settings["warm_start"]:
    return Start()
  found = _begun(settings, base, model, tft_output)
  said = found.record.carried if found.is_warm else f"cold start: {found.record.cold_because}"
  progress.report(said, epoch=0)
  return found


def _begun(
  settings: Mapping[str, Any],
  base: Base | None,
  model: keras.Model,
  tft_output: tft.TFTransformOutput,
) -> Start:
  if base is None:
    return _cold("no model that was pushed is served, or it is damaged")
  path = pathlib.Path(base.path)
  # A training that is repeated begins from the version of the first one, whatever became of that.
  if not path.is_dir() or version_folders.content_digest(path) != base.sha256:
    return _cold(f"version {base.version} is gone, or damaged by now")
  known = weights_file.read(path)
  if known is None:
    return _cold(f"version {base.version} does not say what its weights stand for")
  every = settings["cold_every"]
  if every is not None and known.generation + 1 >= every:
    return _cold(f"train.cold_every={every}")
  vocabularies = weights_file.vocabularies_of(tft_output)
  found = carrying.carry(model, path, known, vocabularies)
  if not found.is_enough:
    fits = (
      f"only {found.weights:,} of {found.total:,} weights fit" if found.weights else "none fits"
    )
    return _cold(f"version {base.version} has another architecture, and {fits}")
  record = WarmStart(
    version=base.version,
    carried=f"warm start from version {base.version}: {found.sentence()}",
    weights=(found.weights, found.total),
    numbers=round(found.numbers, 4),
    rows={kind: (each.carried, each.total) for kind, each in found.kinds.items()},
  )
  return Start(record, known.generation + 1, known.cold)


def name_classes(task: Task, model: keras.Model, tft_output: tft.TFTransformOutput) -> None:
  """Names the outputs of a last layer that has one for each label, unless the model did."""
  last = model.layers[-1] if model.layers else None
  if task.problem.vocabulary is None or not isinstance(last, keras.layers.Dense):
    return
  if not task.problem.has_classes or carried_rows.rows_of(last):
    return
  labels = tft_output.vocabulary_by_name(task.problem.vocabulary)
  if last.units == len(labels):
    carried_rows.name_outputs(last, labels)


def measured(
  history: Sequence[Mapping[str, Any]],
  monitor: tuple[str, str],
  examples: int,
  adapt_seconds: float = 0.0,
) -> dict[str, Any]:
  """Returns what a training took and reached, as `WarmStart.measured` has it."""
  metric, mode = monitor
  sign = 1 if mode == "max" else -1
  seconds = adapt_seconds
  best, when = None, 0.0
  for row in history:
    seconds += row["seconds"]
    value = row[metric]
    if value == value and (best is None or sign * value > sign * best):
      best, when = value, seconds
  return {
    "metric": metric,
    "best": best,
    "seconds": round(seconds, 2),
    "seconds_to_best": round(when, 2),
    "epochs": len(history),
    "examples": examples,
  }


def _cold(reason: str) -> Start:
  return Start(WarmStart(cold_because=reason))
