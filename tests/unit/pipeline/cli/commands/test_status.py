"""`dlpipe status`: what is served, how it came there, and what one can go back to."""

import json

import pytest
from click.testing import CliRunner

from components.versioned_pusher.publish import publish, rollback
from dlpipe.errors import BadInputError
from pipeline.api import history
from pipeline.cli.commands.status import status
from pipeline.runs.lineage import PastRun


@pytest.fixture
def workspace(tmp_path):
  """images: versions 1 and 2, and 1 again as 3; my_task: nothing served so far."""
  for number in (1, 2):
    model = tmp_path / f"model{number}"
    model.mkdir()
    (model / "saved_model.pb").write_text(f"graph {number}")
    publish(model, tmp_path / "workspace" / "images" / "serving")
  rollback(tmp_path / "workspace" / "images" / "serving")
  (tmp_path / "workspace" / "my_task" / "serving").mkdir(parents=True)
  return tmp_path / "workspace"


@pytest.fixture
def invoke(workspace):
  def run(*arguments):
    done = CliRunner().invoke(
      status, [*arguments, "--workspace", str(workspace)], catch_exceptions=False
    )
    assert done.exit_code == 0, done.output
    return done.stdout

  return run


def test_a_rollback_is_what_is_served_until_the_next_push(invoke, workspace):
  [found] = json.loads(invoke("images", "--json"))["tasks"]
  now = found["served"]
  assert (now["version"], now["how"], now["rollback_of"], now["files"]) == (
    3,
    "rolled_back",
    1,
    "whole",
  )
  assert (now["run_id"], now["metrics"]) == (None, {})  # no store says so
  assert [each["version"] for each in found["versions"]] == [3, 2, 1]
  assert found["serving_dir"] == str(workspace / "images" / "serving")


def test_a_run_that_failed_after_its_version_was_live_is_known(invoke, workspace, monkeypatch):
  """Its copy to a store was lost, or it was killed, before the push was recorded."""
  made = str(workspace.parent / "model2")
  versions = {"late": None, "failed": None, "pushed": 1}
  runs = [
    PastRun(
      run_id=name,
      task="images",
      started="",
      state="pushed" if version else "failed",
      metrics={"accuracy": 0.5},
      pushed_version=version,
      nodes=[{"id": "Trainer", "outputs": {"model": "/elsewhere" if version else made}}],
    )
    for name, version in versions.items()
  ]
  monkeypatch.setattr(history, "past_runs", lambda *_: runs)
  [found] = json.loads(invoke("images", "--json"))["tasks"]
  # "late" found the model in the cache.
  assert [each["run_id"] for each in found["versions"]] == ["pushed", "failed", "pushed"]
  assert found["versions"][1]["metrics"] == {"accuracy": 0.5}
  assert "version 2 since" in invoke("images")
  assert "pushed by run failed" in invoke("images")


def test_a_person_reads_it_in_some_lines(invoke, workspace):
  lines = invoke("images").splitlines()
  assert lines[0].startswith("images  version 3 is served since 20")
  said = "rolled back to version 1, pushed by a run that is not known here"
  assert lines[1] == f"  How      {said}"
  assert lines[2] == "  Files    as they were published"
  assert lines[3] == f"  Where    {workspace / 'images' / 'serving'}"
  assert [line.split(" since ")[0] for line in lines[4:6]] == [
    "  Older    version 2",
    "           version 1",
  ]
  # Version 1 is what is served: only 2 is another model.
  assert lines[6] == f"  Back     dlpipe rollback images --to 2 --workspace {workspace}"


def test_files_that_are_not_whole_are_said_so(invoke, workspace):
  (workspace / "images" / "serving" / "3" / "saved_model.pb").write_text("half")
  (workspace / "images" / "serving" / "2" / "saved_model.pb").unlink()
  said = invoke("images")
  assert "Files    changed since they were published" in said
  assert ", damaged" in said
  assert "Back " not in said
  assert f"  Mend     dlpipe rollback images --to 1 --workspace {workspace}\n" in said
  rollback(workspace / "images" / "serving", 1)
  assert "Files    as they were published" in invoke("images")


def test_one_does_not_go_back_to_files_that_a_rollback_would_refuse(invoke, workspace):
  (workspace / "images" / "serving" / "2" / "saved_model.pb").write_text("half")
  assert "Back " not in invoke("images")


def test_all_tasks_of_a_workspace_are_shown_known_here_or_not(invoke):
  found = json.loads(invoke("--json"))["tasks"]
  assert [(each["task"], each["served"] is None) for each in found] == [
    ("images", False),
    ("my_task", True),
  ]
  assert "my_task  nothing is served; dlpipe run my_task pushes a model" in invoke()


def test_an_empty_workspace_says_what_to_do(tmp_path):
  done = CliRunner().invoke(status, ["--workspace", str(tmp_path)])
  assert done.stdout == f"Nothing has run in {tmp_path}. dlpipe run TASK makes a model.\n"


def test_a_task_that_is_neither_here_nor_there_is_bad_input(invoke):
  with pytest.raises(BadInputError, match="Unknown task 'imges'. Did you mean 'images'?"):
    invoke("imges")


def test_a_store_that_is_damaged_keeps_nobody_from_knowing_what_is_served(command, workspace):
  (workspace / "images" / "metadata.db").write_text("no database, but a longer text than a header")
  done = command("status", "images", "--workspace", workspace)
  assert done.code == 0
  assert done.stdout.startswith("images  version 3 is served since 20")
  # One line, and none of the frameworks' own.
  assert done.stderr.startswith("Which run pushed what is not known: ")
  assert len(done.stderr.splitlines()) == 1
