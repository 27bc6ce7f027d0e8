"""Why nodes ran, read back from a metadata store that two real nodes wrote."""

import dataclasses
import json

import pytest

from pipeline.execution import node
from pipeline.runs import changes, lineage
from pipeline.runs.changes import Change
from pipeline.runs.store.metadata_stores import open_store, sqlite_connection

_NODES = ("ReviewedSchema", "Reader")


@pytest.fixture
def store(tmp_path):
  return sqlite_connection(tmp_path / "metadata.db")


@pytest.fixture
def run(store, tmp_path, reader_pipeline):
  """Returns a function that runs two nodes."""

  def run_both(run_id, **options):
    compiled = node.compile_pipeline(reader_pipeline(tmp_path, **options), run_id)
    for name in _NODES:
      node.run_node(compiled, name, store)

  return run_both


@pytest.fixture
def why(store):
  """Returns a function that tells why a run's nodes ran."""

  def told(run_id):
    with open_store(store) as handle:
      return changes.reasons(handle, lineage.show_run(handle, run_id).nodes)

  return told


def _facts(reason):
  return reason.node, reason.state, reason.compared_with, [c.kind for c in reason.changes]


def test_the_first_run_has_nothing_to_be_compared_with(run, why):
  run("r1")
  assert [_facts(each) for each in why("r1")] == [
    ("ReviewedSchema", "COMPLETE", None, []),
    ("Reader", "COMPLETE", None, []),
  ]


def test_a_cached_node_names_the_run_that_did_the_work(run, why):
  run("r1")
  run("r2")
  run("r3")
  assert [_facts(each) for each in why("r3")] == [(name, "CACHED", "r1", []) for name in _NODES]


def test_what_differs_is_told_apart(run, why):
  run("r1", units=32, kept=True, old=1)
  run("r2", units=64, kept=True, new="x", code="c2", data="d2")
  schema, reader = why("r2")
  assert _facts(schema) == ("ReviewedSchema", "CACHED", "r1", [])
  assert (reader.state, reader.compared_with) == ("COMPLETE", "r1")
  assert list(reader.changes) == [
    Change("code", "code_fingerprint", "c1", "c2"),
    Change("data", "input_fingerprint", "d1", "d2"),
    Change("setting", "settings.new", None, "x"),
    Change("setting", "settings.old", 1, None),
    Change("setting", "settings.units", 32, 64),
  ]


def test_lists_are_compared_leaf_by_leaf(run, why):
  run("r1", specs=[{"name": "skill", "threshold": json.dumps({"bound": 0.3})}, {"name": "auc"}])
  run("r2", specs=[{"name": "skill", "threshold": json.dumps({"bound": 0.1})}, {"name": "auc"}])
  assert list(why("r2")[1].changes) == [
    Change("setting", "settings.specs.0.threshold.bound", 0.3, 0.1)
  ]


def test_an_input_that_is_another_is_named_with_its_places(run, why):
  run("r1")
  run("r2", text="feature { name: 'a' }")
  schema, reader = why("r2")
  assert [(c.kind, c.name) for c in schema.changes] == [("setting", "text")]
  [change] = reader.changes
  assert (change.kind, change.name) == ("input", "schema")
  [before], [after] = change.before, change.after
  assert before != after
  assert all("/ReviewedSchema/schema/" in uri for uri in (before, after))


def test_a_node_that_ran_without_need_has_no_changes(run, why):
  run("r1")
  run("r2", cached=False)
  schema, _ = why("r2")
  assert _facts(schema) == ("ReviewedSchema", "COMPLETE", "r1", [])


def test_a_run_is_compared_with_the_last_that_succeeded(run, why):
  run("r1", units=1)
  run("r2", units=2, broken=1)
  run("r3", units=3)
  failed, after = why("r2")[1], why("r3")[1]
  assert failed.state == "FAILED"
  assert [c.name for c in failed.changes] == ["settings.broken", "settings.units"]
  assert after.compared_with == "r1"
  assert list(after.changes) == [Change("setting", "settings.units", 1, 3)]


def test_runs_are_compared_node_by_node_in_either_direction(run, store):
  run("r1", units=1)
  run("r2", units=2)
  with open_store(store) as handle:
    first, second = (lineage.show_run(handle, name).nodes for name in ("r1", "r2"))
    forth, back = changes.compare(handle, first, second), changes.compare(handle, second, first)
    assert changes.compare(handle, first, first) == {name: [] for name in _NODES}
  assert forth == {"ReviewedSchema": [], "Reader": [Change("setting", "settings.units", 1, 2)]}
  assert back["Reader"] == [Change("setting", "settings.units", 2, 1)]


def test_a_cached_result_counts_as_what_it_was_made_from(run, store, why):
  run("r1", units=1)
  run("r2", units=1)
  with open_store(store) as handle:
    first, second = (lineage.show_run(handle, name).nodes for name in ("r1", "r2"))
    # As TFX leaves it where a driver finds out what a node is given.
    [execution] = handle.store.get_executions_by_id([second[1]["execution_id"]])
    del execution.custom_properties["input_fingerprint"]
    handle.store.put_executions([execution])
    assert changes.compare(handle, first, second) == {name: [] for name in _NODES}
  run("r3", units=2)
  assert list(why("r3")[1].changes) == [Change("setting", "settings.units", 1, 2)]


def test_reasons_are_json(run, why):
  run("r1", units=1)
  run("r2", units=2)
  [_, reader] = json.loads(json.dumps([each.to_json() for each in why("r2")]))
  assert reader["changes"] == [dataclasses.asdict(Change("setting", "settings.units", 1, 2))]


def test_of_two_runs_before_the_later_one_counts(run, why):
  for number in (1, 2, 3):
    run(f"r{number}", units=number)
  reader = why("r3")[1]
  assert (reader.state, reader.compared_with) == ("COMPLETE", "r2")
  assert list(reader.changes) == [Change("setting", "settings.units", 2, 3)]


def test_a_run_is_never_compared_with_itself(run, store):
  """Though a node be executed twice in it, as other orchestrators than ours may do."""
  run("r1", units=1)
  run("r2", units=2)
  with open_store(store) as handle:
    reader = lineage.show_run(handle, "r2").nodes[1]
    [execution] = handle.store.get_executions_by_id([reader["execution_id"]])
    contexts = handle.store.get_contexts_by_execution(execution.id)
    execution.ClearField("id")
    execution.ClearField("name")
    again, _, _ = handle.store.put_execution(execution, [], contexts)
    [reason] = changes.reasons(handle, [{**reader, "execution_id": again}])
  assert reason.compared_with == "r1"
