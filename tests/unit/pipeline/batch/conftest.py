"""A task of its own with a tiny pushed model, whose answers are known."""

from __future__ import annotations

import pathlib
import sys

import pytest

import pipeline.tasks

_TEXT = """
import dataclasses

from pipeline.params import DataOptions
from pipeline.tasks.sentiment.task import TASK as SENTIMENT

TASK = dataclasses.replace(
  SENTIMENT,
  name="toy",
  input=dataclasses.replace(SENTIMENT.input, value=str),
  data_options=DataOptions,
)
"""
_FILES = """
import dataclasses
import pathlib

from dlpipe.errors import BadInputError
from pipeline.params import DataOptions
from pipeline.tasks.images.task import TASK as IMAGES


def read(path):
  try:
    return pathlib.Path(path).read_bytes()
  except OSError as err:
    raise BadInputError(f"Cannot read {path!r}: {err.strerror}.") from err


TASK = dataclasses.replace(
  IMAGES,
  name="blobs",
  input=dataclasses.replace(IMAGES.input, key="blob", value=read),
  data_options=DataOptions,
)
"""


def save_model(path: pathlib.Path, input_name: str) -> pathlib.Path:
  """Saves a model: the label is the value in capitals, the score 1 / (1 + its bytes).

  It cannot answer a batch with the value `boom` in it.
  """
  import tensorflow as tf

  module = tf.Module()

  @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name=input_name)])
  def answer(values):
    fine = tf.debugging.assert_none_equal(values, "boom", message="boom is no value")
    with tf.control_dependencies([fine]):
      score = 1 / (1 + tf.cast(tf.strings.length(values), tf.float32))
    return {
      "score": score,
      "label": tf.strings.upper(values, encoding="utf-8"),
      "scores": tf.stack([score, 1 - score], axis=1),
    }

  module.answer = answer
  tf.saved_model.save(module, str(path), signatures={"serving_default": answer})
  return path


@pytest.fixture(scope="session")
def text_model(tmp_path_factory) -> pathlib.Path:
  return save_model(tmp_path_factory.mktemp("model") / "1", "text")


@pytest.fixture(scope="session")
def blob_model(tmp_path_factory) -> pathlib.Path:
  return save_model(tmp_path_factory.mktemp("model") / "1", "blob")


@pytest.fixture
def task_folder(tmp_path) -> pathlib.Path:
  """A folder of tasks: `toy` takes texts, `blobs` takes files."""
  folder = tmp_path / "tasks"
  for name, source in (("toy", _TEXT), ("blobs", _FILES)):
    (folder / name).mkdir(parents=True)
    (folder / name / "task.py").write_text(source, encoding="utf-8")
  return folder


@pytest.fixture
def tasks(task_folder, monkeypatch):
  """Returns a function from the name of one of these tasks to its record."""
  places = [*pipeline.tasks.__path__, str(task_folder)]
  monkeypatch.setattr(pipeline.tasks, "__path__", places)
  for name in ("toy", "blobs"):
    monkeypatch.delitem(sys.modules, f"pipeline.tasks.{name}.task", raising=False)
    monkeypatch.delitem(sys.modules, f"pipeline.tasks.{name}", raising=False)
  return pipeline.tasks.get_task
