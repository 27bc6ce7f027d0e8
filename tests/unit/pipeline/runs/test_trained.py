"""What an earlier run's training says of its epochs."""

import dataclasses
import json

import pytest

from components.trials import Trial, Trials
from pipeline.runs.trained import record_of, sentence, trial_lines, weights_in_words
from pipeline.training.training_record import PhaseRow


def _row(asked, scheduled, trained):
  return PhaseRow(
    phase="train", setting="epochs", asked=asked, scheduled=scheduled, trained=trained
  )


@pytest.mark.parametrize(
  ("row", "said"),
  [
    (_row(12, 12, 12), "train: 12 epochs"),
    (_row(12, 150, 150), "train: 150 epochs, of 12 asked for (model.min_steps)"),
    (_row(60, 60, 55), "train: 60 epochs; ended after 55 (train.patience)"),
    (
      dataclasses.replace(_row(12, 48, 20), lifted_by="train.minutes", ended_by="train.minutes"),
      "train: 48 epochs, of 12 asked for (train.minutes); ended after 20 (train.minutes)",
    ),
    (
      _row(12, 150, 122),
      "train: 150 epochs, of 12 asked for (model.min_steps); ended after 122 (train.patience)",
    ),
  ],
)
def test_a_phase_in_words(row, said):
  assert sentence(row) == said


def test_they_are_read_from_what_the_trainer_left(tmp_path):
  nodes = [
    {"id": "Transform", "outputs": {}},
    {"id": "Trainer", "outputs": {"model_run": str(tmp_path)}},
  ]
  assert record_of(nodes).phases == ()
  (tmp_path / "history.json").write_text(json.dumps({"epochs": []}))
  assert record_of(nodes).phases == ()  # of an older release
  (tmp_path / "history.json").write_text(json.dumps({"phases": [_row(1, 2, 2).to_json()]}))
  assert record_of(nodes).phases == (_row(1, 2, 2),)


def test_nothing_was_trained():
  assert record_of([{"id": "DataGate", "outputs": {}}]).phases == ()
  assert record_of([{"id": "Trainer", "outputs": {}}]).phases == ()


def test_trials_in_words():
  trials = Trials(
    monitor="val_accuracy",
    mode="max",
    asked=4,
    best=1,
    trials=(
      Trial(trial=1, hyperparameters={"rate": 0.5}, score=0.75, epochs=8),
      Trial(
        trial=2, hyperparameters={"rate": 0.25}, state="stopped", score=0.5, epochs=2,
        ended_by="tune.early_stopping",
      ),
    ),
    ended_by="tune.minutes",
  )  # fmt: skip
  head, best, stopped = trial_lines(trials)
  assert head.endswith("the Trainer takes the best one's values; ended by tune.minutes")
  assert best.startswith("    1* rate 0.5  0.75  (8 epochs, ")
  assert stopped.startswith("    2  rate 0.25  0.5  stopped (tune.early_stopping)  (2 epochs, ")


def test_weights_in_words():
  assert weights_in_words({"common": 0.5, "rare": 4.0}) == "rare 4, common 0.5"
