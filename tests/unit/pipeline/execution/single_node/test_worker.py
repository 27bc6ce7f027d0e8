"""A worker and its clients, each in a process of its own; the node itself is a stand-in."""

import json
import os
import pathlib
import socket
import subprocess
import sys
import time

import pytest

from dlpipe.errors import BadInputError, DlpipeError
from pipeline.execution import forks
from pipeline.execution.single_node import worker
from pipeline.execution.single_node.node_request import NodeRequest, ask_worker

_REPOSITORY = pathlib.Path(__file__).resolve().parents[5]
_TIMEOUT_S = 300
# A node writes who it is and ends with the code that it is called, or by the signal, or waits.
_WORKER = """
import os, signal, sys, time
from pipeline.execution import forks
from pipeline.execution.single_node import worker

def stand_in(request):
  os.write(1, f"{os.getpid()} {os.getcwd()} {os.environ['DLPIPE_TEST']}\\n".encode())
  os.write(2, b"to the log\\n")
  if request.node_id == "wait":
    time.sleep(1000)
  if request.node_id.startswith("SIG"):
    os.kill(os.getpid(), signal.Signals[request.node_id])
  return int(request.node_id)

address, *sources = sys.argv[1:]
if sources:
  forks.loaded_sources = lambda: {source: forks.file_state(source) for source in sources}
worker._run_warm = stand_in
worker._run_cold = lambda request: os.write(1, b"cold\\n") - 5
again = worker.Worker(address, ready=lambda: print("ready", flush=True)).serve()
print("again" if again else "stopped", flush=True)
"""
_CLIENT = """
import json, os, sys
from pipeline.execution.single_node.node_request import NodeRequest, ask_worker
os._exit(ask_worker(sys.argv[1], NodeRequest(**json.loads(sys.argv[2]))))
"""


def _python(code, *arguments, **options):
  """Starts an interpreter. This process has threads of other tests: no fork of it would be safe."""
  return subprocess.Popen(
    [sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, text=True, **options
  )


@pytest.fixture
def start(tmp_path):
  """Returns a function that starts a worker, which watches these sources or all that it loads.

  It returns the worker's address and process.
  """
  started = []

  def begin(*sources):
    address = str(tmp_path / "deep" / "worker.sock")
    process = _python(
      _WORKER, address, *map(str, sources), env={**os.environ, "PYTHONPATH": str(_REPOSITORY)}
    )
    started.append(process)
    assert process.stdout.readline() == "ready\n"
    return address, process

  yield begin
  for process in started:
    with process:
      if process.poll() is None:
        process.terminate()
        assert process.wait(_TIMEOUT_S) == 0


@pytest.fixture
def client(tmp_path):
  """Returns a function that starts `dlpipe node`'s side of a request."""
  started = []

  def begin(address, node_id):
    request = NodeRequest(ir_file="/ir.json", node_id=node_id, run_id="r1")
    process = _python(
      _CLIENT,
      address,
      json.dumps(request.to_json()),
      cwd=tmp_path,
      env={**os.environ, "PYTHONPATH": str(_REPOSITORY), "DLPIPE_TEST": f"of {node_id}"},
      stderr=subprocess.PIPE,
    )
    started.append(process)
    return process

  yield begin
  for process in started:
    with process:
      process.kill()


def _ended(process):
  stdout, stderr = process.communicate(timeout=_TIMEOUT_S)
  return process.returncode, stdout, stderr


def test_nodes_run_in_forks_with_the_clients_streams_folder_and_environment(
  start, client, tmp_path
):
  address, server = start()
  clients = {code: client(address, str(code)) for code in (0, 3, 99)}
  pids = set()
  for code, process in clients.items():
    returned, stdout, stderr = _ended(process)
    assert (returned, stderr) == (code, "to the log\n")
    pid, rest = stdout.split(" ", 1)
    assert rest == f"{tmp_path} of {code}\n"
    pids.add(int(pid))
  assert len(pids) == 3
  assert server.pid not in pids
  assert os.stat(address).st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
  ("name", "said"),
  [
    ("SIGKILL", "was killed by signal 9 (SIGKILL), as where memory runs out."),
    ("SIGSEGV", "was killed by signal 11 (SIGSEGV)."),
  ],
)
def test_a_killed_node_is_a_failure_that_says_so(start, client, name, said):
  address, _ = start()
  code, _, stderr = _ended(client(address, name))
  assert code == 1
  assert f"The process for the node {name} {said} It can be run again" in stderr


def test_a_client_that_is_killed_takes_its_node_with_it(start, client):
  address, _ = start()
  process = client(address, "wait")
  pid = int(process.stdout.readline().split()[0])
  os.kill(pid, 0)
  process.kill()
  _until_gone(pid)
  assert _ended(client(address, "0"))[0] == 0


def test_a_worker_that_stops_takes_its_nodes_with_it_and_says_so(start, client):
  address, server = start()
  process = client(address, "wait")
  pid = int(process.stdout.readline().split()[0])
  server.terminate()
  assert _ended(server)[:2] == (0, "stopped\n")
  _until_gone(pid)
  code, _, stderr = _ended(process)
  assert code == 1
  assert "The worker at" in stderr
  assert "went away, and the node wait with it" in stderr
  assert not os.path.exists(address)


def test_so_does_a_worker_that_is_killed_and_the_next_one_takes_its_place(start, client):
  address, server = start()
  process = client(address, "wait")
  pid = int(process.stdout.readline().split()[0])
  server.kill()
  _until_gone(pid)
  code, _, stderr = _ended(process)
  assert code == 1
  assert "went away, and the node wait with it" in stderr
  start()
  assert _ended(client(address, "0"))[0] == 0


def test_changed_sources_are_not_run_warm_and_end_the_worker(start, client, tmp_path):
  source = tmp_path / "source.py"
  source.write_text("before")
  address, server = start(source)
  at_work = client(address, "wait")
  assert at_work.stdout.readline().endswith("of wait\n")
  source.write_text("after an edit")
  assert _ended(client(address, "0"))[:2] == (0, "cold\n")
  assert server.poll() is None
  at_work.kill()
  assert _ended(server)[:2] == (0, "again\n")


def test_where_no_worker_listens_nothing_is_run(tmp_path):
  request = NodeRequest(ir_file="/ir.json", node_id="0", run_id="r1")
  assert ask_worker(str(tmp_path / "none.sock"), request) is None
  with socket.socket(socket.AF_UNIX) as dead:
    dead.bind(str(tmp_path / "dead.sock"))
  assert ask_worker(str(tmp_path / "dead.sock"), request) is None
  with pytest.raises(DlpipeError, match="Cannot connect to the worker at"):
    ask_worker(str(tmp_path / ("x" * 200)), request)


def test_the_sources_that_are_watched_are_ours():
  found = forks.loaded_sources()
  assert str(pathlib.Path(worker.__file__)) in found
  assert all(path.startswith(str(_REPOSITORY)) for path in found)
  assert not any("site-packages" in path for path in found)
  assert forks.file_state(str(_REPOSITORY / "absent.py")) is None


def test_one_worker_to_an_address(start, tmp_path):
  address, _ = start()
  with pytest.raises(BadInputError, match="A worker listens at .* already"):
    worker.Worker(address)
  with socket.socket(socket.AF_UNIX) as dead:
    dead.bind(str(tmp_path / "dead.sock"))
  worker._listen(str(tmp_path / "dead.sock")).close()


def test_a_message_that_is_none_is_dropped_and_the_worker_goes_on(start, client):
  address, _ = start()
  with socket.socket(socket.AF_UNIX) as connection:
    connection.connect(address)
    connection.sendall(b'{"request": {"node": "Trainer"}}\n')
    assert connection.recv(100) == b""
  assert _ended(client(address, "0"))[0] == 0


def test_a_request_is_a_command():
  request = NodeRequest(
    ir_file="/ir.json",
    node_id="Trainer",
    run_id="r 1",
    mlmd="/db.json",
    parameters={"data-path": "/d=1"},
    as_json=True,
  )
  words = "node --ir /ir.json --node Trainer --run-id|r 1|--mlmd /db.json --param data-path=/d=1"
  first, run_id, rest = words.split("|")
  assert request.arguments() == [*first.split(), run_id, *rest.split(), "--json"]
  ended = NodeRequest(ir_file="/ir.json", node_id=None, run_id="r1")
  assert ended.arguments() == ["finish", "--ir", "/ir.json", "--run-id", "r1"]


def _until_gone(pid):
  deadline = time.monotonic() + _TIMEOUT_S
  while time.monotonic() < deadline:
    try:
      os.kill(pid, 0)
    except ProcessLookupError:
      return
    time.sleep(0.05)
  pytest.fail(f"process {pid} is still there")
