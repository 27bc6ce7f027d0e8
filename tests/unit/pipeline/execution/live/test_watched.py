"""What the page of a watched run is told: the nodes, the epochs, the time and the memory."""

import json
import math

import pytest

from pipeline.execution import events
from pipeline.execution.live import watched
from pipeline.runs import result


def _epoch(epoch, phase="train", component="Trainer", **fields):
  said = {"phase": phase, "epoch": epoch, "epochs": 9, "left_s": 5.0, "loss": 1.0 / epoch, **fields}
  return events.Progress(component, f"epoch {epoch}", said)


@pytest.fixture
def now():
  """The time, which a test moves on."""
  return [100.0]


@pytest.fixture
def page(now):
  """A listener that has heard a run begin."""
  listener = watched.Watched(clock=lambda: now[0])
  listener(events.RunStarted("r1", "images", ("Transform", "Trainer"), "run.log"))
  return listener


def test_nodes_are_told_with_their_time_and_last_words(page, now):
  page(events.ComponentStarted("Transform"))
  page(events.ComponentFinished("Transform", "COMPLETE", 2.5, 512.0))
  page(events.ComponentStarted("Trainer"))
  page(events.Progress("Trainer", "reading\x1b[2K train", {}))
  now[0] += 7
  told = page.snapshot()
  assert (told["run_id"], told["task"], told["seconds"]) == ("r1", "images", 7)
  assert told["nodes"] == [
    {"id": "Transform", "state": "COMPLETE", "seconds": 2.5, "peak_rss_mb": 512.0, "message": ""},
    {"id": "Trainer", "state": "RUNNING", "seconds": 7, "peak_rss_mb": 0.0,
     "message": "reading [2K train"},
  ]  # fmt: skip


def test_epochs_are_kept_over_phases_and_steps_are_now(page):
  page(_epoch(1, "head"))
  page(_epoch(2, "head", val_loss=math.nan))
  page(_epoch(1, "tune"))
  page(_epoch(2, "tune", step=3, steps=10, examples_per_s=123.4))
  told = page.snapshot()
  assert [(row["phase"], row["epoch"]) for row in told["epochs"]] == [
    ("head", 1), ("head", 2), ("tune", 1),
  ]  # fmt: skip
  assert told["epochs"][1]["val_loss"] is None
  assert (told["now"]["step"], told["now"]["examples_per_s"], told["now"]["left_s"]) == (
    3,
    123.4,
    5,
  )
  json.dumps(told, allow_nan=False)


def test_each_training_has_its_own_curves(page):
  for component in ("Tuner", "Tuner", "Trainer"):
    page(_epoch(1, component=component))
    page(_epoch(2, component=component))
    assert [row["epoch"] for row in page.snapshot()["epochs"]] == [1, 2]


def test_what_is_no_training_is_no_epoch(page):
  page(events.Progress("Trainer", "trained for 12 (model.min_steps)", {"epochs": 12}))
  page(events.Progress("SourceExampleGen", "5,000 records", {"records": 5000}))
  assert (page.snapshot()["epochs"], page.snapshot()["now"]) == ([], {})


def test_the_end_is_told(page):
  page(
    events.RunFinished(
      result.RunResult(
        run_id="r1", task="images", state="pushed", pushed_version=1, serving_dir="s", metrics={},
        gates=[], components=[], examples={}, report="r1.html",
      )
    )
  )  # fmt: skip
  told = page.snapshot()
  assert (told["state"], told["report"], told["ended"]) == ("pushed", "r1.html", False)
  page.end()
  assert page.snapshot()["ended"]
