"""Runs read back from a metadata store: their states, whoever shares the store."""

import pytest
from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration.pipeline import Pipeline

from components.reviewed_schema import ReviewedSchema
from dlpipe.errors import BadInputError
from pipeline.execution import node
from pipeline.runs import lineage
from pipeline.runs.store import executions
from pipeline.runs.store.metadata_stores import open_store, sqlite_connection


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


@pytest.mark.parametrize(("settings", "state"), [("refused", "refused_data"), ("broken", "failed")])
def test_a_refusal_is_told_from_a_failure_whichever_node_refused(
  store, reader_pipeline, tmp_path, settings, state
):
  pipeline = reader_pipeline(tmp_path, **{settings: True})
  for name in ("ReviewedSchema", "Reader"):
    outcome = node.run_node(node.compile_pipeline(pipeline, "r1"), name, store)
  assert outcome.state == "FAILED"
  with open_store(store) as handle:
    assert [r.state for r in lineage.list_runs(handle)] == [state]


def test_a_data_gate_that_crashed_is_no_refusal_but_for_runs_that_kept_no_code(store, run):
  outcome = run("images", "r1", name="DataGate", text="no schema")
  with open_store(store) as handle:
    assert [r.state for r in lineage.list_runs(handle)] == ["failed"]
    [execution] = handle.store.get_executions_by_context(
      handle.store.get_context_by_type_and_name("pipeline_run", "r1").id
    )
    assert outcome.error is not None
    del execution.custom_properties[executions.EXIT_CODE]
    handle.store.put_executions([execution])
    assert [r.state for r in lineage.list_runs(handle)] == ["refused_data"]


def test_a_task_with_an_underscore_is_found_by_its_own_name(store, run):
  run("value-kinds", "r1")
  with open_store(store) as handle:
    assert [r.task for r in lineage.list_runs(handle, "value_kinds")] == ["value_kinds"]
    found = lineage.show_run(handle, "r1", "value_kinds")
  assert found is not None
  assert found.task == "value_kinds"


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
