"""A task's folder is moved or copied: every result is found in the cache, and nothing elsewhere."""

import shutil

import pytest
from ml_metadata.proto import metadata_store_pb2

from dlpipe import nodes
from pipeline.execution import node
from pipeline.runs import lineage
from pipeline.runs.store.metadata_stores import open_store, sqlite_connection


@pytest.fixture
def run(reader_pipeline):
  """Returns a function that runs both nodes in a folder; returns their states."""

  def _run(root, run_id, **settings):
    # As Trainer and the pusher have them: folders of the workspace among the parameters.
    inside = {"checkpoints": f"{root}/checkpoints", "serving": [f"{root}/serving"]}
    compiled = node.compile_pipeline(reader_pipeline(root, **inside, **settings), run_id)
    store = sqlite_connection(root / "metadata.db")
    return [node.run_node(compiled, name, store).state for name in node.node_ids(compiled)]

  return _run


def _uris(root):
  with open_store(sqlite_connection(root / "metadata.db")) as handle:
    return {artifact.uri for artifact in handle.store.get_artifacts()}


@pytest.mark.parametrize("name", ["elsewhere", "sp ace ünï", 'quo"te'])
def test_in_a_copy_everything_comes_from_the_cache_without_the_original(run, tmp_path, name):
  old, new = tmp_path / "old" / "test", tmp_path / name / "test"
  assert run(old, "r1") == [nodes.COMPLETE, nodes.COMPLETE]
  shutil.copytree(old, new)
  assert run(new, "r2") == [nodes.CACHED, nodes.CACHED]
  # What comes from the original would be none of the copy's.
  assert all(uri.startswith(f"{new}/") for uri in _uris(new))
  shutil.rmtree(old)
  assert run(new, "r3") == [nodes.CACHED, nodes.CACHED]
  assert run(new, "r4", other=1) == [nodes.CACHED, nodes.COMPLETE]


def test_a_copy_and_its_original_go_separate_ways(run, tmp_path):
  old, new = tmp_path / "old" / "test", tmp_path / "new" / "test"
  run(old, "r1")
  shutil.copytree(old, new)
  assert run(new, "r2", other=1) == [nodes.CACHED, nodes.COMPLETE]
  assert run(old, "r3", other=1) == [nodes.CACHED, nodes.COMPLETE]
  assert all(uri.startswith(f"{old}/") for uri in _uris(old))


def test_what_another_folder_holds_is_no_result_of_this_one(run, tmp_path):
  """A parameter that names a folder elsewhere is another parameter, however alike."""
  root = tmp_path / "test"
  run(root, "r1", data=f"{tmp_path}/a")
  assert run(root, "r2", data=f"{tmp_path}/b") == [nodes.CACHED, nodes.COMPLETE]


def test_the_runs_of_a_copy_are_told_with_the_paths_of_the_copy(run, tmp_path):
  old, new = tmp_path / "old" / "test", tmp_path / "new" / "test"
  run(old, "r1")
  old.parent.rename(new.parent)
  with open_store(sqlite_connection(new / "metadata.db")) as handle:
    shown = lineage.show_run(handle, "r1")
    [reader] = [e for e in handle.store.get_executions() if "Reader" in e.type]
  assert str(old) not in str(shown)
  assert str(new / "artifacts") in str(shown)
  assert f"{new}/checkpoints" in reader.custom_properties["settings"].string_value


def test_a_store_elsewhere_keeps_the_paths_as_they_are(run, tmp_path):
  """Nothing beside such a file is the workspace's, so it has nothing to stand for."""
  elsewhere = sqlite_connection(tmp_path / "stores" / "metadata.db")
  with open_store(elsewhere) as handle:
    kind = metadata_store_pb2.ArtifactType(name="Thing")
    artifact = metadata_store_pb2.Artifact(
      type_id=handle.store.put_artifact_type(kind), uri=str(tmp_path / "ws" / "thing")
    )
    handle.store.put_artifacts([artifact])
  (tmp_path / "stores").rename(tmp_path / "moved")
  with open_store(sqlite_connection(tmp_path / "moved" / "metadata.db")) as handle:
    [found] = handle.store.get_artifacts()
  assert found.uri == artifact.uri
