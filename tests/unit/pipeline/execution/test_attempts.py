"""A node run again under the same run id: after success, failure, a kill, and beside another."""

import os
import pathlib
import subprocess
import sys

import pytest
from ml_metadata.proto import metadata_store_pb2
from tensorflow_metadata.proto.v0 import statistics_pb2
from tfx.components import SchemaGen
from tfx.dsl.components.common.importer import Importer
from tfx.orchestration.pipeline import Pipeline
from tfx.types import standard_artifacts

from components.reviewed_schema import ReviewedSchema
from dlpipe import nodes
from dlpipe.errors import BusyError
from dlpipe.workspace import TaskFolder
from pipeline.execution import at_work, node
from pipeline.runs.store import executions
from pipeline.runs.store.metadata_stores import open_store, sqlite_connection

_ROOT = pathlib.Path(__file__).resolve().parents[4]
_STATISTICS = statistics_pb2.DatasetFeatureStatisticsList(
  datasets=[statistics_pb2.DatasetFeatureStatistics(num_examples=1)]
)


@pytest.fixture
def store(tmp_path):
  return sqlite_connection(tmp_path / "metadata.db")


@pytest.fixture
def compiled(tmp_path):
  """Returns a function that compiles, for a run, statistics that are there and a SchemaGen."""

  def compile_for(run_id):
    (tmp_path / "statistics" / "Split-train").mkdir(parents=True, exist_ok=True)
    (tmp_path / "statistics" / "Split-train" / "FeatureStats.pb").write_bytes(
      _STATISTICS.SerializeToString()
    )
    statistics = Importer(
      source_uri=str(tmp_path / "statistics"),
      artifact_type=standard_artifacts.ExampleStatistics,
      properties={"split_names": '["train"]'},
    ).with_id("Statistics")
    pipeline = Pipeline(
      pipeline_name="test",
      pipeline_root=str(tmp_path / "artifacts"),
      components=[statistics, SchemaGen(statistics=statistics.outputs["result"])],
      enable_cache=False,
    )
    return node.compile_pipeline(pipeline, run_id)

  return compile_for


@pytest.fixture
def reviewed(tmp_path):
  """Returns a function that compiles one node for a run."""

  def compile_for(run_id):
    pipeline = Pipeline(
      pipeline_name="test",
      pipeline_root=str(tmp_path / "artifacts"),
      components=[ReviewedSchema(text="feature {}")],
      enable_cache=False,
    )
    return node.compile_pipeline(pipeline, run_id)

  return compile_for


def test_a_node_that_succeeded_is_left_alone(reviewed, store):
  first = node.run_node(reviewed("r1"), "ReviewedSchema", store)
  with open_store(store) as handle:
    [made] = executions.outputs(handle.store, first.execution_id).values()
  file = pathlib.Path(made.uri) / "schema.pbtxt"
  file.write_text("touched")
  again = node.run_node(reviewed("r1"), "ReviewedSchema", store)
  assert (again.state, again.execution_id) == (nodes.COMPLETE, first.execution_id)
  assert file.read_text() == "touched"
  assert node.run_node(reviewed("r2"), "ReviewedSchema", store).execution_id != first.execution_id


def _killed(compiled, store):
  """What is left of a node whose process was killed while it wrote."""
  node.run_node(compiled, "ReviewedSchema", store)
  with open_store(store) as handle:
    [execution] = handle.store.get_executions()
    execution.last_known_state = metadata_store_pb2.Execution.RUNNING
    handle.store.put_executions([execution])
    [made] = executions.outputs(handle.store, execution.id).values()
  return execution.id, pathlib.Path(made.uri)


def test_after_a_kill_a_node_starts_anew_in_an_empty_folder(reviewed, store):
  execution_id, folder = _killed(reviewed("r1"), store)
  (folder / "half-written").write_text("x")
  again = node.run_node(reviewed("r1"), "ReviewedSchema", store)
  assert (again.state, again.execution_id) == (nodes.COMPLETE, execution_id)
  assert [p.name for p in folder.iterdir()] == ["schema.pbtxt"]


def test_a_new_metadata_store_meets_no_files_of_the_one_before(reviewed, store, tmp_path):
  _, folder = _killed(reviewed("r1"), store)
  (folder / "of-before").write_text("x")
  temporary = folder.parents[1] / ".system" / "executor_execution" / "1" / ".temp" / "1"
  temporary.mkdir(parents=True, exist_ok=True)
  (temporary / "of-before").write_text("x")
  for file in tmp_path.glob("metadata.db*"):
    file.unlink()
  again = node.run_node(reviewed("r2"), "ReviewedSchema", store)
  assert (again.state, again.execution_id) == (nodes.COMPLETE, 1)
  with open_store(store) as handle:
    [made] = executions.outputs(handle.store, 1).values()
  assert pathlib.Path(made.uri) == folder
  assert [p.name for p in folder.iterdir()] == ["schema.pbtxt"]
  assert not list(tmp_path.rglob("of-before"))


def test_lineage_is_whole_where_the_first_attempt_had_no_inputs_yet(compiled, store):
  assert node.run_node(compiled("r1"), "SchemaGen", store).state == nodes.FAILED
  assert node.run_node(compiled("r1"), "Statistics", store).state == nodes.COMPLETE
  again = node.run_node(compiled("r1"), "SchemaGen", store)
  assert again.state == nodes.COMPLETE
  with open_store(store) as handle:
    found = handle.store.get_events_by_execution_ids([again.execution_id])
    [given] = [e for e in found if e.type == metadata_store_pb2.Event.INPUT]
    [artifact] = handle.store.get_artifacts_by_id([given.artifact_id])
  assert given.path.steps[0].key == "statistics"
  assert artifact.uri.endswith("/statistics")


_HOLD = """
import pathlib, sys
from tfx.proto.orchestration import pipeline_pb2
from pipeline.execution import attempts
compiled = pipeline_pb2.Pipeline.FromString(pathlib.Path(sys.argv[1]).read_bytes())
with attempts.alone(compiled, "ReviewedSchema"):
  print("ready", flush=True)
  sys.stdin.read()
"""


def test_the_same_node_of_the_same_run_runs_once_at_a_time(reviewed, store, tmp_path):
  (tmp_path / "compiled.pb").write_bytes(reviewed("r/1").SerializeToString())
  with subprocess.Popen(
    [sys.executable, "-c", _HOLD, tmp_path / "compiled.pb"],
    env={**os.environ, "PYTHONPATH": str(_ROOT)},
    stdin=subprocess.PIPE,
    stdout=subprocess.PIPE,
    text=True,
  ) as holder:
    assert holder.stdout.readline() == "ready\n"
    assert at_work.run_ids(TaskFolder(tmp_path)) == {"r/1"}
    outcome = node.run_node(reviewed("r/1"), "ReviewedSchema", store)
    assert isinstance(outcome.error, BusyError)
    assert str(outcome.error).startswith(
      "ReviewedSchema of the run r/1 is at work in another process"
    )
    assert node.run_node(reviewed("r2"), "ReviewedSchema", store).state == nodes.COMPLETE
    holder.stdin.close()
  assert node.run_node(reviewed("r/1"), "ReviewedSchema", store).state == nodes.COMPLETE
  assert list((tmp_path / "artifacts" / ".running").iterdir()) == []
  assert at_work.run_ids(TaskFolder(tmp_path)) == set()
