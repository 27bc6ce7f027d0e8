"""What callers in Python say, from their words to a configuration's."""

from __future__ import annotations

import dataclasses
import pathlib

import numpy as np
import pytest

from dlpipe.errors import BadInputError
from pipeline.api.running import run
from pipeline.api.values import as_settings, local_path, prepared, task_named
from pipeline.tasks import get_task

TASK = get_task("images")
_ARGUMENTS = ("task", "data", "workspace")


def _settings(settings=None, **sections):
  return as_settings(TASK, settings, sections, arguments=_ARGUMENTS)


def test_sections_and_full_names_come_to_the_same():
  assert _settings({"data.recursive": True}, train={"epochs": 3}) == {
    "data.recursive": True,
    "train.epochs": 3,
  }


def test_values_of_a_notebook_become_pythons_own():
  found = _settings(
    train={"epochs": np.int64(3), "learning_rate": np.float64(0.5)},
    model={"weights": pathlib.Path("w.h5"), "widths": (np.int32(2), 4)},
  )
  assert found == {
    "train.epochs": 3,
    "train.learning_rate": 0.5,
    "model.weights": "w.h5",
    "model.widths": [2, 4],
  }
  assert [type(value) for value in found.values()] == [int, float, str, list]
  assert type(found["model.widths"][0]) is int


@pytest.mark.parametrize(
  ("settings", "sections", "message"),
  [
    (None, {"epochs": 3}, r"There is no argument 'epochs'. Did you mean train={'epochs': 3}\?"),
    (None, {"workspce": "w"}, r"There is no argument 'workspce'. Did you mean 'workspace'\?"),
    (None, {"trian": 1}, r"There is no argument 'trian'. Did you mean 'train'\?"),
    (None, {"xyz": 1}, "There is no argument 'xyz'. Known: task, data, workspace, "),
    (None, {"train": 3}, "train takes a dictionary of settings. Received: train=3"),
    ("train.epochs=3", {}, "settings takes a dictionary of full names, .* Received: 'train.epoc"),
    ({"train.epochs": 2}, {"train": {"epochs": 3}}, "train.epochs stands in settings and in train"),
    ({3: 2}, {}, "A setting's name must be text. Received: 3"),
  ],
)
def test_what_is_no_setting_is_told_with_what_was_meant(settings, sections, message):
  with pytest.raises(BadInputError, match=message):
    _settings(settings, **sections)


@pytest.mark.parametrize(
  ("path", "message"),
  [
    (3, "data takes a path. Received: data=3"),
    (b"x", "data takes a path. Received: data=b'x'"),
    ("", "data takes a path. Received an empty text"),
    ("gs://bucket/pictures", "data takes a path on this machine. Received: 'gs://bucket"),
  ],
)
def test_a_path_is_one_on_this_machine(path, message):
  with pytest.raises(BadInputError, match=message):
    local_path("data", path)


def test_a_task_is_the_one_of_its_folder():
  """Its nodes read it by name; of a copy, they would run the original in silence."""
  assert task_named("images") is TASK
  assert task_named(TASK) is TASK
  assert task_named(dataclasses.replace(TASK)) is TASK
  with pytest.raises(BadInputError, match="not the one that its folder holds"):
    task_named(dataclasses.replace(TASK, gates=()))
  with pytest.raises(BadInputError, match="task must be a task's name or a dlpipe.Task"):
    task_named(None)


def _prepared(data, **given):
  options = {"settings": None, "sections": {}, "workspace": None, "config": None, "tiny": False}
  options |= {"beam": None, "mlmd": None}
  return prepared(run, "images", data=data, **options | given)


def test_what_is_said_wins_over_the_file(class_folders, tmp_path):
  (tmp_path / "settings.yaml").write_text("train: {epochs: 9, batch_size: 8}\n")
  inputs = _prepared(
    class_folders("cat", "dog"),
    config=tmp_path / "settings.yaml",
    sections={"train": {"epochs": 3}},
    workspace=tmp_path / "w",
  )
  assert (inputs.params.epochs, inputs.params.batch_size) == (3, 8)
  assert inputs.config.workspace == str(tmp_path / "w")


@pytest.mark.parametrize(
  ("given", "message"),
  [
    ({"sections": {"train": {"epoch": 3}}}, "Did you mean train.epochs?"),
    (
      {"sections": {"train": {"epochs": "3"}}},
      "settings: train.epochs must be null or a whole number",
    ),
    ({"sections": {"train": {"epochs": 0}}}, "of at least 1, such as 16. Received: 0"),
    ({"settings": {"kubeflow.retries": 1}}, "alone reads it"),
    ({"beam": "slurm"}, "beam.runner"),
  ],
)
def test_a_wrong_setting_is_refused_in_words(class_folders, given, message):
  with pytest.raises(BadInputError) as refused:
    _prepared(class_folders("cat", "dog"), **given)
  assert message in str(refused.value)
