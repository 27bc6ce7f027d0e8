"""The rows of phases in a training's record."""

from pipeline.task import Phase
from pipeline.training.training_record import PhaseRow, phase_rows


def test_what_was_asked_for_stands_beside_what_was_done():
  phases = [
    Phase(name="bag", epochs=4, learning_rate=0.1, epochs_setting="bag_epochs"),
    Phase(name="readers", epochs=12, learning_rate=0.1),
    Phase(name="never", epochs=1, learning_rate=0.1),
  ]
  history = [{"phase": "bag", "epochs": 4}] * 4 + [{"phase": "readers", "epochs": 150}] * 122
  assert phase_rows(phases, history) == (
    PhaseRow(phase="bag", setting="bag_epochs", asked=4, scheduled=4, trained=4),
    PhaseRow(phase="readers", setting="epochs", asked=12, scheduled=150, trained=122),
  )
