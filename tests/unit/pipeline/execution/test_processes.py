"""Nodes in processes of their own: at the same time, within memory, killed, tried again."""

import json
import os
import pathlib
import pickle
import subprocess
import sys

import pytest

from dlpipe import nodes
from dlpipe.errors import BadInputError, DataRefusedError
from dlpipe.workspace import TaskFolder
from pipeline.execution import events, memory, node, processes
from pipeline.runs.store.metadata_stores import open_store, sqlite_connection

_ROOT = pathlib.Path(__file__).resolve().parents[4]


@pytest.fixture(scope="module")
def runner():
  """A process that has imported TFX, and forks where this one, which has threads, must not."""
  with subprocess.Popen(
    [sys.executable, pathlib.Path(__file__).with_name("three_nodes.py")],
    env={**os.environ, "PYTHONPATH": str(_ROOT)},
    stdin=subprocess.PIPE,
    stdout=subprocess.PIPE,
    text=True,
  ) as process:
    yield process
    process.stdin.close()


@pytest.fixture
def run(tmp_path, runner):
  """Returns a function that runs Left, Right and, after both, Last; events and outcomes.

  It takes the name of what stands in for `run_node`, if anything does.
  """

  def run_with(run_node=None, **options):
    asked = {"folder": str(tmp_path), "run_node": run_node, "options": options}
    runner.stdin.write(json.dumps(asked) + "\n")
    runner.stdin.flush()
    assert runner.stdout.readline() == "done\n"
    return pickle.loads((tmp_path / "answer.pickle").read_bytes())

  return run_with


def test_real_nodes_run_and_leave_their_executions(run, tmp_path):
  heard, outcomes = run()
  assert {name: o.state for name, o in outcomes.items()} == dict.fromkeys(
    ("Left", "Right", "Last"), "COMPLETE"
  )
  assert all(o.peak_rss_mb > 50 for o in outcomes.values())
  with open_store(sqlite_connection(tmp_path / "metadata.db")) as handle:
    assert {e.id for e in handle.store.get_executions()} == {
      o.execution_id for o in outcomes.values()
    }
  assert [e.id for e in heard if isinstance(e, events.ComponentFinished)][-1] == "Last"
  assert memory.expected_mb(TaskFolder(tmp_path), "Left") == outcomes["Left"].peak_rss_mb


def test_nodes_that_wait_for_nothing_run_at_the_same_time(run):
  _, outcomes = run("meet", memory_mb=4000)
  assert {o.state for o in outcomes.values()} == {"COMPLETE"}


def test_nodes_that_do_not_fit_into_memory_together_run_in_turn(run, tmp_path):
  memory.remember(TaskFolder(tmp_path), {"Left": 600.0, "Right": 500.0})
  run("span", memory_mb=1000)
  left, right = (
    [float(word) for word in (tmp_path / name).read_text().split()] for name in ("Left", "Right")
  )
  assert right[0] > left[1]


def test_progress_and_the_users_errors_come_through(run):
  heard, outcomes = run("refuse", retries=3)
  assert events.Progress("Left", "half way", {"records": 5}) in heard
  error = outcomes["Left"].error
  assert (type(error), str(error)) == (DataRefusedError, "not fit\nsecond line")
  assert outcomes["Left"].execution_id == 7
  assert outcomes["Right"].state == "COMPLETE"
  assert outcomes["Last"].state == "SKIPPED"
  # A user must mend it: no attempt would help.
  assert not any("tried again" in e.message for e in heard if isinstance(e, events.Progress))


def test_a_killed_process_is_a_failure_that_says_so(run):
  heard, outcomes = run("die_once")
  assert outcomes["Left"].state == "FAILED"
  assert "the process of Left was killed by signal 9 (SIGKILL)" in str(outcomes["Left"].error)
  assert outcomes["Last"].state == "SKIPPED"
  [finished] = [e for e in heard if isinstance(e, events.ComponentFinished) and e.id == "Left"]
  assert finished.error.startswith("NodeProcessError: the process of Left was killed")


@pytest.mark.parametrize("run_node", ["die_once", "no_memory_once"])
def test_a_killed_process_is_tried_again(run, run_node):
  heard, outcomes = run(run_node, retries=1)
  assert {o.state for o in outcomes.values()} == {"COMPLETE"}
  said = [e.message for e in heard if isinstance(e, events.Progress)]
  assert said == ["failed, tried again (1 of 1)"]


def test_what_begins_is_killed_when_the_run_is_interrupted(run, tmp_path):
  _, outcomes = run("interrupt", memory_mb=4000)
  assert outcomes == "interrupted"
  for name in ("Left", "Right"):
    with pytest.raises(ProcessLookupError):
      os.kill(int((tmp_path / name).read_text()), 0)


def test_bad_input_stays_bad_input():
  outcome = node.NodeOutcome(
    state=nodes.FAILED,
    execution_id=None,
    seconds=1.0,
    peak_rss_mb=1.0,
    error=BadInputError("which file"),
  )
  sent = processes._encoded(outcome)
  assert sent["error"] == {"kind": "BadInputError", "message": "which file"}
  assert isinstance(processes._decoded(sent).error, BadInputError)
