"""A job server's process: that it ends with ours, and what is said where it does not start."""

import os
import pathlib
import subprocess
import sys
import time

import pytest

from dlpipe.errors import DlpipeError
from pipeline.beam.job_server import JavaJobServer

_OWNER = """
import sys
from pipeline.beam.job_server import JavaJobServer
JavaJobServer([sys.argv[1]], artifacts_dir=None, port=0).start()
"""


def _wait_for(condition, timeout_s=300):
  end = time.monotonic() + timeout_s
  while not condition() and time.monotonic() < end:
    time.sleep(0.05)
  return condition()


def test_one_that_ends_before_it_listens_is_told_of(tmp_path, monkeypatch):
  monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
  server = JavaJobServer(["false", "--flink-master", "[local]"], artifacts_dir=None, port=0)
  with pytest.raises(DlpipeError, match=r"ended with code 1 .* started as: false --flink-master"):
    server.start()
  server.stop()
  assert list(tmp_path.iterdir()) == []


def test_it_ends_with_the_process_that_started_it_however_that_ends(tmp_path):
  launcher = tmp_path / "java"
  launcher.write_text(f"#!/bin/sh\necho $$ >{tmp_path}/id\nexec sleep 600\n")
  launcher.chmod(0o755)
  folder = tmp_path / "temporary"
  folder.mkdir()
  owner = subprocess.Popen(
    [sys.executable, "-c", _OWNER, str(launcher)], env={**os.environ, "TMPDIR": str(folder)}
  )
  try:
    assert _wait_for(lambda: (tmp_path / "id").exists() and (tmp_path / "id").read_text())
    server = pathlib.Path("/proc") / (tmp_path / "id").read_text().strip()
    assert server.exists()
    assert len(list(folder.iterdir())) == 1
  finally:
    owner.kill()
    owner.wait()
  assert _wait_for(lambda: not server.exists())
  assert _wait_for(lambda: not list(folder.iterdir()))
