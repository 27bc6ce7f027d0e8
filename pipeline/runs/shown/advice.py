"""Advice on a training whose record shows a known pattern, a sentence each.

Each rule asks for a clear case: a healthy training gets no advice.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from dlpipe.records import TRAIN
from dlpipe.words import number
from pipeline.params import Params
from pipeline.training.training_record import TrainingRecord

Row = Mapping[str, Any]

_GAP = 0.2  # between accuracy in training and in validation
_RISE = 1.3  # of the validation loss, after its least
_STILL_FALLING = 0.05  # of the validation loss, in the last epoch
_WORTH = 0.02  # of the first validation loss
_SOLVED = 0.99  # accuracy in validation, from which more epochs are not worth a word
_BLOWN_UP = 3.0  # the validation loss at the end, by that of the first epoch
_IMBALANCE = 10  # the commonest class by the rarest
_MISSED = 0.3  # recall of the rarest class, below the accuracy
_FEW_ROWS = 10  # of eval; a recall by fewer is chance


def advice(
  record: TrainingRecord,
  *,
  labels: Mapping[str, Mapping[str, int]],
  per_class: Sequence[Row] = (),
) -> list[str]:
  """Returns sentences on what a training shows, and what to do about it.

  Args:
    record: the training.
    labels: number of examples by split and label; empty without classes.
    per_class: {label, recall, count} of each class in eval.
  """
  found: list[str | None] = []
  rows = record.epochs
  if rows:
    bad = _diverged(rows)
    found.append(bad or _overfit(record) or _too_few(record))
  found.append(_unbalanced(record, labels.get(TRAIN, {}), per_class))
  return [sentence for sentence in found if sentence]


def _diverged(rows: Sequence[Row]) -> str | None:
  remedy = "Lower the learning rate (train.learning_rate), or look for inputs that are far off."
  for row in rows:
    if any(not _is_finite(row.get(name, 0.0)) for name in ("loss", "val_loss")):
      return f"The training diverged: the loss of {_epoch(row)} is no number. {remedy}"
  last = _last_phase(rows)
  first, end = (row.get("val_loss") for row in (last[0], last[-1]))
  if len(last) > 1 and first and end and end > _BLOWN_UP * first and last[-1]["loss"] > first:
    return (
      f"The training diverged: the validation loss rose from {number(first)} to {number(end)}. "
      f"{remedy}"
    )
  return None


def _overfit(record: TrainingRecord) -> str | None:
  remedy = "More data helps most; then dropout, augmentation, or a pre-trained backbone or vectors."
  chosen = _chosen(record) or {}
  if chosen.get("accuracy", 0.0) - chosen.get("val_accuracy", 1.0) > _GAP:
    return (
      f"The model knows train by heart: accuracy {number(chosen['accuracy'])} in training and "
      f"{number(chosen['val_accuracy'])} in validation, in the chosen epoch. {remedy}"
    )
  rows = _last_phase(record.epochs)
  known = [row for row in rows if {"loss", "val_loss"} <= set(row)]
  if len(known) < 3:
    return None
  least = min(known, key=lambda row: row["val_loss"])
  end = known[-1]
  apart = end.get("accuracy", 1.0) - end.get("val_accuracy", 0.0)
  if (
    end["val_loss"] > _RISE * least["val_loss"]
    and end["loss"] < least["loss"]
    and end["val_loss"] > 2 * end["loss"]
    and apart > _STILL_FALLING
  ):
    return (
      f"The model overfits after {_epoch(least)}: the validation loss rises from "
      f"{number(least['val_loss'])} to {number(end['val_loss'])} while the training loss falls. "
      f"{remedy}"
    )
  return None


def _too_few(record: TrainingRecord) -> str | None:
  rows = _last_phase(record.epochs)
  if len(rows) < 2 or _chosen(record) is not record.epochs[-1]:
    return None
  before, last = rows[-2].get("val_loss"), rows[-1].get("val_loss")
  first = rows[0].get("val_loss")
  if not first or not before or not last or rows[-1].get("val_accuracy", 0.0) >= _SOLVED:
    return None
  # Near zero, a large part of the loss is a small one of what was learnt.
  if before - last < max(_STILL_FALLING * before, _WORTH * first):
    return None
  settings = [row.setting for row in record.phases if row.phase == rows[-1].get("phase")]
  [setting] = settings or [None]
  ways = f"raise {Params.full_name(setting)}" if setting else "give it more epochs"
  return (
    f"More epochs may help: in the last one the validation loss still fell from {number(before)} "
    f"to {number(last)}; {ways}."
  )


def _unbalanced(
  record: TrainingRecord, counts: Mapping[str, int], per_class: Sequence[Row]
) -> str | None:
  judged = [row for row in per_class if row["count"] >= _FEW_ROWS and _is_finite(row["recall"])]
  if record.class_weights or len(counts) < 2 or len(judged) < 2:
    return None
  most = max(counts.values())
  whole = sum(row["recall"] * row["count"] for row in judged) / sum(row["count"] for row in judged)
  missed = [
    row
    for row in judged
    if 0 < _IMBALANCE * counts.get(row["label"], 0) <= most and row["recall"] < whole - _MISSED
  ]
  if not missed:
    return None
  worst = min(missed, key=lambda row: row["recall"])
  return (
    f"Rare classes fare badly: {worst['label']!r} has {counts[worst['label']]:,} rows in train and "
    f"the commonest class {most:,}; its recall is {number(worst['recall'])}, and "
    f"{number(whole)} over all. Train with --set train.class_weights=auto, or add examples."
  )


def _chosen(record: TrainingRecord) -> Row | None:
  return record.epochs[record.chosen] if record.chosen is not None else None


def _last_phase(rows: Sequence[Row]) -> list[Row]:
  return [row for row in rows if row.get("phase") == rows[-1].get("phase")]


def _epoch(row: Row) -> str:
  return f"epoch {row['epoch']}" + (f" of {row['phase']}" if row.get("phase") else "")


def _is_finite(value: Any) -> bool:
  return isinstance(value, (int, float)) and math.isfinite(value)
