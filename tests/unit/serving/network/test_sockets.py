"""A port that is taken is told before anything is loaded."""

import pathlib
import socket
import subprocess
import sys

import pytest

from serving.errors import Unavailable
from serving.network.sockets import require_free

_ROOT = pathlib.Path(__file__).resolve().parents[4]


@pytest.fixture
def taken():
  with socket.create_server(("127.0.0.1", 0)) as server:
    yield server.getsockname()[1]


def test_a_taken_port_is_refused_and_a_free_one_is_not(taken):
  with pytest.raises(Unavailable, match=f"Cannot listen on 127.0.0.1:{taken} .is another server"):
    require_free("127.0.0.1", taken)
  with socket.create_server(("127.0.0.1", 0)) as free:
    port = free.getsockname()[1]
  require_free("127.0.0.1", port)
  require_free("127.0.0.1", 0)


@pytest.mark.parametrize("flag", ["--port", "--rest_api_port"])
def test_the_server_says_so_in_one_line_and_loads_no_framework(taken, tmp_path, flag):
  script = (
    "import sys\n"
    "from serving.cli import main\n"
    "code = main(sys.argv[1:])\n"
    "print(code, 'tensorflow' in sys.modules)\n"
  )
  arguments = {"--port": "--port=0", "--rest_api_port": "--rest_api_port=0"}
  arguments[flag] = f"{flag}={taken}"
  done = subprocess.run(
    [
      *(sys.executable, "-c", script, f"--model_base_path={tmp_path}"),
      *("--host=127.0.0.1", *arguments.values()),
    ],
    cwd=_ROOT,
    capture_output=True,
    text=True,
    timeout=120,
    check=True,
  )
  said, code = done.stdout.splitlines()
  assert said == (
    f"Failed to start server. Error: UNAVAILABLE: Cannot listen on 127.0.0.1:{taken} (is another "
    "server using it?): Address already in use"
  )
  assert code == "255 False"
  assert done.stderr == ""
