"""Parts of a pipeline: what runs, what an earlier run gives, what cannot be had."""

import pytest
from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration.pipeline import Pipeline

from components.reviewed_schema import ReviewedSchema
from dlpipe import nodes
from dlpipe.errors import BadInputError
from pipeline.execution import events, node, partial, sequential
from pipeline.execution.options import RunOptions
from pipeline.runs import lineage
from pipeline.runs.store import executions
from pipeline.runs.store.metadata_stores import open_store, sqlite_connection

_NAMES = ("First", "Second", "Third")


@pytest.fixture
def run(tmp_path):
  """Returns a function that runs a part of three nodes in a row; gives their outcomes."""
  store = sqlite_connection(tmp_path / "metadata.db")

  def run_with(run_id, *, broken=(), **options):
    nodes = [
      ReviewedSchema(text="no schema" if name in broken else "feature {}").with_id(name)
      for name in _NAMES
    ]
    for before, after in zip(nodes, nodes[1:], strict=False):
      after.add_upstream_node(before)
    pipeline = Pipeline(
      pipeline_name="test", pipeline_root=str(tmp_path / "artifacts"), components=nodes
    )
    compiled = node.compile_pipeline(pipeline, run_id)
    chosen = RunOptions(**options)
    if not chosen.use_cache:
      node.without_cache(compiled)
    with open_store(store) as handle:
      partial.select(compiled, handle, chosen)
    heard = []
    outcomes = sequential.run_nodes(compiled, store, listener=heard.append, options=chosen)
    states = {name: outcome.state for name, outcome in outcomes.items()}
    assert {e.id: e.state for e in heard if isinstance(e, events.ComponentFinished)} == states
    # What was not asked for is not said to have begun.
    asked = {each for each in states if node.is_to_run(compiled, each)}
    assert {e.id for e in heard if isinstance(e, events.ComponentStarted)} <= asked
    return outcomes, states

  run_with.store = store
  return run_with


def test_until_leaves_out_what_comes_after(run):
  _, states = run("r1", until_node="Second")
  assert states == {"First": "COMPLETE", "Second": "COMPLETE", "Third": "SKIPPED"}


def test_from_takes_the_results_before_it_from_the_latest_run_that_has_them(run):
  run("r1")
  whole, _ = run("r2", use_cache=False)
  run("r3", until_node="First")
  outcomes, states = run("r4", from_node="Third", use_cache=False)
  assert states == {"First": "CACHED", "Second": "CACHED", "Third": "COMPLETE"}
  with open_store(run.store) as handle:
    made = [
      executions.outputs(handle.store, each["Second"].execution_id)["schema"].id
      for each in (whole, outcomes)
    ]
    assert made[0] == made[1]
    found = {each.run_id: each for each in lineage.list_runs(handle)}
  assert {each["id"]: each["state"] for each in found["r4"].nodes} == states


def test_what_was_cleaned_is_not_taken(run):
  whole, _ = run("r1")
  cleaned, _ = run("r2", use_cache=False)

  def forget(outcomes):
    with open_store(run.store) as handle:
      artifact = executions.outputs(handle.store, outcomes["Second"].execution_id)["schema"]
      artifact.state = metadata_store_pb2.Artifact.DELETED
      handle.store.put_artifacts([artifact])

  forget(cleaned)
  outcomes, _ = run("r3", from_node="Third", use_cache=False)
  with open_store(run.store) as handle:
    first, taken = (
      executions.outputs(handle.store, each["Second"].execution_id)["schema"].id
      for each in (whole, outcomes)
    )
  assert first == taken
  forget(whole)
  with pytest.raises(
    BadInputError, match="or dlpipe clean deleted its files; run the pipeline wit"
  ):
    run("r4", from_node="Third")


def test_between_two_nodes(run):
  run("r1")
  _, states = run("r2", from_node="Second", until_node="Second", use_cache=False)
  assert (states["First"], states["Second"]) == ("CACHED", "COMPLETE")
  assert states["Third"] != "COMPLETE"


@pytest.mark.parametrize(
  ("options", "message"),
  [
    ({"from_node": "Thyrd"}, "no node 'Thyrd'. Its nodes: First, Second, Third."),
    ({"until_node": "X"}, "no node 'X'"),
    ({"from_node": "Third", "until_node": "First"}, "First does not come after Third: nothing"),
    ({"from_node": "Third"}, "takes up an earlier run in which these nodes succeeded: First, Sec"),
  ],
)
def test_a_part_that_cannot_be_run_is_bad_input(run, options, message):
  with pytest.raises(BadInputError, match=message):
    run("r1", **options)


def test_a_run_that_failed_before_is_not_taken_up(run):
  _, states = run("r1", broken=("Second",))
  assert states == {"First": "COMPLETE", "Second": "FAILED", "Third": "SKIPPED"}
  with pytest.raises(BadInputError, match="takes up an earlier run"):
    run("r2", from_node="Third")
  _, states = run("r3", from_node="Second")
  assert states == {"First": "CACHED", "Second": "COMPLETE", "Third": "COMPLETE"}


def test_a_crash_is_tried_again_and_bad_input_is_not(run, monkeypatch):
  original, calls = node.run_node, []

  def run_node(compiled, node_id, store):
    calls.append(node_id)
    if calls.count("Second") == 1 and node_id == "Second":
      return node.NodeOutcome(
        state=nodes.FAILED,
        execution_id=None,
        seconds=0.1,
        peak_rss_mb=1.0,
        error=OSError("connection lost"),
      )
    return original(compiled, node_id, store)

  monkeypatch.setattr(node, "run_node", run_node)
  _, states = run("r1", retries=2, broken=("Third",))
  assert states == {"First": "COMPLETE", "Second": "COMPLETE", "Third": "FAILED"}
  assert calls == ["First", "Second", "Second", "Third"]
