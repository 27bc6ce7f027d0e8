"""The gate's temporary folders: gone after use, after a kill, and never while another uses one."""

import os
import pathlib
import signal
import subprocess
import sys
import tempfile

import pytest

from components.serving_gate import scratch

_ROOT = pathlib.Path(__file__).parents[4]
_USE_FOR_EVER = """
import time
from components.serving_gate import scratch
with scratch.folder() as path:
  print(path, flush=True)
  time.sleep(600)
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
  monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
  return tmp_path


def test_it_is_gone_after_use_and_after_a_failure(temporary):
  with scratch.folder() as path:
    assert pathlib.Path(path).parent == temporary
    (pathlib.Path(path) / "file").write_text("x")
  with pytest.raises(ValueError, match="x"), scratch.folder():
    raise ValueError("x")
  assert list(temporary.iterdir()) == []


def test_what_a_killed_gate_left_goes_and_what_another_uses_stays(temporary):
  environment = {**os.environ, "TMPDIR": str(temporary), "PYTHONPATH": str(_ROOT)}
  command = [sys.executable, "-c", _USE_FOR_EVER]
  with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
    try:
      used = pathlib.Path(process.stdout.readline().strip())
      with scratch.folder():
        assert used.is_dir()
    finally:
      process.send_signal(signal.SIGKILL)
  assert used.is_dir()
  with scratch.folder():
    assert not used.exists()
