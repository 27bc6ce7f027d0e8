"""Advice on a training: a sentence for a known pattern, none for a healthy one."""

import math

import pytest

from pipeline.runs.shown.advice import advice
from pipeline.training.training_record import PhaseRow, TrainingRecord, chosen_epoch

_MONITOR = ("val_accuracy", "max")


def _record(losses, accuracies=(), **changes):
  """Returns a record of (loss, val_loss) and (accuracy, val_accuracy) by epoch."""
  rows = [
    {"phase": "train", "epoch": n + 1, "loss": a, "val_loss": b} for n, (a, b) in enumerate(losses)
  ]
  for row, (a, b) in zip(rows, accuracies, strict=False):
    row |= {"accuracy": a, "val_accuracy": b}
  monitor = _MONITOR if accuracies else ("val_loss", "min")
  phase = PhaseRow(
    phase="train", setting="epochs", asked=len(rows), scheduled=len(rows), trained=len(rows)
  )
  return TrainingRecord(epochs=rows, chosen=chosen_epoch(rows, monitor), phases=(phase,), **changes)


def _said(record, **changes):
  return advice(record, **{"labels": {}, **changes})


@pytest.mark.parametrize(
  ("losses", "accuracies"),
  [
    # The shipped digits, whole and tiny; the reviews; the translation: as they were trained.
    ([(0.3, 0.1), (0.01, 0.01), (0.0, 0.0)], [(0.9, 0.98), (0.99, 1.0), (1.0, 1.0)]),
    (
      [(2.19, 1.81), (1.40, 1.04), (0.95, 0.59), (0.76, 0.47), (0.66, 0.428), (0.64, 0.424)],
      [(0.22, 0.49), (0.67, 0.71), (0.80, 0.92), (0.86, 0.98), (0.90, 0.98), (0.89, 0.98)],
    ),
    (
      [(1.9, 1.4), (0.281, 0.418), (0.196, 0.306), (0.151, 0.2485), (0.165, 0.2314)],
      [(0.4, 0.7), (0.931, 0.98), (0.97, 0.98), (1.0, 0.98), (0.96, 0.98)],
    ),
    ([(0.4, 0.2), (0.003, 0.003654), (0.003, 0.003092)], [(0.9, 0.9), (1.0, 1.0), (1.0, 1.0)]),
    (
      [(0.31, 0.48), (0.30, 0.46), (0.28, 0.40), (0.24, 0.37), (0.23, 0.36)],
      [(0.89, 0.75), (0.89, 0.76), (0.89, 0.78), (0.90, 0.81), (0.91, 0.81)],
    ),
    (
      [(3.45, 2.85), (1.80, 1.47), (1.15, 0.99), (1.05, 0.944), (1.02, 0.941)],
      [(0.32, 0.41), (0.63, 0.72), (0.79, 0.82), (0.82, 0.83), (0.82, 0.83)],
    ),
  ],
)
def test_a_healthy_training_gets_no_advice(losses, accuracies):
  assert _said(_record(losses, accuracies)) == []


def test_what_is_known_by_heart():
  [said] = _said(_record([(0.1, 2.0), (0.05, 2.1)], [(0.9, 0.40), (0.98, 0.44)]))
  assert said.startswith(
    "The model knows train by heart: accuracy 0.98 in training and 0.44 in validation"
  )


def test_a_validation_loss_that_rises_while_training_falls():
  [said] = _said(_record([(1.0, 1.2), (0.5, 1.0), (0.3, 1.3), (0.1, 1.6)]))
  assert said.startswith(
    "The model overfits after epoch 2 of train: the validation loss rises from 1 to 1.6"
  )


def test_a_training_that_was_still_getting_better():
  [said] = _said(_record([(4.0, 3.9), (2.0, 1.9)]))
  assert "fell from 3.9 to 1.9; raise train.epochs." in said


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_a_loss_that_is_no_number(number):
  [said] = _said(_record([(1.0, 1.0), (number, 1.0)]))
  assert said.startswith("The training diverged: the loss of epoch 2 of train is no number.")


def test_a_loss_that_runs_away():
  [said] = _said(_record([(1.0, 1.0), (2.0, 4.5)]))
  assert "the validation loss rose from 1 to 4.5" in said


_RARE = {"train": {"common": 900, "rare": 40}}
_MISSED = [
  {"label": "common", "recall": 0.95, "count": 200},
  {"label": "rare", "recall": 0.2, "count": 20},
]


def test_a_rare_class_that_is_missed():
  [said] = _said(TrainingRecord(), labels=_RARE, per_class=_MISSED)
  assert "'rare' has 40 rows in train and the commonest class 900; its recall is 0.2" in said


@pytest.mark.parametrize(
  ("record", "labels", "per_class"),
  [
    (TrainingRecord(class_weights={"rare": 5.0}), _RARE, _MISSED),
    (TrainingRecord(), {"train": {"common": 300, "rare": 40}}, _MISSED),
    (TrainingRecord(), _RARE, [_MISSED[0], {**_MISSED[1], "recall": 0.8}]),
    (TrainingRecord(), _RARE, [_MISSED[0], {**_MISSED[1], "count": 3}]),
  ],
)
def test_no_alarm_for_weights_balance_a_class_that_fares_well_or_few_rows(
  record, labels, per_class
):
  assert _said(record, labels=labels, per_class=per_class) == []


def test_the_chosen_epoch_is_the_last_of_equal_ones_and_never_one_without_a_number():
  rows = [{"val_accuracy": value} for value in (0.5, 0.75, 0.75, math.nan, 0.25)]
  assert chosen_epoch(rows, _MONITOR) == 2
  assert chosen_epoch([{"val_loss": 2.0}, {"val_loss": 1.0}], ("val_loss", "min")) == 1
  assert chosen_epoch([{"val_accuracy": math.nan}], _MONITOR) is None
