"""A server that reads models.config: labels from candidate to canary to live, without a gap."""

import threading

import pytest

from components.versioned_pusher import candidates, models_config
from components.versioned_pusher.publish import publish
from dlpipe.workspace import TaskFolder
from pipeline.api.operations import staging

X = {"instances": [[2.0]]}


@pytest.fixture
def folder(models, tmp_path):
  """half_plus adds 2 in version 1, which is live, and 3 in version 2, which waits."""
  found = TaskFolder(tmp_path / "m")
  publish(models / "half_plus" / "1", found.serving)
  candidates.hold(models / "half_plus" / "2", found.serving)
  return found


def _ask(server, which=""):
  status, found = server.post(f"/v1/models/m{which}:predict", X)
  return found["predictions"][0][0] if status == 200 else status


def _wait_for(condition):
  asked = threading.Event()
  for _ in range(1200):
    if condition():
      return
    asked.wait(0.1)
  raise AssertionError("it did not come so far")


def test_a_candidate_is_tried_and_goes_live(start, folder):
  staging.promote(folder, None, stage="canary", reason="try it")
  server = start(
    f"--model_config_file={folder.models_config}",
    "--model_config_file_poll_wait_seconds=1",
    models_config.ALLOW_FLAG,
  )
  _wait_for(lambda: _ask(server, "/labels/canary") == 4.0)
  assert _ask(server, "/labels/stable") == 3.0
  assert _ask(server) == 3.0, "who names nothing gets what is live"
  stop, seen = threading.Event(), set()

  def watch():
    while not stop.is_set():
      seen.add(_ask(server, "/labels/stable"))

  watcher = threading.Thread(target=watch)
  watcher.start()
  staging.promote(folder, 2, stage="stable", reason="it is better")
  _wait_for(lambda: _ask(server, "/labels/stable") == 4.0)
  stop.set()
  watcher.join()
  assert seen <= {3.0, 4.0}, "the label was answered all the time"
  assert _ask(server) == 4.0
  _wait_for(lambda: _ask(server, "/labels/canary") == 400)
