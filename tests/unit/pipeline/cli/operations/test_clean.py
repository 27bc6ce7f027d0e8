"""`dlpipe clean`: what it says, what it leaves, and what other commands say of a cleaned run."""

import fcntl
import json

import pytest
from click.testing import CliRunner

from dlpipe.errors import BadInputError, BusyError
from pipeline.cli.commands.rollback import rollback
from pipeline.cli.commands.runs import runs
from pipeline.cli.commands.status import status
from pipeline.cli.operations.clean import clean


@pytest.fixture
def invoke(days, tmp_path):
  def run(command, *arguments):
    return CliRunner().invoke(
      command, [*arguments, "--workspace", str(tmp_path)], catch_exceptions=False
    )

  return run


def test_a_cleaned_run_is_told_of_as_before(days, invoke):
  for day in range(4):
    days.run(day)
  told = json.loads(invoke(clean, "images", "--runs", "1", "--json", "--dry-run").stdout)
  assert [run["run_id"] for run in told["runs"]] == ["run-000", "run-001", "run-002"]
  assert days.served() == [1, 2, 3, 4]
  done = invoke(clean, "images", "--runs", "1")
  assert "run-000  keep.runs=1" in done.stdout
  assert "Versions 1, 2" in done.stdout
  assert days.served() == [3, 4]
  shown = invoke(runs, "show", "run-000").stdout
  assert "The files of run-000 were cleaned on " in shown
  assert "`dlpipe runs reproduce run-000` computes them again." in shown
  assert "/model/1-run-000 (cleaned)" in shown
  listed = json.loads(invoke(runs, "list", "images", "--json").stdout)["runs"]
  assert [run["cleaned"] is None for run in listed] == [True, False, False, False]
  assert {run["state"] for run in listed} == {"pushed"}
  with pytest.raises(
    BadInputError, match=r"Version 2 is not there any more\. The files of run-001"
  ):
    invoke(rollback, "images", "--to", "2")


def test_the_disk_is_shown_part_by_part(days, invoke):
  days.run(0)
  [found] = json.loads(invoke(status, "images", "--json").stdout)["tasks"]
  assert found["bytes"]["artifacts"] > 40_000
  assert next(iter(found["bytes"])) == max(found["bytes"], key=found["bytes"].get)
  assert "  Disk     " in invoke(status, "images").stdout


def test_without_a_bound_it_says_how_to_set_one(days, invoke, tmp_path):
  days.run(0)
  said = invoke(clean, "images").stdout
  assert "No bound is set, so only leftovers count." in said
  assert f"`dlpipe clean images --workspace {tmp_path} --runs 10`" in said
  assert days.served() == [1]


def test_what_does_not_fit_is_said_with_its_reasons(days, invoke):
  days.run(0)
  said = invoke(clean, "images", "--max-mb", "0.001").stdout
  assert "more than keep.max_mb=0.001. What is left is protected:" in said
  assert "run-000: it is the latest" in said


def test_beside_a_run_nothing_is_cleaned(days, invoke):
  days.run(0)
  with days.folder.lock.open("w") as lock:
    lock.write("run-001\n")
    lock.flush()
    fcntl.flock(lock, fcntl.LOCK_EX)
    with pytest.raises(BusyError, match="run-001"):
      invoke(clean, "images", "--runs", "1")
    assert invoke(clean, "images", "--runs", "1", "--dry-run").exit_code == 0


def test_a_workspace_without_the_task_is_refused(invoke, tmp_path):
  with pytest.raises(BadInputError, match="Nothing of images is in"):
    invoke(clean, "images")
