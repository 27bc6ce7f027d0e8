"""A workspace's files held to their records: what is damaged, gone or left behind is named."""

import json
import sqlite3
import tempfile

import numpy as np
import pytest
from click.testing import CliRunner

from components.reviewed_schema import ReviewedSchema
from components.versioned_pusher.publish import publish
from pipeline.cli.doctor import doctor
from pipeline.runners import node
from pipeline.runners.metadata_stores import sqlite_connection
from pipeline.workspace_findings import look


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
  monkeypatch.setattr("pipeline.workspace_findings._WAIT_S", 0.0)
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
