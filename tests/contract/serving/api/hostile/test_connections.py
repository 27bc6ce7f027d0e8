"""Thousands of connections that say nothing, or half of something."""

import contextlib
import os
import pathlib
import resource
import socket
import time

import pytest

COUNT = 5000
HTTP2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"  # the preface, empty settings


@pytest.fixture(autouse=True)
def descriptors():
  """Enough of them for this process to open so many."""
  soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
  needed = COUNT + 500
  if hard != resource.RLIM_INFINITY and hard < needed:
    pytest.skip(f"the system allows a process {hard} descriptors")
  resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, needed), hard))
  yield
  resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def _flood(stack, port, sent):
  for _ in range(COUNT):
    connection = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=120))
    with contextlib.suppress(OSError):
      connection.sendall(sent)


def _descriptors(server):
  return len(os.listdir(f"/proc/{server.process.pid}/fd"))


@pytest.mark.parametrize("sent", [b"", b"POST /v1/models/half_plus:predict HTTP/1.1\r\nContent-"])
def test_over_rest(usual, sent):
  before = _descriptors(usual)
  with usual.watch(), contextlib.ExitStack() as stack:
    _flood(stack, usual.rest_port, sent)
    assert _descriptors(usual) < before + 1100
    with usual.watch():  # while they all stand
      time.sleep(1)
  _until(lambda: _descriptors(usual) < before + 50)


@pytest.mark.parametrize("sent", [b"", HTTP2[:20], HTTP2])
def test_over_grpc(guarded, sent):
  """Who does not finish the handshake is gone after its time; who asks for nothing, later."""
  before = _descriptors(guarded)
  with guarded.watch(), contextlib.ExitStack() as stack:
    _flood(stack, guarded.port, sent)
    with guarded.watch():
      time.sleep(1)
    _until(lambda: _descriptors(guarded) < before + 50)


def _until(is_so):
  deadline = time.monotonic() + 120
  while not is_so():
    assert time.monotonic() < deadline
    time.sleep(0.1)


def test_where_descriptors_are_few(start_process, models, tools, tmp_path):
  """The system's limit is shared by both protocols, and neither locks the other out."""
  (tmp_path / "1").symlink_to(models / "half_plus" / "1")
  server = start_process(
    "--model_name=half_plus", f"--model_base_path={tmp_path}", limit_of_descriptors=512
  ).wait()
  with contextlib.ExitStack() as stack:
    for _ in range(600):
      stack.enter_context(socket.create_connection(("127.0.0.1", server.rest_port), timeout=120))
    assert server.post("/v1/models/half_plus:predict", {"instances": [2.0]})[0] == 200
    assert server.predict("half_plus", {"x": [[2.0]]}).outputs["y"].float_val == [3.0]
  assert "connections instead of 1000" in pathlib.Path(server._log).read_text()
