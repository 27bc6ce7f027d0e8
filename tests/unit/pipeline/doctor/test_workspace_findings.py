"""A workspace's files held to their records: what is damaged, gone or left behind is named."""

import json
import shlex
import shutil
import sqlite3
import tempfile

import numpy as np
import pytest
from click.testing import CliRunner
from ml_metadata.proto import metadata_store_pb2

from components.reviewed_schema import ReviewedSchema
from components.serving_gate import scratch
from components.versioned_pusher.publish import publish, rollback
from components.versioned_pusher.version_folders import list_versions
from dlpipe import nodes
from pipeline.cli.commands.doctor import doctor
from pipeline.cli.main import cli
from pipeline.doctor.workspace_findings import look
from pipeline.execution import node
from pipeline.runs.store import gone_artifacts
from pipeline.runs.store.metadata_stores import open_store, sqlite_connection


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
  folder = tmp_path / "temporary"
  folder.mkdir()
  monkeypatch.setattr(tempfile, "tempdir", str(folder))
  return folder


@pytest.fixture
def task(tmp_path):
  """A task's folder with two versions, a store with one artifact, and an unfinished training."""
  from tfx.orchestration.pipeline import Pipeline

  root = tmp_path / "workspace" / "images"
  model = tmp_path / "model"
  model.mkdir()
  for text in ("one", "two"):
    (model / "saved_model.pb").write_text(text)
    publish(model, root / "serving")
  pipeline = Pipeline(
    pipeline_name="images",
    pipeline_root=str(root / "artifacts"),
    components=[ReviewedSchema(text="feature {}")],
    enable_cache=True,
  )
  store = sqlite_connection(root / "metadata.db")
  node.run_node(node.compile_pipeline(pipeline, "r1"), "ReviewedSchema", store)
  (root / "checkpoints" / "abc").mkdir(parents=True)
  np.savez(root / "checkpoints" / "abc" / "state.npz", state=np.ones(3))
  return root


def _not_ok(task):
  return {(f.name, f.state): f for f in look(str(task.parent)) if f.state != "ok"}


def test_a_workspace_in_order_has_nothing_to_mend(task):
  found = look(str(task.parent))
  assert [(f.name, f.state) for f in found] == [("served versions", "ok"), ("metadata store", "ok")]


def test_where_no_run_was_nothing_is_said(tmp_path):
  assert look(str(tmp_path / "absent")) == []
  assert look(str(tmp_path)) == []


def test_a_damaged_newest_version_is_broken_with_both_ways_out(task):
  (task / "serving" / "2" / "saved_model.pb").write_text("")
  [found] = _not_ok(task).values()
  assert (found.name, found.state) == ("served versions", "broken")
  assert "damaged: 2;" in found.found
  assert "dlpipe run images" in found.remedy
  assert "dlpipe rollback images --to 1" in found.remedy


def test_a_damaged_older_version_is_a_warning(task):
  (task / "serving" / "1" / "saved_model.pb").write_text("")
  assert list(_not_ok(task)) == [("served versions", "warning")]


def test_a_damaged_store_and_a_locked_one_are_told_apart(task, monkeypatch):
  monkeypatch.setattr("pipeline.doctor.workspace_findings._WAIT_S", 0.0)
  other = sqlite3.connect(task / "metadata.db", isolation_level=None)
  other.execute("BEGIN EXCLUSIVE")
  assert list(_not_ok(task)) == [("metadata store", "warning")]
  other.close()
  (task / "metadata.db").write_bytes(b"no database" * 1000)
  found = _not_ok(task)[("metadata store", "broken")]
  assert "Move it away" in found.remedy


def test_artifacts_that_the_store_names_and_nobody_has_are_counted(task):
  (task / "artifacts").rename(task / "elsewhere")
  found = _not_ok(task)[("artifacts", "warning")]
  assert "1 of 1 are gone" in found.found
  assert str(task / "artifacts") in found.found


def test_damaged_checkpoints_and_what_was_set_aside_are_named(task):
  state = task / "checkpoints" / "abc" / "state.npz"
  state.write_bytes(state.read_bytes()[:100])
  (task / "checkpoints" / "old-set-aside.npz").write_bytes(b"")
  found = [f.found for f in look(str(task.parent)) if f.name == "checkpoints"]
  assert f"{state} is damaged" in found
  assert any("old-set-aside.npz" in each for each in found)


def test_what_killed_processes_left_is_named(task, temporary):
  (task / "serving" / ".staging-abc").mkdir()
  (temporary / "dlpipe-gate-abc").mkdir()
  found = [f.found for f in look(str(task.parent)) if f.name == "leftovers"]
  assert len(found) == 2


def test_doctor_says_it_and_ends_with_1(task):
  (task / "serving" / "2" / "saved_model.pb").write_text("")
  done = CliRunner().invoke(doctor, ["--workspace", str(task.parent), "--json"])
  assert done.exit_code == 1
  checks = json.loads(done.output)["checks"]
  assert [c["name"] for c in checks if c["state"] == "broken"] == ["served versions"]


def _run(task, run_id):
  """The state of the node in a run of the task's pipeline, which then marks what is gone."""
  from tfx.orchestration.pipeline import Pipeline

  pipeline = Pipeline(
    pipeline_name="images",
    pipeline_root=str(task / "artifacts"),
    components=[ReviewedSchema(text="feature {}")],
    enable_cache=True,
  )
  store = sqlite_connection(task / "metadata.db")
  outcome = node.run_node(node.compile_pipeline(pipeline, run_id), "ReviewedSchema", store)
  with open_store(store) as handle:
    gone_artifacts.mark(handle, "images", task / "artifacts")
  return outcome.state


# What `doctor` advises, done.


def test_artifacts_that_are_gone_are_made_again_and_named_no_more(task):
  shutil.rmtree(task / "artifacts")
  assert "dlpipe run images makes again" in _not_ok(task)[("artifacts", "warning")].remedy
  assert _run(task, "r2") == nodes.COMPLETE
  assert _not_ok(task) == {}
  assert _run(task, "r3") == nodes.CACHED


def test_an_artifact_elsewhere_is_not_taken_for_gone(task, tmp_path):
  """A store may be shared with machines that have other disks."""
  store = sqlite_connection(task / "metadata.db")
  with open_store(store) as handle:
    [artifact] = handle.store.get_artifacts()
    artifact.uri = str(tmp_path / "on another machine")
    handle.store.put_artifacts([artifact])
    gone_artifacts.mark(handle, "images", task / "artifacts")
    [artifact] = handle.store.get_artifacts()
  assert artifact.state == metadata_store_pb2.Artifact.LIVE


@pytest.mark.parametrize("journal", [False, True])
def test_a_damaged_store_is_moved_away_and_a_new_one_made(task, tmp_path, journal):
  if journal:  # of a process that was killed in the middle of a change
    (task / "metadata.db-journal").write_bytes((task / "metadata.db").read_bytes())
  (task / "metadata.db").write_bytes(b"no database" * 1000)
  assert "Move it away" in _not_ok(task)[("metadata store", "broken")].remedy
  (task / "metadata.db").rename(tmp_path / "away")
  assert _not_ok(task) == {}
  assert _run(task, "r2") == nodes.COMPLETE
  assert _not_ok(task) == {}
  assert list_versions(task / "serving") == [1, 2]


def test_a_damaged_older_version_is_deleted_and_numbers_go_on(task, tmp_path):
  (task / "serving" / "1" / "saved_model.pb").write_text("")
  assert "Delete them" in _not_ok(task)[("served versions", "warning")].remedy
  shutil.rmtree(task / "serving" / "1")
  assert _not_ok(task) == {}
  (tmp_path / "model" / "saved_model.pb").write_text("three")
  assert publish(tmp_path / "model", task / "serving") == 3


def test_the_next_push_and_the_next_rollback_clear_what_a_killed_one_left(task, tmp_path):
  (tmp_path / "model" / "saved_model.pb").write_text("three")
  for clear in (
    lambda: publish(tmp_path / "model", task / "serving"),
    lambda: rollback(task / "serving", 1),
  ):
    (task / "serving" / ".staging-abc").mkdir()
    assert "the next push or rollback" in _not_ok(task)[("leftovers", "warning")].remedy
    clear()
    assert _not_ok(task) == {}


def test_the_next_serving_gate_clears_what_a_killed_one_left(task, temporary):
  (temporary / "dlpipe-gate-abc").mkdir()
  assert "the next ServingGate" in _not_ok(task)[("leftovers", "warning")].remedy
  with scratch.folder():
    pass
  assert _not_ok(task) == {}


def test_commands_to_copy_name_the_workspace_that_was_looked_at(task):
  (task / "serving" / "2" / "saved_model.pb").write_text("")
  done = CliRunner().invoke(doctor, ["--workspace", str(task.parent), "--json"])
  [check] = [c for c in json.loads(done.output)["checks"] if c["state"] == "broken"]
  place = f" --workspace {task.parent}"
  assert check["remedy"].startswith(
    f"dlpipe run images{place}; or: dlpipe rollback images --to 1{place}. "
  )
  command = shlex.split(check["remedy"].partition("or: dlpipe ")[2].partition(". ")[0])
  assert CliRunner().invoke(cli, command).exit_code == 0
  assert {state for _, state in _not_ok(task)} == {"warning"}
