"""`run_fn` with TFX's own FnArgs on twenty pictures: the export, the record and the checkpoints."""

import dataclasses
import json
import logging
import pathlib
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf
from tfx.components.trainer.fn_args_utils import FnArgs

from dlpipe import progress
from dlpipe.errors import BadInputError
from pipeline.settings.config import TrainConfig
from pipeline.tasks.images.task import TASK
from pipeline.training import callbacks
from pipeline.training.run import run_fn, tuned_values

_SMALL = {"widths": [2], "image_size": 12, "epochs": 2, "batch_size": 10}
_HYPERPARAMETERS = TASK.params.tiny().replace(**_SMALL).as_json()


class Killed(BaseException):
  """What no one catches, as a kill."""


def _fn_args(graph, root, *, hyperparameters=(), tuned=None, checkpoints=True, fixed=(), **train):
  custom_config = {
    "input_bounds": {"max_pixels": 1_000},
    "task": "images",
    "hyperparameters": {**_HYPERPARAMETERS, **dict(hyperparameters)},
    "fixed_epochs": list(fixed),
    "train": {**TrainConfig(mixed_precision=False).model_dump(), **train},
    "code_fingerprint": "f",
  }
  if checkpoints:
    custom_config["checkpoint_root"] = str(root / "checkpoints")
  return FnArgs(
    working_dir=None,
    train_files=graph.files,
    eval_files=graph.files,
    train_steps=None,
    eval_steps=None,
    schema_path=None,
    schema_file=None,
    transform_graph_path=graph.path,
    transform_output=graph.path,
    data_accessor=None,
    serving_model_dir=str(root / "model" / "Format-Serving"),
    eval_model_dir=None,
    model_run_dir=str(root / "run"),
    base_model=None,
    hyperparameters=tuned,
    custom_config=custom_config,
  )


@pytest.fixture(scope="module")
def trained(graph, tmp_path_factory):
  root = tmp_path_factory.mktemp("trained")
  run_fn(_fn_args(graph, root))
  return root


def _history(root):
  return json.loads((root / "run" / "history.json").read_text())


def test_the_history_says_what_was_trained_and_on_what(trained):
  history = _history(trained)
  assert history["hyperparameters"] == _HYPERPARAMETERS
  assert history["precision"] == "float32"
  assert history["train_examples"] == 20
  assert [(r["phase"], r["epoch"]) for r in history["epochs"]] == [("train", 1), ("train", 2)]
  # The first layer's 24 filters of 2 x 2 x 3, two convolutions of 3 x 3 with two filters, each with
  # a norm, and a head of two classes.
  assert history["parameters"] == (288 + 24) + (432 + 8) + (36 + 8) + 6
  assert history["prepare_seconds"] > 0


def test_the_export_answers_as_the_parity_files_say(trained, graph):
  signature = tf.saved_model.load(str(trained / "model" / "Format-Serving")).signatures
  parity = trained / "run" / "parity"
  rows = list(tf.data.TFRecordDataset(str(parity / "examples.tfrecord")).as_numpy_iterator())
  assert rows == graph.examples
  assert json.loads((parity / "input.json").read_text()) == {"input_key": "image"}
  expected = np.load(parity / "expected.npz")
  answer = signature["serving_examples"](examples=tf.constant(rows))
  assert (
    set(answer)
    == set(expected.files)
    == {
      *("label", "score", "scores", "labels"),
      *("set", "familiarity", "decision"),
    }
  )
  np.testing.assert_allclose(answer["scores"], expected["scores"], atol=1e-6)
  assert answer["label"].numpy().tolist() == expected["label"].tolist()


def test_the_request_beside_the_export_is_a_picture_of_the_validation_split(trained, graph):
  path = trained / "model/Format-Serving/assets.extra/tf_serving_warmup_requests"
  [record] = tf.data.TFRecordDataset(str(path)).as_numpy_iterator()
  assert graph.pictures[0] in record


def test_event_files_lie_in_the_run(trained):
  assert list((trained / "run" / "train").rglob("events.out.tfevents.*"))


@pytest.mark.usefixtures("without_export")
@pytest.mark.parametrize(
  ("fixed", "epochs", "said"),
  [
    ((), 4, ["train: 1 epochs are 2 steps; trained for 4 (model.min_steps)"]),
    (("epochs",), 1, []),
    (("head_epochs",), 4, ["train: 1 epochs are 2 steps; trained for 4 (model.min_steps)"]),
  ],
)
def test_a_floor_lifts_a_default_and_not_what_the_user_said(
  graph, tmp_path, caplog, fixed, epochs, said
):
  caplog.set_level(logging.INFO, logger=progress.LOGGER_NAME)
  changes = {"epochs": 1, "min_steps": 8}
  run_fn(_fn_args(graph, tmp_path, hyperparameters=changes, fixed=fixed))
  assert len(_history(tmp_path)["epochs"]) == epochs
  assert [line for line in caplog.messages if "min_steps" in line] == said


@pytest.mark.usefixtures("without_export")
def test_what_the_tuner_found_wins(graph, tmp_path):
  run_fn(_fn_args(graph, tmp_path, tuned={"space": [], "values": {"dropout": 0.125, "epochs": 1}}))
  found = _history(tmp_path)
  assert found["hyperparameters"] == {**_HYPERPARAMETERS, "dropout": 0.125, "epochs": 1}
  assert len(found["epochs"]) == 1


@pytest.mark.parametrize(
  ("hyperparameters", "values"), [(None, {}), ({}, {}), ({"values": {"a": 1}}, {"a": 1})]
)
def test_tuned_values(graph, tmp_path, hyperparameters, values):
  assert tuned_values(_fn_args(graph, tmp_path, tuned=hyperparameters)) == values


def _kill_after_the_first_epoch(graph, root, monkeypatch, **arguments):
  """Leaves a checkpoint; returns its folder and the rows of the history that it has."""
  save = callbacks.Checkpoint._save

  def save_and_die(self, arrays):
    save(self, arrays)
    raise Killed

  with monkeypatch.context() as patch:
    patch.setattr(callbacks.Checkpoint, "_save", save_and_die)
    with pytest.raises(Killed):
      run_fn(_fn_args(graph, root, **arguments))
  [kept] = (root / "checkpoints").iterdir()
  return kept, json.loads(str(np.load(kept / "state.npz")["state"]))["history"]


@pytest.mark.usefixtures("without_export")
def test_a_killed_training_goes_on_and_a_different_one_starts_anew(
  graph, tmp_path, monkeypatch, caplog
):
  _, first_row = _kill_after_the_first_epoch(graph, tmp_path, monkeypatch)
  with caplog.at_level(logging.INFO, logger=progress.LOGGER_NAME):
    run_fn(_fn_args(graph, tmp_path))
  assert "train: going on after epoch 1 of 2" in caplog.messages
  assert _history(tmp_path)["epochs"][:1] == first_row
  assert len(_history(tmp_path)["epochs"]) == 2
  _kill_after_the_first_epoch(graph, tmp_path, monkeypatch)
  run_fn(_fn_args(graph, tmp_path, seed=2))
  assert _history(tmp_path)["epochs"][:1] != first_row
  assert not list((tmp_path / "checkpoints").iterdir())


@pytest.mark.usefixtures("without_export")
def test_a_complete_training_leaves_nothing_to_go_on_from(graph, tmp_path):
  run_fn(_fn_args(graph, tmp_path))
  assert not list((tmp_path / "checkpoints").iterdir())
  first = _history(tmp_path)["epochs"]
  run_fn(_fn_args(graph, tmp_path))
  # Seconds differ from training to training.
  assert _history(tmp_path)["epochs"] != first


def _copied(graph, root):
  """The same files elsewhere."""
  shutil.copytree(graph.path, root / "graph")
  files = []
  for number, file in enumerate(path for each in graph.files for path in tf.io.gfile.glob(each)):
    files.append(str(root / f"{number}-{pathlib.Path(file).name}"))
    shutil.copyfile(file, files[-1])
  return dataclasses.replace(graph, path=str(root / "graph"), files=files)


@pytest.mark.usefixtures("without_export")
def test_other_content_under_the_same_paths_is_another_training(graph, tmp_path, monkeypatch):
  data = _copied(graph, tmp_path)
  _, first_row = _kill_after_the_first_epoch(data, tmp_path, monkeypatch)
  rows = list(tf.data.TFRecordDataset(data.files, "GZIP").as_numpy_iterator())
  for file in data.files[1:]:
    pathlib.Path(file).unlink()
  with tf.io.TFRecordWriter(data.files[0], "GZIP") as writer:
    for row in reversed(rows):
      writer.write(row)
  data = dataclasses.replace(data, files=data.files[:1])
  run_fn(_fn_args(data, tmp_path))
  assert _history(tmp_path)["epochs"][:1] != first_row
  assert len(_history(tmp_path)["epochs"]) == 2


def test_another_transform_graph_under_the_same_path_is_another_training(
  graph, tmp_path, monkeypatch
):
  data = _copied(graph, tmp_path)
  kept, _ = _kill_after_the_first_epoch(data, tmp_path, monkeypatch)
  (tmp_path / "graph" / "more").write_text("as another vocabulary would be")
  other, _ = _kill_after_the_first_epoch(data, tmp_path, monkeypatch)
  assert other != kept


@pytest.mark.usefixtures("without_export")
def test_the_same_content_under_other_paths_is_the_same_training(graph, tmp_path, monkeypatch):
  _, first_row = _kill_after_the_first_epoch(graph, tmp_path, monkeypatch)
  (tmp_path / "elsewhere").mkdir()
  shutil.copytree(graph.path, tmp_path / "elsewhere" / "graph")
  run_fn(_fn_args(dataclasses.replace(graph, path=str(tmp_path / "elsewhere" / "graph")), tmp_path))
  assert _history(tmp_path)["epochs"][:1] == first_row


@pytest.mark.usefixtures("without_export")
def test_a_damaged_checkpoint_does_not_end_a_training(graph, tmp_path, monkeypatch):
  kept, first_row = _kill_after_the_first_epoch(graph, tmp_path, monkeypatch)
  (kept / "state.npz").write_bytes(b"PK\x03\x04 cut short")
  run_fn(_fn_args(graph, tmp_path))
  assert len(_history(tmp_path)["epochs"]) == 2
  assert _history(tmp_path)["epochs"][:1] != first_row
  assert (tmp_path / "checkpoints" / f"{kept.name}-set-aside.npz").is_file()


@pytest.mark.usefixtures("without_export")
def test_without_a_checkpoint_folder_none_is_written(graph, tmp_path):
  run_fn(_fn_args(graph, tmp_path, checkpoints=False, hyperparameters={"epochs": 1}))
  assert sorted(p.name for p in tmp_path.iterdir()) == ["model", "run"]


def test_mixed_precision_serves_float32(graph, tmp_path):
  before = keras.config.dtype_policy()
  try:
    run_fn(_fn_args(graph, tmp_path, mixed_precision=True, hyperparameters={"epochs": 1}))
  finally:
    keras.config.set_dtype_policy(before)
  assert _history(tmp_path)["precision"] == "mixed_float16"
  expected = np.load(tmp_path / "run" / "parity" / "expected.npz")
  assert expected["scores"].dtype == np.float32
  np.testing.assert_allclose(expected["scores"].sum(axis=1), 1, atol=1e-5)


def test_a_worker_that_is_not_the_chief_keeps_no_checkpoint(graph, tmp_path, monkeypatch):
  # One worker of a cluster of one, so that no other has to be there to train with.
  config = {"cluster": {"chief": ["localhost:1"]}, "task": {"type": "worker", "index": 0}}
  monkeypatch.setenv("TF_CONFIG", json.dumps(config))
  run_fn(_fn_args(graph, tmp_path, hyperparameters={"epochs": 1}))
  assert (tmp_path / "model" / "Format-Serving" / "saved_model.pb").is_file()
  assert not (tmp_path / "checkpoints").exists()


def test_an_unknown_task_is_bad_input(graph, tmp_path):
  arguments = _fn_args(graph, tmp_path)
  arguments.custom_config["task"] = "imagse"
  with pytest.raises(BadInputError, match="Did you mean 'images'"):
    run_fn(arguments)
  assert not list(pathlib.Path(tmp_path).iterdir())
