"""A worker and its clients, each in a process of its own; the node itself is a stand-in."""

import json
import multiprocessing
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
_TIMEOUT_S = 120
_CLIENT = """
import json, os, sys
from pipeline.execution.single_node.node_request import NodeRequest, ask_worker
os._exit(ask_worker(sys.argv[1], NodeRequest(**json.loads(sys.argv[2]))))
"""


def _stand_in(request):
  """Writes who it is and ends with the code that its node is called, or waits."""
  # The descriptors themselves: pytest has put something else into `sys.stdout`.
  os.write(1, f"{os.getpid()} {os.getcwd()} {os.environ['DLPIPE_TEST']}\n".encode())
  os.write(2, b"to the log\n")
  if request.node_id == "wait":
    time.sleep(_TIMEOUT_S)
  if request.node_id == "killed":
    os.kill(os.getpid(), 9)
  return int(request.node_id)


def _serve(address, ready, again):
  again.value = worker.Worker(address, ready=ready.set).serve()


@pytest.fixture
def start(tmp_path, monkeypatch):
  """Returns a function that starts a worker; gives its address, process and verdict at the end."""
  monkeypatch.setattr(worker, "_run_warm", _stand_in)
  monkeypatch.setattr(worker, "_run_cold", lambda request: os.write(1, b"cold\n") - 5)
  context = multiprocessing.get_context("fork")
  started = []

  def begin():
    address = str(tmp_path / "deep" / "worker.sock")
    ready, again = context.Event(), context.Value("b", -1)
    process = context.Process(target=_serve, args=(address, ready, again))
    process.start()
    started.append(process)
    assert ready.wait(_TIMEOUT_S)
    return address, process, again

  yield begin
  for process in started:
    process.terminate()
    process.join(_TIMEOUT_S)
    assert process.exitcode == 0


@pytest.fixture
def client(tmp_path):
  """Returns a function that starts `dlpipe node`'s side of a request."""

  def begin(address, node_id):
    request = NodeRequest(ir_file="/ir.json", node_id=node_id, run_id="r1")
    return subprocess.Popen(
      [sys.executable, "-c", _CLIENT, address, json.dumps(request.to_json())],
      cwd=tmp_path,
      env={**os.environ, "PYTHONPATH": str(_REPOSITORY), "DLPIPE_TEST": f"of {node_id}"},
      stdout=subprocess.PIPE,
      stderr=subprocess.PIPE,
      text=True,
    )

  return begin


def _ended(process):
  stdout, stderr = process.communicate(timeout=_TIMEOUT_S)
  return process.returncode, stdout, stderr


def test_nodes_run_in_forks_with_the_clients_streams_folder_and_environment(
  start, client, tmp_path
):
  address, server, _ = start()
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


def test_a_killed_node_is_a_failure(start, client):
  address, _, _ = start()
  assert _ended(client(address, "killed"))[0] == 1


def test_a_client_that_is_killed_takes_its_node_with_it(start, client):
  address, _, _ = start()
  process = client(address, "wait")
  pid = int(process.stdout.readline().split()[0])
  os.kill(pid, 0)
  process.kill()
  _until_gone(pid)
  assert _ended(client(address, "0"))[0] == 0


def test_a_worker_that_stops_takes_its_nodes_with_it_and_says_so(start, client):
  address, server, again = start()
  process = client(address, "wait")
  pid = int(process.stdout.readline().split()[0])
  server.terminate()
  server.join(_TIMEOUT_S)
  _until_gone(pid)
  code, _, stderr = _ended(process)
  assert code == 1
  assert "The worker at" in stderr
  assert "went away, and the node wait with it" in stderr
  assert (again.value, os.path.exists(address)) == (False, False)


def test_changed_sources_are_not_run_warm_and_end_the_worker(start, client, monkeypatch, tmp_path):
  source = tmp_path / "source.py"
  source.write_text("before")
  monkeypatch.setattr(forks, "loaded_sources", lambda: {str(source): forks.file_state(str(source))})
  address, server, again = start()
  at_work = client(address, "wait")
  assert at_work.stdout.readline().endswith("of wait\n")
  source.write_text("after an edit")
  assert _ended(client(address, "0"))[:2] == (0, "cold\n")
  assert server.is_alive()
  at_work.kill()
  server.join(_TIMEOUT_S)
  assert again.value == True  # noqa: E712 - a number in shared memory


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
  address, _, _ = start()
  with pytest.raises(BadInputError, match="A worker listens at .* already"):
    worker.Worker(address)
  with socket.socket(socket.AF_UNIX) as dead:
    dead.bind(str(tmp_path / "dead.sock"))
  worker._listen(str(tmp_path / "dead.sock")).close()


def test_a_message_that_is_none_is_dropped_and_the_worker_goes_on(start, client):
  address, _, _ = start()
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
