"""Nodes in processes of their own: at the same time, within memory, killed, tried again."""

import os
import signal
import time

import pytest
from tfx.orchestration.pipeline import Pipeline

from components.reviewed_schema import ReviewedSchema
from dlpipe import nodes, progress
from dlpipe.errors import BadInputError, DataRefusedError
from dlpipe.workspace import TaskFolder
from pipeline.execution import events, forks, memory, node, processes
from pipeline.execution.options import RunOptions
from pipeline.runs.store.metadata_stores import open_store, sqlite_connection


@pytest.fixture
def run(tmp_path, monkeypatch):
  """Returns a function that runs Left, Right and, after both, Last; events and outcomes."""
  monkeypatch.setattr(forks, "warm_up", lambda: None)
  monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1})

  def run_with(run_node=None, **options):
    if run_node is not None:
      monkeypatch.setattr(node, "run_node", run_node)
    left, right, last = (
      ReviewedSchema(text=f'feature {{ name: "{name}" }}').with_id(name)
      for name in ("Left", "Right", "Last")
    )
    last.add_upstream_nodes([left, right])
    pipeline = Pipeline(
      pipeline_name="test",
      pipeline_root=str(tmp_path / "artifacts"),
      components=[left, right, last],
    )
    heard = []
    outcomes = processes.run_nodes(
      node.compile_pipeline(pipeline, "r1"),
      sqlite_connection(tmp_path / "metadata.db"),
      listener=heard.append,
      options=RunOptions(processes=True, **options),
      folder=TaskFolder(tmp_path),
    )
    return heard, outcomes

  return run_with


def _done(seconds=0.1):
  return node.NodeOutcome(
    state=nodes.COMPLETE, execution_id=None, seconds=seconds, peak_rss_mb=50.0
  )


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


def _times(tmp_path):
  def run_node(compiled, node_id, store):
    started = time.monotonic()
    time.sleep(0.3)
    (tmp_path / node_id).write_text(f"{started} {time.monotonic()}")
    return _done()

  return run_node


def _span(tmp_path, name):
  return [float(word) for word in (tmp_path / name).read_text().split()]


def test_nodes_that_wait_for_nothing_run_at_the_same_time(run, tmp_path):
  run(_times(tmp_path), memory_mb=4000)
  left, right, last = (_span(tmp_path, name) for name in ("Left", "Right", "Last"))
  assert max(left[0], right[0]) < min(left[1], right[1])
  assert last[0] > max(left[1], right[1])


def test_nodes_that_do_not_fit_into_memory_together_run_in_turn(run, tmp_path):
  memory.remember(TaskFolder(tmp_path), {"Left": 600.0, "Right": 500.0})
  run(_times(tmp_path), memory_mb=1000)
  left, right = _span(tmp_path, "Left"), _span(tmp_path, "Right")
  assert right[0] > left[1]


def test_progress_and_the_users_errors_come_through(run):
  def run_node(compiled, node_id, store):
    if node_id == "Right":
      return _done()
    progress.report("half way", records=5)
    raised = RuntimeError("wrapped")
    raised.__cause__ = DataRefusedError("not fit\nsecond line")
    return node.NodeOutcome(
      state=nodes.FAILED, execution_id=7, seconds=1.0, peak_rss_mb=2.0, error=raised
    )

  heard, outcomes = run(run_node, retries=3)
  assert events.Progress("Left", "half way", {"records": 5}) in heard
  error = outcomes["Left"].error
  assert (type(error), str(error)) == (DataRefusedError, "not fit\nsecond line")
  assert outcomes["Left"].execution_id == 7
  assert outcomes["Right"].state == "COMPLETE"
  assert outcomes["Last"].state == "SKIPPED"
  # A user must mend it: no attempt would help.
  assert not any("tried again" in e.message for e in heard if isinstance(e, events.Progress))


def _killed_once(tmp_path, error=None):
  def run_node(compiled, node_id, store):
    marker = tmp_path / f"{node_id}-ran"
    if node_id == "Left" and not marker.exists():
      marker.write_text("")
      if error is not None:
        raise error
      os.kill(os.getpid(), signal.SIGKILL)
    return _done()

  return run_node


def test_a_killed_process_is_a_failure_that_says_so(run, tmp_path):
  heard, outcomes = run(_killed_once(tmp_path))
  assert outcomes["Left"].state == "FAILED"
  assert "the process of Left was killed by signal 9" in str(outcomes["Left"].error)
  assert outcomes["Last"].state == "SKIPPED"
  [finished] = [e for e in heard if isinstance(e, events.ComponentFinished) and e.id == "Left"]
  assert finished.error.startswith("NodeProcessError: the process of Left was killed")


@pytest.mark.parametrize("error", [None, MemoryError("no more")])
def test_a_killed_process_is_tried_again(run, tmp_path, error):
  heard, outcomes = run(_killed_once(tmp_path, error), retries=1)
  assert {o.state for o in outcomes.values()} == {"COMPLETE"}
  said = [e.message for e in heard if isinstance(e, events.Progress)]
  assert said == ["failed, tried again (1 of 1)"]


def test_what_begins_is_killed_when_the_run_is_interrupted(run, tmp_path):
  def run_node(compiled, node_id, store):
    (tmp_path / node_id).write_text(str(os.getpid()))
    if node_id == "Right":
      os.kill(os.getppid(), signal.SIGINT)
    time.sleep(30)
    return _done()

  # Whoever starts the tests in the background has them ignore SIGINT.
  before = signal.signal(signal.SIGINT, signal.default_int_handler)
  started = time.monotonic()
  try:
    with pytest.raises(KeyboardInterrupt):
      run(run_node, memory_mb=4000)
  finally:
    signal.signal(signal.SIGINT, before)
  assert time.monotonic() - started < 20
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
