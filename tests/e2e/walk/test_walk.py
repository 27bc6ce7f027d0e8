"""One workspace in a world that changes: after each run all that can be asked tells one story.

Every step does something to the data, the workspace or the run itself, and `Walk.check` then asks
the exit code, the JSON, the screen, `runs list`, `status`, `doctor` and TensorFlow. What `doctor`
advises is done, and must help. `DLPIPE_WALK_SEED` chooses another moment of the kill.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.e2e

_KILLED = -signal.SIGKILL


def _kill_the_gates_server(run: subprocess.Popen[str]) -> None:
  """Kills the server that ServingGate starts, as soon as it is there."""
  deadline = time.monotonic() + 600
  while run.poll() is None and time.monotonic() < deadline:
    # Threads and children end while they are listed.
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
      for listed in pathlib.Path(f"/proc/{run.pid}/task").glob("*/children"):
        for child in listed.read_text().split():
          if b"watched_server" in pathlib.Path(f"/proc/{child}/cmdline").read_bytes():
            os.kill(int(child), signal.SIGKILL)
            return
    time.sleep(0.01)
  raise AssertionError("ServingGate started no server")


def _killed_later(after_s: float) -> Callable[[subprocess.Popen[str]], None]:
  return lambda process: threading.Timer(after_s, process.kill).start()


def _cut(path: pathlib.Path) -> None:
  os.truncate(path, path.stat().st_size // 2)


def _a_random_moment(first: dict[str, Any]) -> tuple[str, float, str]:
  """A node, seconds after its start, and the node after it, of a run that is as the first.

  Before the last two nodes end: `test_kill.py` has pushes that are killed.
  """
  seed = int(os.environ.get("DLPIPE_WALK_SEED", "113460"))
  components = first["components"][:-1]
  at = random.Random(seed).uniform(0, sum(each["seconds"] for each in components[:-1]))
  for number, each in enumerate(components[:-1], 1):  # noqa: B007 - where the loop ends counts
    if at < each["seconds"]:
      break
    at -= each["seconds"]
  said = f"DLPIPE_WALK_SEED={seed}: killed {at:.2f} s after the start of {each['id']}"
  sys.stdout.write(f"{said}\n")  # pytest shows it where the walk fails
  return each["id"], at, components[number]["id"]


def _namespace() -> list[str]:
  """The command that may mount a file system here; empty where nothing may."""
  for command in (["unshare", "-Urm"], ["sudo", "-n", "-E", "unshare", "-m"]):
    tried = [*command, "mount", "-t", "tmpfs", "tmpfs", tempfile.gettempdir()]
    if (
      shutil.which(command[0])
      and subprocess.run(tried, capture_output=True, check=False).returncode == 0
    ):
      return command
  return []


@pytest.mark.timeout(1800)
def test_a_workspace_in_a_world_that_changes(walk, tmp_path):
  first = walk.run()
  walk.check(first, state="pushed", versions=[1])
  assert walk.labels(1) == {"red", "green", "blue"}

  # A class is added, and rows are edited in place, at first while they are read.
  walk.pictures.add("white")
  with walk.pictures.edited("green", (60, 160, 90)) as begin:
    ended = walk.run(when="SourceExampleGen +started", then=begin)
  walk.check(ended, code=1, state="failed", says="changed while.*Run again", versions=[1])
  walk.check(walk.run(), state="pushed", versions=[1, 2])
  assert walk.labels(2) == {"red", "green", "blue", "white"}

  # A label is flipped; the run is killed at a random moment.
  walk.pictures.move("red/03.png", "green/was-red.png")
  node, after_s, following = _a_random_moment(first.result)
  ended = walk.run(
    when=f"{node} +started", then=_killed_later(after_s), killed_at=f"{following} +started"
  )
  found = walk.findings()
  assert set(found) <= {"leftovers: warning"}
  walk.check(ended, code=_KILLED, versions=[1, 2], doctor=found)
  walk.check(walk.run(), state="pushed", versions=[1, 2, 3])

  # A class is gone; the training is killed and its checkpoint cut, and then the gate's server.
  walk.pictures.remove("blue")
  ended = walk.run(when="Trainer .*epoch 3/")
  [checkpoint] = (walk.root / "checkpoints").glob("*/state.npz")
  _cut(checkpoint)
  walk.check(ended, code=_KILLED, versions=[1, 2, 3], doctor=["checkpoints: warning"])
  ended = walk.run(when="ServingGate +started", then=_kill_the_gates_server)
  assert "the checkpoint cannot be used" in ended.stderr
  walk.check(
    ended,
    code=1,
    state="failed",
    says="signal SIGKILL",
    versions=[1, 2, 3],
    doctor=["checkpoints: warning"],
  )
  [aside] = (walk.root / "checkpoints").glob("*-set-aside.npz")
  aside.unlink()
  assert walk.findings() == []

  # The store is moved away.
  (walk.root / "metadata.db").rename(tmp_path / "metadata.db")
  ended = walk.run()
  walk.check(ended, state="pushed", versions=[1, 2, 3, 4])
  assert ended.states()["Trainer"] == "COMPLETE"
  assert walk.labels(4) == {"red", "green", "white"}

  # What is served is cut; when it is to be published again, the disk is full.
  _cut(next((walk.root / "serving" / "4" / "variables").glob("*.data*")))
  assert walk.findings() == ["served versions: broken"]
  if namespace := _namespace():
    ended = walk.run_on_a_full_disk(namespace, tmp_path / "full")
    walk.check(
      ended,
      code=1,
      state="failed",
      says="room for one more copy",
      versions=[1, 2, 3, 4],
      damaged=[4],
      doctor=["served versions: broken"],
    )
  else:
    warnings.warn("Nothing can be mounted here: no disk was full", stacklevel=1)
  walk.check(
    walk.run(),
    state="pushed",
    says="Version 4 .* is damaged",
    versions=[1, 2, 3, 4, 5],
    damaged=[4],
    doctor=["served versions: warning"],
  )
  shutil.rmtree(walk.root / "serving" / "4")
  assert walk.findings() == []

  # It is copied elsewhere, and the original deleted.
  old, walk.workspace = walk.workspace, tmp_path / "else where" / "workspace"
  shutil.copytree(old, walk.workspace)
  for _ in ("with the original", "without"):
    ended = walk.run()
    walk.check(ended, state="cached", versions=[1, 2, 3, 5])
    assert set(ended.states().values()) == {"CACHED"}
    assert str(old) not in ended.stdout
    shutil.rmtree(old, ignore_errors=True)
    last = ended.result["run_id"]

  # What is asked of it, it tells of the new place; and it can go back.
  run_ids = [run["run_id"] for run in walk.ask("runs", "list", "images")["runs"]]
  assert run_ids[0] == last
  told = [
    walk.ask("runs", "show", last),
    walk.ask("runs", "why", last),
    walk.ask("runs", "diff", run_ids[1], last),
    walk.ask("status", "images"),
    walk.ask("rollback", "images", "--to", "3"),
  ]
  assert str(old) not in str(told)
  assert told[0]["metrics"]["accuracy"] == ended.result["metrics"]["accuracy"]
  assert told[-1]["version"] == 6
  walk.check_served([1, 2, 3, 5, 6])
