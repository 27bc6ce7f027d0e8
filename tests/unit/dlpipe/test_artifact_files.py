"""What components keep as JSON is read back as it was written."""

import doctest
import json

import pytest

from components.data_gate import Check, DataVerdict
from components.serving_gate.compare import PathResult
from components.serving_gate.latency import Latency
from components.serving_gate.parity import Parity
from components.source_example_gen.summary import LostClass, Summary
from components.trials import Trial, Trials
from components.versioned_pusher.executor import Pushed
from dlpipe import artifact_files
from dlpipe.verdicts import Ruling, Verdict
from pipeline.behaviour import results
from pipeline.behaviour.results import Behaviour, Case, Step
from pipeline.suspects.baseline import Baseline
from pipeline.training.training_record import PhaseRow, TrainingRecord

_PATH = PathResult(
  loader="TF1",
  signature="serving_default",
  output="score",
  batch=32,
  max_difference=0.5,
  passed=False,
  reason="differs",
)
_FILES = [
  (
    "summary.json",
    Summary(
      examples={"train": 8, "val": 1, "eval": 1},
      quarantined=3,
      relabelled=2,
      labels={"train": {"cat": 8}},
      reasons={"empty": 3},
      recognized={"layout": "folder", "sentences": ["Read as folder."]},
      lost={"owl": LostClass(inputs=3, named=True, reasons={"empty": 3})},
    ),
  ),
  (
    "verdict.json",
    DataVerdict(
      checks=(Check(name="examples in val", passed=True, value=1, bound=">= 1", reason="1"),),
      findings=[{"name": "few_examples", "level": "warning", "count": 1, "details": ["a"]}],
    ),
  ),
  (
    "verdict.json",
    Verdict(
      rulings=(
        Ruling(metric="skill", bound=">= 0.3", value=0.4, passed=True, interval=(0.2, 0.6)),
        Ruling(metric="loss", bound=1.5, value=None, passed=False, reason="diverged"),
      ),
      warnings=("Do not believe the scores.",),
    ),
  ),
  (
    "parity.json",
    Parity(
      rows=32,
      tolerance=1e-5,
      max_latency_ms=50.0,
      serving_release="TensorFlow Serving 2.16",
      latency=(Latency(protocol="REST", requests=100, p50_ms=1.5, p99_ms=60.0),),
      skipped=("No model server was started.",),
      paths=(_PATH,),
      op_reasons=("The model uses the op X.",),
    ),
  ),
  (
    "trials.json",
    Trials(
      monitor="val_loss",
      mode="min",
      asked=3,
      best=1,
      trials=(
        Trial(trial=1, hyperparameters={"dropout": 0.1, "width": 8}, score=0.5, epochs=3),
        Trial(trial=2, hyperparameters={}, state="failed", score=None, error="diverged"),
      ),
    ),
  ),
  (
    "history.json",
    TrainingRecord(
      hyperparameters={"epochs": 3, "backbone": None},
      tuned={"dropout": 0.1},
      precision="float32",
      parameters=1234,
      train_examples=80,
      prepare_seconds=0.5,
      phases=(PhaseRow(phase="train", setting="epochs", asked=3, scheduled=12, trained=9),),
      epochs=[{"phase": "train", "epoch": 1, "loss": 0.5}],
    ),
  ),
  ("pushed.json", Pushed(pushed=True, version=3, destination="/s/3", repairs=2)),
  ("pushed.json", Pushed(pushed=False, refused_by=["Evaluator"])),
  (
    "baseline.json",
    Baseline(
      model="words",
      train_rows=3_000,
      eval_rows=600,
      cheap=0.8,
      network=0.9,
      constant=0.5,
      gain=0.1,
      interval=(0.05, 0.15),
    ),
  ),
  (
    "behaviour.json",
    Behaviour(
      rows=100,
      tests=(
        results.Tested(
          name="typos",
          kind="invariance",
          what="typos",
          reason="r",
          steps=(Step(tried=9, failed=1, value=0.1, bound=None, quality=(1.0, 0.9)),),
          cases=(Case(given="a", changed="b", pictures=("data:",)),),
        ),
      ),
    ),
  ),
]


@pytest.mark.parametrize(("name", "value"), _FILES, ids=[type(v).__name__ for _, v in _FILES])
def test_a_file_is_read_as_it_was_written(tmp_path, name, value):
  assert type(value).read(None) is None
  assert type(value).read(tmp_path) is None
  (tmp_path / name).write_text(value.to_text(allow_nan=False))
  assert type(value).read(tmp_path) == value


def test_what_is_not_known_is_not_written():
  assert Pushed(pushed=False, refused_by=["Evaluator"]).to_json() == {
    "pushed": False,
    "refused_by": ["Evaluator"],
  }
  assert "log" not in _FILES[3][1].to_json()


def test_any_gate_is_read_for_its_verdict(tmp_path):
  parity = _FILES[3][1]
  (tmp_path / "parity.json").write_text(parity.to_text())
  assert Verdict.read(tmp_path, "parity.json") == parity.verdict
  assert parity.verdict.failed == ["serving_difference", "serving_p99_ms"]


def test_a_file_of_another_release_is_read_as_far_as_it_goes(tmp_path):
  (tmp_path / "summary.json").write_text(json.dumps({"examples": {"train": 3}, "later": 1}))
  assert Summary.read(tmp_path) == Summary(examples={"train": 3})


@pytest.mark.parametrize("text", ["{", '{"monitor": "loss"}', '{"rows": "many"}'])
def test_a_damaged_file_is_an_error(tmp_path, text):
  (tmp_path / "trials.json").write_text(text)
  with pytest.raises(ValueError, match=r"trials|Expecting|validation"):
    Trials.read(tmp_path)


def test_the_examples_are_true():
  assert doctest.testmod(artifact_files) == (0, 2)
