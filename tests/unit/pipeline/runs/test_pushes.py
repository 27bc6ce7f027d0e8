"""A push from the cache counts only where its version is still what was pushed."""

import shutil

import pytest
from ml_metadata.proto import metadata_store_pb2
from tfx.dsl.components.common.importer import Importer
from tfx.orchestration.pipeline import Pipeline
from tfx.types import standard_artifacts

from components.versioned_pusher.component import VersionedPusher
from components.versioned_pusher.version_folders import is_whole, list_versions
from dlpipe import nodes
from pipeline.execution import node
from pipeline.runs.pushes import pushed_version, was_refused
from pipeline.runs.store.metadata_stores import sqlite_connection


@pytest.fixture
def push(tmp_path):
  """Runs importers of a blessed model, and the pusher; returns the pusher's state."""
  export = tmp_path / "model" / "Format-Serving"
  export.mkdir(parents=True)
  (export / "saved_model.pb").write_bytes(b"graph")

  def run(run_id, served="serving"):
    imported = {}
    for name, kind, properties in (
      ("model", standard_artifacts.Model, {}),
      ("verdict", standard_artifacts.ModelBlessing, {"blessed": 1}),
      ("gate", standard_artifacts.InfraBlessing, {"blessed": 1}),
      ("behaviour", standard_artifacts.InfraBlessing, {"blessed": 1}),
    ):
      (tmp_path / name).mkdir(exist_ok=True)
      imported[name] = Importer(
        source_uri=str(tmp_path / name), artifact_type=kind, custom_properties=properties
      ).with_id(name)
    pusher = VersionedPusher(
      model=imported["model"].outputs["result"],
      model_blessing=imported["verdict"].outputs["result"],
      behaviour_blessing=imported["behaviour"].outputs["result"],
      infra_blessing=imported["gate"].outputs["result"],
      serving_dir=str(tmp_path / served),
    )
    pipeline = Pipeline(
      pipeline_name="test",
      pipeline_root=str(tmp_path / "artifacts"),
      components=[*imported.values(), pusher],
      enable_cache=True,
    )
    compiled = node.compile_pipeline(pipeline, run_id)
    store = sqlite_connection(tmp_path / "metadata.db")
    return [node.run_node(compiled, each, store) for each in node.node_ids(compiled)][-1].state

  return run


@pytest.mark.parametrize(
  "damage",
  [
    lambda version: shutil.rmtree(version),
    lambda version: (version / "saved_model.pb").write_bytes(b""),
    lambda version: (version / "dlpipe.json").unlink(),
  ],
)
def test_what_is_gone_or_damaged_is_pushed_again(push, tmp_path, damage):
  assert push("r1") == nodes.COMPLETE
  assert push("r2") == nodes.CACHED
  damage(tmp_path / "serving" / "1")
  assert push("r3") == nodes.COMPLETE
  assert max(list_versions(tmp_path / "serving")) == 2
  assert is_whole(tmp_path / "serving", 2)
  assert push("r4") == nodes.CACHED


def test_a_push_to_another_folder_says_nothing_of_this_one(push, tmp_path):
  (tmp_path / "elsewhere" / "5").mkdir(parents=True)
  assert push("r1") == nodes.COMPLETE
  assert push("r2", "elsewhere") == nodes.COMPLETE
  assert list_versions(tmp_path / "elsewhere") == [5, 6]
  assert push("r3") == nodes.CACHED


@pytest.mark.parametrize(("pushed", "version"), [(1, 12), (0, None), (None, None)])
def test_a_model_that_was_refused_has_no_version(pushed, version):
  artifact = metadata_store_pb2.Artifact(type="PushedModel")
  artifact.custom_properties["pushed_version"].string_value = "12"
  if pushed is not None:
    artifact.custom_properties["pushed"].int_value = pushed
  assert pushed_version(artifact) == version
  assert was_refused([artifact]) == (version is None)
