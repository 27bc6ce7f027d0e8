"""The Tuner: trials that train as the Trainer does, and what is kept of each."""

import dataclasses
import itertools
import json
import logging
import sys
import types

import keras
import keras_tuner
import numpy as np
import pytest
from keras import layers
from tfx.components.trainer.fn_args_utils import FnArgs

from components.trials import Trials
from dlpipe import progress
from dlpipe.errors import BadInputError, DlpipeError
from pipeline.settings.config import TrainConfig, TuneConfig
from pipeline.task import Phase
from pipeline.tasks.images.task import TASK
from pipeline.training import datasets, freezing
from pipeline.training.learning import best_value
from pipeline.training.run import run_fn
from pipeline.training.tuning import kept_trials, search
from pipeline.training.tuning.search import Search, trial_epochs, tuner_fn

_SMALL = {"widths": [2], "image_size": 12, "epochs": 2, "batch_size": 10}
_HYPERPARAMETERS = TASK.params.tiny().replace(**_SMALL).as_json()


def _fn_args(graph, root, *, tuned=None, trials=2, epochs=None, **changes):
  values = dict.fromkeys(FnArgs.__annotations__) | {
    "working_dir": str(root / "working"),
    "train_files": graph.files,
    "eval_files": graph.files,
    "transform_graph_path": graph.path,
    "transform_output": graph.path,
    "serving_model_dir": str(root / "export"),
    "model_run_dir": str(root / "run"),
    "hyperparameters": tuned,
    "custom_config": {
      "task": "images",
      "hyperparameters": {**_HYPERPARAMETERS, **changes},
      "fixed_epochs": [],
      "input_bounds": {"max_pixels": 1_000},
      "train": TrainConfig(mixed_precision=False).model_dump(),
      "tune": TuneConfig(trials=trials, epochs=epochs).model_dump(),
    },
  }
  return FnArgs(**values)


def _search(graph, root, **changes):
  tuner = tuner_fn(_fn_args(graph, root, **changes)).tuner
  tuner.search()
  return tuner, json.loads((root / "working" / Trials.FILE).read_text())


@pytest.mark.usefixtures("without_export")
def test_a_trial_ends_as_the_trainer_does_with_its_values(graph, tmp_path):
  tuner, record = _search(graph, tmp_path)
  assert [trial["state"] for trial in record["trials"]] == ["complete", "complete"]
  assert [trial["epochs"] for trial in record["trials"]] == [2, 2]
  [best] = tuner.get_best_hyperparameters()
  trial = record["trials"][record["best"] - 1]
  assert trial["hyperparameters"] == best.values
  run_fn(_fn_args(graph, tmp_path, tuned=best.get_config()))
  history = json.loads((tmp_path / "run/history.json").read_text())
  assert history["tuned"] == best.values
  assert best_value(history["epochs"], TASK.problem.monitor) == pytest.approx(
    trial["score"], rel=1e-6
  )
  assert record["monitor"] == TASK.problem.monitor[0]


def test_frozen_layers_run_once_for_all_trials_that_share_them(
  graph, tmp_path, monkeypatch, caplog
):
  def build_model(params, tft_output):
    return keras.Sequential(
      [
        keras.Input((12, 12, 3)),
        # Of the last trial alone it is another.
        layers.Rescaling(1 / 255 if next(built) < 3 else 1 / 128, name="scale"),
        layers.Flatten(name="body"),
        layers.Dense(2, dtype="float32"),
      ]
    )

  def training_plan(params):
    return (Phase(name="head", epochs=9, learning_rate=0.1, frozen=("scale", "body")),)

  built, computed = itertools.count(), []
  functions = {"build_model": build_model, "training_plan": training_plan}
  monkeypatch.setitem(sys.modules, "my_model", types.SimpleNamespace(**functions))
  task = dataclasses.replace(TASK, **{name: f"my_model.{name}" for name in functions})
  monkeypatch.setattr(search, "get_task", lambda name: task)
  split = datasets.in_memory({"x": np.ones((20, 12, 12, 3), "uint8")}, np.arange(20) % 2)
  monkeypatch.setattr(search, "load_splits", lambda *args, **kwargs: (split, split))
  features = freezing._features
  monkeypatch.setattr(freezing, "_features", lambda *args: computed.append(1) or features(*args))
  caplog.set_level(logging.INFO, logger=progress.LOGGER_NAME)
  _, record = _search(graph, tmp_path, trials=4, epochs=1)
  assert [trial["epochs"] for trial in record["trials"]] == [1, 1, 1, 1]
  # Train and val, for the first three trials together and for the last.
  assert len(computed) == 4
  assert any(line.startswith("trial 3/4: head epoch 1/1") for line in caplog.messages)


@pytest.mark.parametrize(
  ("epochs", "most", "given"),
  [(12, None, 3), (2, None, 2), (100, None, 25), (12, 5, 5), (4, 5, 4), (101, None, 26)],
)
def test_a_trial_has_a_part_of_the_epochs(epochs, most, given):
  assert trial_epochs(epochs, most=most) == given


def _toy(tmp_path, train, trials=3, monitor=("val_loss", "min"), values=None):
  space = keras_tuner.HyperParameters()
  space.Choice("width", values or list(range(50)), default=0)
  return Search(train, space, monitor=monitor, trials=trials, seed=1, directory=str(tmp_path))


def _record(tmp_path):
  return json.loads((tmp_path / Trials.FILE).read_text())


def test_a_failed_trial_says_why_and_ends_nothing(tmp_path, caplog):
  caplog.set_level(logging.INFO, logger=progress.LOGGER_NAME)

  def train(values, of, after_epoch):
    if of.startswith("trial 1/"):
      raise ValueError("widths must be \x1b[1mpositive\x1b[0m\n\nand more")
    if of.startswith("trial 2/"):
      return [{"val_loss": float("nan")}]
    if of.startswith("trial 3/"):
      raise BadInputError("model.cell must be one of these")
    return [{"val_loss": 3.0}, {"val_loss": float("nan")}, {"val_loss": 2.0}, {"val_loss": 4.0}]

  search = _toy(tmp_path, train, trials=5)
  search.search()
  trials = _record(tmp_path)["trials"]
  assert [trial["state"] for trial in trials] == ["failed"] * 3 + ["complete"] * 2
  assert [trial["error"] for trial in trials] == [
    "ValueError: widths must be positive and more",
    "val_loss was no finite number in any epoch: training diverged",
    "model.cell must be one of these",
    None,
    None,
  ]
  assert [trial["score"] for trial in trials] == [None, None, None, 2.0, 2.0]
  assert [trial["epochs"] for trial in trials] == [0, 1, 0, 4, 4]
  assert (
    "trial 1/5 failed with width 0: ValueError: widths must be positive and more" in caplog.messages
  )
  assert search.get_best_hyperparameters()[0].values == trials[3]["hyperparameters"]


def test_what_fails_every_trial_is_said_once(tmp_path):
  def train(values, of, after_epoch):
    raise BadInputError("the second trial" if of.startswith("trial 2/") else "the model")

  with pytest.raises(DlpipeError) as caught:
    _toy(tmp_path, train, trials=3).search()
  assert str(caught.value) == (
    "No trial of the Tuner came to an end: trials 1, 3: the model; trial 2: the second trial"
  )


def test_the_first_trial_has_the_runs_own_values(tmp_path):
  space = keras_tuner.HyperParameters()
  space.Float("rate", 0.0, 1.0, default=0.125)
  seen = []

  def train(values, of, after_epoch):
    seen.append(values["rate"])
    return [{"val_loss": values["rate"]}]

  monitor = ("val_loss", "min")
  Search(train, space, monitor=monitor, trials=3, seed=1, directory=str(tmp_path)).search()
  assert seen[0] == 0.125
  assert len(set(seen)) == 3


def test_a_search_without_a_result_fails_with_all_reasons(tmp_path):
  def train(values, of, after_epoch):
    raise BadInputError(f"no, said {of[:7]}")

  with pytest.raises(DlpipeError, match="trial 1: no, said trial 1; trial 2: no, said trial 2"):
    _toy(tmp_path, train, trials=2).search()


@pytest.mark.parametrize(("mode", "best"), [("max", 2), ("min", 1)])
def test_the_best_trial_is_by_the_mode(tmp_path, mode, best):
  scores = iter([0.1, 0.9, 0.5])
  search = _toy(tmp_path, lambda *_: [{"val_accuracy": next(scores)}], 3, ("val_accuracy", mode))
  search.search()
  record = _record(tmp_path)
  assert record["best"] == best
  chosen = search.get_best_hyperparameters()[0].values
  assert chosen == record["trials"][best - 1]["hyperparameters"]


def test_a_space_with_fewer_settings_than_trials_says_so(tmp_path, caplog):
  caplog.set_level(logging.INFO, logger=progress.LOGGER_NAME)
  _toy(tmp_path, lambda *_: [{"val_loss": 1.0}], 5, values=[0, 1]).search()
  assert len(_record(tmp_path)["trials"]) == 2
  assert (
    "the search space has no more than 2 settings to try of the 5 that tune.trials asks for"
    in caplog.messages
  )


def _curve(values, of, after_epoch):
  """Eight epochs that end at what the width is worth."""
  history = []
  for epoch in range(1, 9):
    history.append({"val_loss": 100 - values["width"] * epoch / 8})
    after_epoch(history[-1])
  return history


def _spaced(tmp_path, train=_curve, **changes):
  # The own value is the middle of all.
  space = keras_tuner.HyperParameters()
  space.Choice("width", list(range(0, 60, 2)), default=30)
  settings = {"trials": 12, "seed": 1, "monitor": ("val_loss", "min"), **changes}
  return Search(train, space, directory=str(tmp_path), **settings)


def test_hopeless_trials_are_stopped_and_the_best_is_found_all_the_same(tmp_path, caplog):
  caplog.set_level(logging.INFO, logger=progress.LOGGER_NAME)
  _spaced(tmp_path / "whole", stops_early=False).search()
  _spaced(tmp_path / "early").search()
  whole, early = _record(tmp_path / "whole"), _record(tmp_path / "early")
  assert [t["hyperparameters"] for t in early["trials"]] == [
    t["hyperparameters"] for t in whole["trials"]
  ]
  assert early["best"] == whole["best"]
  assert {t["state"] for t in whole["trials"]} == {"complete"}
  stopped = [t for t in early["trials"] if t["state"] == "stopped"]
  assert len(stopped) >= 3
  assert {t["ended_by"] for t in stopped} == {"tune.early_stopping"}
  assert {t["epochs"] for t in stopped} <= {2, 4}
  assert all(len(t["values"]) == t["epochs"] for t in early["trials"])
  assert sum(t["epochs"] for t in early["trials"]) < 0.8 * sum(t["epochs"] for t in whole["trials"])
  said = next(line for line in caplog.messages if "(stopped)" in line)
  assert said.endswith("(stopped), by tune.early_stopping")


def test_a_search_within_a_time(tmp_path, caplog):
  caplog.set_level(logging.INFO, logger=progress.LOGGER_NAME)
  now = [0.0]

  def train(values, of, after_epoch):
    def later(logs):
      now[0] += 5
      after_epoch(logs)

    return _curve(values, of, later)

  for trials in (12, 0):
    now[0] = 0.0
    folder = tmp_path / str(trials)
    _spaced(
      folder, train, trials=trials, minutes=1.6, stops_early=False, clock=lambda: now[0]
    ).search()
    record = _record(folder)
    # Two trials of forty seconds, and sixteen of the third.
    assert [t["epochs"] for t in record["trials"]] == [8, 8, 4]
    assert [t["ended_by"] for t in record["trials"]] == [None, None, "tune.minutes"]
    assert (record["asked"], record["ended_by"]) == (trials, "tune.minutes")
    assert "the time for trials is up after 3 (tune.minutes)" in caplog.messages


def test_a_search_that_was_killed_goes_on_with_what_was_finished(tmp_path):
  kept = tmp_path / "kept" / Trials.FILE
  trained = []

  class Killed(BaseException):
    pass

  def train(values, of, after_epoch):
    if len(trained) == 4:
      raise Killed
    trained.append(values["width"])
    return _curve(values, of, after_epoch)

  with pytest.raises(Killed):
    _spaced(tmp_path / "first", train, trials=6, kept=kept).search()
  before = list(trained)
  trained.clear()
  _spaced(
    tmp_path / "second", lambda *a: trained.append(1) or _curve(*a), trials=6, kept=kept
  ).search()
  _spaced(tmp_path / "whole", trials=6).search()
  assert len(before) == 4
  assert len(trained) == 2
  second, whole = _record(tmp_path / "second"), _record(tmp_path / "whole")
  for record in (second, whole):
    for trial in record["trials"]:
      trial["seconds"] = 0
  assert second == whole


def test_trials_of_another_search_are_not_taken(graph, tmp_path):
  def names(**changes):
    fn_args = _fn_args(graph, tmp_path, **changes)
    fn_args.custom_config["trials_root"] = str(tmp_path / "trials")
    return kept_trials.file_of(fn_args)

  first = names()
  assert names(trials=7) == first  # more of the same
  assert names(widths=[4]) != first
  assert names(epochs=5) != first
  first.parent.mkdir(parents=True)
  first.write_text("{")
  assert kept_trials.read(first) == {}
  names(widths=[4])
  assert not first.parent.exists()
