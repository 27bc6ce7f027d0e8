"""Runs Left, Right and, after both, Last, whose work is a stand-in, for `test_processes.py`.

A process of its own, since nodes are forks of the process that runs them. Each line of stdin is a
run as JSON: `{"folder": PATH, "run_node": NAME or null, "options": {...}}`. Its events and outcomes
are in the folder's `answer.pickle` when a line of stdout says so.
"""

import json
import os
import pathlib
import pickle
import signal
import sys
import time

from tfx.orchestration.pipeline import Pipeline

from components.reviewed_schema import ReviewedSchema
from dlpipe import nodes, progress
from dlpipe.errors import DataRefusedError
from dlpipe.workspace import TaskFolder
from pipeline.execution import forks, node, processes
from pipeline.execution.options import RunOptions
from pipeline.runs.store.metadata_stores import sqlite_connection

_TIMEOUT_S = 300
_FOLDER = pathlib.Path()


def _done():
  return node.NodeOutcome(state=nodes.COMPLETE, execution_id=None, seconds=0.1, peak_rss_mb=50.0)


def _until(is_so):
  deadline = time.monotonic() + _TIMEOUT_S
  while not is_so():
    assert time.monotonic() < deadline
    time.sleep(0.01)


def meet(compiled, node_id, store):
  """Left and Right wait for each other; Last sees that both have ended."""
  if node_id == "Last":
    assert all((_FOLDER / f"{name}-ended").exists() for name in ("Left", "Right"))
    return _done()
  (_FOLDER / node_id).touch()
  _until(lambda: all((_FOLDER / name).exists() for name in ("Left", "Right")))
  (_FOLDER / f"{node_id}-ended").touch()
  return _done()


def span(compiled, node_id, store):
  """Writes when it began and ended."""
  started = time.monotonic()
  time.sleep(0.3)  # two that could run at the same time would
  (_FOLDER / node_id).write_text(f"{started} {time.monotonic()}")
  return _done()


def refuse(compiled, node_id, store):
  """Left reports progress and refuses."""
  if node_id == "Right":
    return _done()
  progress.report("half way", records=5)
  raised = RuntimeError("wrapped")
  raised.__cause__ = DataRefusedError("not fit\nsecond line")
  return node.NodeOutcome(
    state=nodes.FAILED, execution_id=7, seconds=1.0, peak_rss_mb=2.0, error=raised
  )


def die_once(compiled, node_id, store):
  """Left is killed the first time."""
  if _is_first(node_id):
    os.kill(os.getpid(), signal.SIGKILL)
  return _done()


def no_memory_once(compiled, node_id, store):
  """Left has too little memory the first time."""
  if _is_first(node_id):
    raise MemoryError("no more")
  return _done()


def _is_first(node_id):
  marker = _FOLDER / f"{node_id}-ran"
  was_there = marker.exists()
  marker.touch()
  return node_id == "Left" and not was_there


def interrupt(compiled, node_id, store):
  """Right interrupts the run as soon as Left is there, too; none of them ends."""
  (_FOLDER / f"{node_id}.pid").write_text(str(os.getpid()))
  (_FOLDER / f"{node_id}.pid").rename(_FOLDER / node_id)
  if node_id == "Right":
    _until((_FOLDER / "Left").exists)
    os.kill(os.getppid(), signal.SIGINT)
  time.sleep(10_000)


def _run(asked):
  global _FOLDER
  _FOLDER = folder = pathlib.Path(asked["folder"])
  # Whoever starts the tests in the background has them ignore SIGINT.
  signal.signal(signal.SIGINT, signal.default_int_handler)
  forks.warm_up = lambda: None
  os.sched_getaffinity = lambda pid: {0, 1}
  if asked["run_node"] is not None:
    node.run_node = globals()[asked["run_node"]]
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
      options=RunOptions(processes=True, **asked["options"]),
      folder=TaskFolder(folder),
    )
  except KeyboardInterrupt:
    outcomes = "interrupted"
  (folder / "answer.pickle").write_bytes(pickle.dumps((heard, outcomes)))
  return 0


def main():
  for line in sys.stdin:
    child = forks.start(lambda line=line: _run(json.loads(line)))
    os.waitpid(child, 0)
    sys.stdout.write("done\n")
    sys.stdout.flush()


if __name__ == "__main__":
  main()
