"""What an earlier run's training says of its epochs."""

import dataclasses
import json

import pytest

from pipeline.runs.trained import record_of, sentence
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
