"""Warm starts of the images task on twenty pictures, as `run_fn` makes them."""

from __future__ import annotations

import json
import logging
import pathlib
import shutil

import attr
import numpy as np
import pytest
import tensorflow as tf
from tfx.components.trainer.fn_args_utils import FnArgs

from components.versioned_pusher.version_folders import content_digest
from dlpipe import progress
from pipeline.settings.config import TrainConfig
from pipeline.tasks.images.task import TASK
from pipeline.training.run import run_fn
from pipeline.training.training_record import TrainingRecord, WarmStart
from pipeline.training.warm import weights_file

_SMALL = {"widths": [2], "image_size": 12, "epochs": 6, "batch_size": 10}


def _trained(
  graph, root, *, base=None, digest=None, serving=None, fixed=(), model=None, **settings
):
  """Trains; `base` names the version in `serving` to begin from, `digest` its files."""
  if base and digest is None:
    digest = content_digest(serving / str(base))
  config = {
    "input_bounds": {"max_pixels": 1_000},
    "task": "images",
    "hyperparameters": TASK.params.tiny().replace(**{**_SMALL, **(model or {})}).as_json(),
    "fixed_epochs": list(fixed),
    "train": TrainConfig(mixed_precision=False, **settings).model_dump(),
    "code_fingerprint": "f",
    "serving_dir": str(serving),
    "base": {"version": base, "sha256": digest} if base else {},
  }
  arguments = {field.name: None for field in attr.fields(FnArgs)}
  run_fn(
    FnArgs(
      **{
        **arguments,
        "train_files": graph.files,
        "eval_files": graph.files,
        "transform_graph_path": graph.path,
        "transform_output": graph.path,
        "serving_model_dir": str(root / "model"),
        "model_run_dir": str(root / "run"),
        "custom_config": config,
      }
    )
  )
  return TrainingRecord.read(root / "run")


@pytest.fixture(scope="module")
def serving(graph, tmp_path_factory):
  """A served directory whose version 1 was trained from nothing, and its record."""
  root = tmp_path_factory.mktemp("cold")
  record = _trained(graph, root)
  shutil.copytree(root / "model", root / "serving" / "1")
  return root / "serving", record


def _said(caplog):
  return [record.getMessage() for record in caplog.records]


def test_a_warm_start_begins_where_the_served_model_ended(graph, serving, tmp_path, caplog):
  caplog.set_level(logging.INFO, logger=progress.LOGGER_NAME)
  place, cold = serving
  record = _trained(
    graph, tmp_path, base=1, serving=place, warm_start=True, model={"learning_rate": 1e-9}
  )
  warm = record.warm_start
  assert (warm.version, warm.rows) == (1, {"classes": (2, 2)})
  assert warm.weights[0] == warm.weights[1] > 5
  assert any(line.startswith("warm start from version 1: carried ") for line in _said(caplog))
  assert len(record.epochs) == 2  # a quarter of six
  before, after = (
    tf.saved_model.load(str(path)).signatures["serving_examples"](
      examples=tf.constant(graph.examples)
    )
    for path in (place / "1", tmp_path / "model")
  )
  # Steps of 1e-9 change nothing but the statistics of batches, which began where they were.
  np.testing.assert_allclose(before["scores"], after["scores"], atol=0.2)
  assert warm.cold["best"] == cold_best(cold)
  assert warm.comparison().startswith("val_accuracy ")
  assert weights_file.read(tmp_path / "model").generation == 1


def cold_best(record):
  return max(row["val_accuracy"] for row in record.epochs)


@pytest.mark.usefixtures("without_export")
def test_epochs_that_the_user_set_hold(graph, serving, tmp_path):
  place, _ = serving
  record = _trained(graph, tmp_path, base=1, serving=place, warm_start=True, fixed=("epochs",))
  assert len(record.epochs) == 6


@pytest.mark.usefixtures("without_export")
@pytest.mark.parametrize(
  ("given", "reason"),
  [
    ({}, "no model that was pushed is served, or it is damaged"),
    ({"base": 7}, "version 7 is gone, or damaged by now"),
    ({"base": 8}, "version 8 does not say what its weights stand for"),
    ({"base": 1, "cold_every": 1}, "train.cold_every=1"),
  ],
)
def test_a_cold_start_says_why(graph, serving, tmp_path, given, reason):
  place, _ = serving
  (place / "8").mkdir(exist_ok=True)
  (place / "8" / "saved_model.pb").write_bytes(b"of an older release")
  record = _trained(graph, tmp_path, serving=place, warm_start=True, **given)
  assert (record.warm_start.version, record.warm_start.cold_because) == (None, reason)
  assert len(record.epochs) == 6
  assert record.warm_start.comparison() == ""
  assert weights_file.read(tmp_path / "model").generation == 0


@pytest.mark.usefixtures("without_export")
def test_another_architecture_is_told_and_trained_from_nothing(graph, serving, tmp_path):
  place, _ = serving
  record = _trained(graph, tmp_path, base=1, serving=place, warm_start=True, model={"widths": [3]})
  warm = record.warm_start
  assert warm.version is None
  assert warm.cold_because.startswith("version 1 has another architecture, and only ")
  assert len(record.epochs) == 6  # not a quarter: hardly anything was learnt before


@pytest.mark.usefixtures("without_export")
def test_a_version_that_was_damaged_since_is_not_begun_from(graph, serving, tmp_path):
  place, _ = serving
  record = _trained(
    graph, tmp_path, base=1, digest="of what was pushed", serving=place, warm_start=True
  )
  assert record.warm_start.cold_because == "version 1 is gone, or damaged by now"


@pytest.mark.usefixtures("without_export")
def test_without_the_setting_nothing_is_carried_or_recorded(graph, serving, tmp_path):
  place, _ = serving
  record = _trained(graph, tmp_path, base=1, serving=place)
  assert record.warm_start is None
  assert "warm_start" in json.loads((pathlib.Path(tmp_path) / "run/history.json").read_text())


def test_nothing_is_compared_with_another_metric():
  measured = {"metric": "val_loss", "best": 1.0, "seconds": 2.0}
  other = {**measured, "metric": "val_accuracy"}
  assert WarmStart(version=1, measured=measured, cold=measured).comparison()
  assert not WarmStart(version=1, measured=measured, cold=other).comparison()
