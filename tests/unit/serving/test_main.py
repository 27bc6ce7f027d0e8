"""`python -m serving` from any folder."""

import pathlib
import subprocess
import sys

import pytest

_ROOT = pathlib.Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("folder", [".", "serving"])
def test_the_server_finds_grpc_and_not_its_own_room(folder, tmp_path):
  command = [sys.executable, "-m", "serving", "--model_config_file=/none", "--port=0"]
  ran = subprocess.run(
    [*command, f"--grpc_socket_path={tmp_path / 'socket'}"],
    cwd=_ROOT / folder,
    capture_output=True,
    text=True,
  )
  assert ran.returncode == 255, ran.stderr
  assert "Failed to start server. Error: NOT_FOUND: /none; No such file" in ran.stdout
