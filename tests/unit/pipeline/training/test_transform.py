"""The function that TFX's Transform calls gives a task's own its settings."""

import sys
import types

import pytest

from dlpipe.errors import BadInputError
from pipeline.training.transform import preprocessing_fn


@pytest.fixture
def config(monkeypatch):
  def own(inputs, params):
    return {"pixels": (inputs["image"], getattr(params, read[0]))}

  read = ["image_size"]
  monkeypatch.setitem(sys.modules, "my_preprocessing", types.SimpleNamespace(own=own))
  given = {
    "preprocessing_fn": "my_preprocessing.own",
    "params": "pipeline.tasks.images.params.ImageParams",
    "hyperparameters": {"image_size": 28},
    "code_fingerprint": "f",
  }
  return given, read


def test_settings_are_read_by_name(config):
  given, _ = config
  assert preprocessing_fn({"image": b"a"}, given) == {"pixels": (b"a", 28)}


def test_a_setting_that_does_not_run_transform_again_cannot_be_read(config):
  given, read = config
  read[0] = "widths"
  with pytest.raises(BadInputError, match="preprocessing_fn reads widths, and Transform would not"):
    preprocessing_fn({"image": b"a"}, given)
