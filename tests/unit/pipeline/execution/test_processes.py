"""Nodes in processes of their own: at the same time, within memory, killed, tried again."""

import functools
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

_TIMEOUT_S = 300
_INTERRUPTED = "interrupted"


@pytest.fixture
def run(tmp_path, fresh):
  """Returns a function that runs Left, Right and, after both, Last; events and outcomes.

  Its first argument stands in for `run_node`: a function of this module, with what it takes first.
  """

  def run_with(*run_node, **options):
    receiving, sending = fresh.Pipe(duplex=False)
    process = fresh.Process(target=_run, args=(sending, tmp_path, run_node, options))
    process.start()
    sending.close()
    with receiving:
      answer = receiving.recv()
    process.join()
    return answer

  return run_with


def _run(answer, folder, run_node, options):
  signal.signal(signal.SIGINT, signal.default_int_handler)
  forks.warm_up = lambda: None
  os.sched_getaffinity = lambda pid: {0, 1}
  if run_node:
    node.run_node = functools.partial(*run_node)
  left, right, last = (
    ReviewedSchema(text=f'feature {{ name: "{name}" }}').with_id(name)
    for name in ("Left", "Right", "Last")
  )
  last.add_upstream_nodes([left, right])
  pipeline = Pipeline(
    pipeline_name="test",
    pipeline_root=str(folder / "artifacts"),
    components=[left, right, last],
  )
  heard = []
  try:
    outcomes = processes.run_nodes(
      node.compile_pipeline(pipeline, "r1"),
      sqlite_connection(folder / "metadata.db"),
      listener=heard.append,
      options=RunOptions(processes=True, **options),
      folder=TaskFolder(folder),
    )
  except KeyboardInterrupt:
    outcomes = _INTERRUPTED
  answer.send((heard, outcomes))


def _done(seconds=0.1):
  return node.NodeOutcome(
    state=nodes.COMPLETE, execution_id=None, seconds=seconds, peak_rss_mb=50.0
  )


def _until(is_so):
  deadline = time.monotonic() + _TIMEOUT_S
  while not is_so():
    assert time.monotonic() < deadline
    time.sleep(0.01)


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


def _meet(folder, compiled, node_id, store):
  """Left and Right wait for each other; Last sees that both have ended."""
  if node_id == "Last":
    assert all((folder / f"{name}-ended").exists() for name in ("Left", "Right"))
    return _done()
  (folder / node_id).touch()
  _until(lambda: all((folder / name).exists() for name in ("Left", "Right")))
  (folder / f"{node_id}-ended").touch()
  return _done()


def test_nodes_that_wait_for_nothing_run_at_the_same_time(run, tmp_path):
  _, outcomes = run(_meet, tmp_path, memory_mb=4000)
  assert {o.state for o in outcomes.values()} == {"COMPLETE"}


def _span(folder, compiled, node_id, store):
  started = time.monotonic()
  time.sleep(0.3)  # two that could run at the same time would
  (folder / node_id).write_text(f"{started} {time.monotonic()}")
  return _done()


def test_nodes_that_do_not_fit_into_memory_together_run_in_turn(run, tmp_path):
  memory.remember(TaskFolder(tmp_path), {"Left": 600.0, "Right": 500.0})
  run(_span, tmp_path, memory_mb=1000)
  left, right = (
    [float(word) for word in (tmp_path / name).read_text().split()] for name in ("Left", "Right")
  )
  assert right[0] > left[1]


def _refuse(compiled, node_id, store):
  if node_id == "Right":
    return _done()
  progress.report("half way", records=5)
  raised = RuntimeError("wrapped")
  raised.__cause__ = DataRefusedError("not fit\nsecond line")
  return node.NodeOutcome(
    state=nodes.FAILED, execution_id=7, seconds=1.0, peak_rss_mb=2.0, error=raised
  )


def test_progress_and_the_users_errors_come_through(run):
  heard, outcomes = run(_refuse, retries=3)
  assert events.Progress("Left", "half way", {"records": 5}) in heard
  error = outcomes["Left"].error
  assert (type(error), str(error)) == (DataRefusedError, "not fit\nsecond line")
  assert outcomes["Left"].execution_id == 7
  assert outcomes["Right"].state == "COMPLETE"
  assert outcomes["Last"].state == "SKIPPED"
  # A user must mend it: no attempt would help.
  assert not any("tried again" in e.message for e in heard if isinstance(e, events.Progress))


def _die_once(folder, error, compiled, node_id, store):
  marker = folder / f"{node_id}-ran"
  if node_id == "Left" and not marker.exists():
    marker.write_text("")
    if error is not None:
      raise error
    os.kill(os.getpid(), signal.SIGKILL)
  return _done()


def test_a_killed_process_is_a_failure_that_says_so(run, tmp_path):
  heard, outcomes = run(_die_once, tmp_path, None)
  assert outcomes["Left"].state == "FAILED"
  assert "the process of Left was killed by signal 9" in str(outcomes["Left"].error)
  assert outcomes["Last"].state == "SKIPPED"
  [finished] = [e for e in heard if isinstance(e, events.ComponentFinished) and e.id == "Left"]
  assert finished.error.startswith("NodeProcessError: the process of Left was killed")


@pytest.mark.parametrize("error", [None, MemoryError("no more")])
def test_a_killed_process_is_tried_again(run, tmp_path, error):
  heard, outcomes = run(_die_once, tmp_path, error, retries=1)
  assert {o.state for o in outcomes.values()} == {"COMPLETE"}
  said = [e.message for e in heard if isinstance(e, events.Progress)]
  assert said == ["failed, tried again (1 of 1)"]


def _interrupt(folder, compiled, node_id, store):
  (folder / f"{node_id}.pid").write_text(str(os.getpid()))
  (folder / f"{node_id}.pid").rename(folder / node_id)
  if node_id == "Right":
    _until((folder / "Left").exists)
    os.kill(os.getppid(), signal.SIGINT)
  time.sleep(10_000)
  return _done()


def test_what_begins_is_killed_when_the_run_is_interrupted(run, tmp_path):
  _, outcomes = run(_interrupt, tmp_path, memory_mb=4000)
  assert outcomes == _INTERRUPTED
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
