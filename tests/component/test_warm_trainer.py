"""The Trainer's driver: from which model a training begins, and that nothing trains for ever."""

from __future__ import annotations

import json

import pytest
from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration import metadata
from tfx.orchestration.portable import data_types
from tfx.types import standard_artifacts

from components.training_base import Base
from components.versioned_pusher.publish import publish
from components.warm_trainer import Driver


class Place:
  """A served directory, a metadata store, and trainings."""

  def __init__(self, root):
    self.root = root
    self.serving = root / "serving"
    config = metadata_store_pb2.ConnectionConfig()
    config.sqlite.filename_uri = str(root / "metadata.db")
    config.sqlite.connection_mode = 3
    self.store = metadata.Metadata(config)
    with self.store:
      pass
    self.examples = 1

  def serve(self, name):
    model = self.root / name
    model.mkdir()
    (model / "saved_model.pb").write_bytes(name.encode())
    return publish(model, self.serving)

  def begun(self, **config):
    """What the driver of a new training decides: the base, and its model artifact."""
    examples, model = standard_artifacts.Examples(), standard_artifacts.Model()
    examples.id = self.examples
    given = {"serving_dir": str(self.serving), "checkpoint_root": "x", **config}
    decided = Driver(self.store).run(
      data_types.ExecutionInfo(
        input_dict={"examples": [examples]},
        output_dict={"model": [model]},
        exec_properties={"custom_config": json.dumps(given), "run_fn": "f"},
      )
    )
    said = json.loads(decided.exec_properties["custom_config"].string_value)
    [artifact] = decided.output_artifacts["model"].artifacts
    return Base.of(said), artifact

  def train(self, name, **config):
    """A training that ends: its model is in the store."""
    base, artifact = self.begun(**config)
    folder = self.root / "artifacts" / name
    (folder / "Format-Serving").mkdir(parents=True)
    with self.store as handle:
      artifact.type_id = handle.store.put_artifact_type(
        metadata_store_pb2.ArtifactType(name=standard_artifacts.Model.TYPE_NAME)
      )
      artifact.uri = str(folder)
      handle.store.put_artifacts([artifact])
    return base, folder


@pytest.fixture
def place(tmp_path):
  return Place(tmp_path)


def test_a_training_begins_from_what_is_served(place):
  assert place.begun()[0] is None
  place.serve("one")
  base, _ = place.begun()
  assert (base.version, base.path) == (1, str(place.serving / "1"))
  place.serve("two")
  assert place.begun()[0].version == 2


def test_the_same_training_keeps_its_base_though_its_own_model_is_served_now(place):
  place.serve("one")
  assert place.train("first")[0].version == 1
  place.serve("two")
  assert place.begun()[0].version == 1
  # Where the workspace lies is no other training.
  assert place.begun(checkpoint_root="elsewhere")[0].version == 1
  assert place.begun(train={"seed": 2})[0].version == 2
  place.examples = 5
  assert place.begun()[0].version == 2


def test_a_first_training_stays_cold_when_it_is_asked_for_again(place):
  assert place.train("first")[0] is None
  place.serve("one")
  assert place.begun()[0] is None


def test_a_training_whose_model_is_gone_begins_anew(place):
  place.serve("one")
  _, folder = place.train("first")
  place.serve("two")
  (folder / "Format-Serving").rmdir()
  assert place.begun()[0].version == 2


def test_a_damaged_version_is_no_base(place):
  place.serve("one")
  (place.serving / "1" / "saved_model.pb").write_bytes(b"other bytes")
  assert place.begun()[0] is None
