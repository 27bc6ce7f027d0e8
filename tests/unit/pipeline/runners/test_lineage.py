"""Runs read back from a metadata store: their states, whoever shares the store."""

import pytest
from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration.pipeline import Pipeline

from components.errors import BadInputError
from components.reviewed_schema import ReviewedSchema
from pipeline.runners import lineage, node
from pipeline.runners.metadata_stores import open_store, sqlite_connection


@pytest.fixture
def store(tmp_path):
  return sqlite_connection(tmp_path / "metadata.db")


@pytest.fixture
def run(store, tmp_path):
  """Returns a function that runs one node of a pipeline."""

  def run_one(pipeline_name, run_id, *, name="ReviewedSchema", text="feature {}"):
    pipeline = Pipeline(
      pipeline_name=pipeline_name,
      pipeline_root=str(tmp_path / pipeline_name),
      components=[ReviewedSchema(text=text).with_id(name)],
      enable_cache=True,
    )
    return node.run_node(node.compile_pipeline(pipeline, run_id), name, store)

  return run_one


def test_a_store_that_is_new_has_no_runs(store):
  with open_store(store) as handle:
    assert lineage.list_runs(handle) == []
    assert lineage.show_run(handle, "r1") is None


def test_runs_of_one_name_in_two_pipelines_stay_apart(store, run):
  first, other = run("images", "r1"), run("sentiment", "r1")
  run("images", "r2")
  with open_store(store) as handle:
    listed = lineage.list_runs(handle)
    assert [(r.task, r.run_id, r.state) for r in lineage.list_runs(handle, "images")] == [
      ("images", "r2", "done"),
      ("images", "r1", "done"),
    ]
    shown = lineage.show_run(handle, "r1", "sentiment")
    with pytest.raises(BadInputError, match="Several tasks have a run 'r1': images, sentiment."):
      lineage.show_run(handle, "r1")
  assert {(r.task, r.run_id) for r in listed} == {
    ("images", "r1"),
    ("images", "r2"),
    ("sentiment", "r1"),
  }
  [only] = shown.nodes
  assert only["execution_id"] == other.execution_id != first.execution_id
  assert only["state"] == "COMPLETE"
  assert list(only["outputs"]) == ["schema"]
  assert only["outputs"]["schema"].endswith(
    f"/sentiment/ReviewedSchema/schema/{only['execution_id']}"
  )
  assert "nodes" not in shown.to_json(with_nodes=False)


@pytest.mark.parametrize(
  ("name", "state"),
  [("ReviewedSchema", "failed"), ("DataGate", "refused_data")],
)
def test_a_failure_is_told_from_a_refusal(store, run, name, state):
  assert run("images", "r1", name=name, text="no schema").state == "FAILED"
  with open_store(store) as handle:
    assert [r.state for r in lineage.list_runs(handle)] == [state]


def test_a_node_at_work_or_a_pusher_that_is_missing_leaves_a_run_unfinished(store, run):
  outcome = run("images", "r1")
  run("images", "r2", name="Trainer")
  with open_store(store) as handle:
    [execution] = handle.store.get_executions_by_id([outcome.execution_id])
    execution.last_known_state = metadata_store_pb2.Execution.RUNNING
    handle.store.put_executions([execution])
    assert {r.run_id: r.state for r in lineage.list_runs(handle)} == {
      "r1": "unfinished",
      "r2": "unfinished",
    }
