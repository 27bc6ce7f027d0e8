"""A server as it is by default, one with tokens and little time, and what attacks cost them."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import json
import logging
import os
import pathlib
import select
import socket
import ssl
import subprocess
import threading
import time

import pytest

_LOG = logging.getLogger(__name__)
# Eight of the worst bodies at once take up to 27 times as much CPU as `_some_work`.
MOST_WORK = 50
MOST_BYTES = 200_000_000
PREDICT = "/v1/models/half_plus:predict"
TOKEN = "right"
_TICKS = os.sysconf("SC_CLK_TCK")
_NOT_NOW = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
_PATIENCE_S = 60


class Watch:
  """What a server's process costs while it is attacked, and what others get from it meanwhile."""

  def __init__(self, server, headers=()):
    self._server, self._headers = server, dict(headers)
    self._proc = pathlib.Path(f"/proc/{server.process.pid}")
    self._is_over = threading.Event()
    self._failures = []
    self._answers = 0

  def __enter__(self):
    (self._proc / "clear_refs").write_text("5")  # the peak begins anew
    self._rss, self._cpu_s = self._status("VmRSS"), self._total_cpu_s()
    self._client = threading.Thread(target=self._ask)
    self._client.start()
    return self

  def __exit__(self, kind, error, trace):
    before, deadline = self._answers, time.monotonic() + 120
    while self._answers < before + 2 and not self._failures and time.monotonic() < deadline:
      time.sleep(0.01)
    self._is_over.set()
    self._client.join()
    cpu_s = self._total_cpu_s() - self._cpu_s
    grown = self._status("VmHWM") - self._rss
    if kind is not None:
      return
    assert self._server.process.poll() is None
    assert self._failures == []
    assert self._answers >= before + 2, "others are kept waiting"
    assert grown < MOST_BYTES, f"{grown / 1e6:.0f} MB"
    times = cpu_s / _some_work()
    spent = f"{cpu_s:.2f} s of CPU, {times:.1f} times some work"
    assert times < MOST_WORK, spent
    _LOG.info("%.0f MB, %s, %d answers to others", grown / 1e6, spent, self._answers)

  def _ask(self):
    """A client that does what it should: over REST on new connections, and over gRPC."""
    metadata = [(name.lower(), value) for name, value in self._headers.items()]
    while not self._is_over.wait(0.05):
      try:
        body = json.dumps({"instances": [2.0]})
        status, _, answer = self._server.http("POST", PREDICT, body, **self._headers)
        assert (status, json.loads(answer)) == (200, {"predictions": [3.0]}), (status, answer)
        request = self._server.tools.predict_request("half_plus", {"x": [[2.0]]})
        found = self._server.prediction.Predict(request, metadata=metadata, timeout=120)
        assert found.outputs["y"].float_val == [3.0]
        self._answers += 1
      except Exception as err:
        self._failures.append(repr(err))

  def _status(self, name):
    for line in (self._proc / "status").read_text().splitlines():
      if line.startswith(f"{name}:"):
        return int(line.split()[1]) * 1024
    raise AssertionError(name)

  def _total_cpu_s(self):
    fields = (self._proc / "stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _some_work():
  """CPU seconds of this process for what a body costs: a busy machine takes longer for both."""
  packed, text = gzip.compress(b" " * 64_000_000, 1), f"[{'1.5,' * 400_000}1]"
  began = time.process_time()
  gzip.decompress(packed)
  json.loads(text)
  return time.process_time() - began


def _started(start_process, tools, path, *flags):
  server = start_process("--model_name=half_plus", f"--model_base_path={path}", *flags).wait()
  server.tools = tools
  return server


@pytest.fixture(scope="session")
def usual(start_process, models, tools, tmp_path_factory):
  """A server with the limits that it has by default, and clients that have asked it before."""
  path = tmp_path_factory.mktemp("usual")
  (path / "1").symlink_to(models / "half_plus" / "1")
  return _warm(_started(start_process, tools, path))


@pytest.fixture(scope="session")
def guarded(start_process, models, tools, tmp_path_factory):
  """One that wants tokens, and gives its callers little time."""
  path = tmp_path_factory.mktemp("guarded")
  (path / "1").symlink_to(models / "half_plus" / "1")
  (path / "tokens").write_text(f"{TOKEN}\n")
  return _warm(
    _started(
      start_process,
      tools,
      path,
      f"--auth_tokens_file={path / 'tokens'}",
      "--header_timeout_in_ms=1000",
      "--body_timeout_in_ms=1000",
      "--idle_timeout_in_ms=3000",
    ),
    {"Authorization": f"Bearer {TOKEN}"},
  )


@pytest.fixture(scope="session")
def secured(start_process, models, tools, tmp_path_factory):
  """One that wants tokens, and speaks TLS over REST; connections may be idle for longer."""
  path = tmp_path_factory.mktemp("secured")
  (path / "1").symlink_to(models / "half_plus" / "1")
  (path / "tokens").write_text(f"{TOKEN}\n")
  key = ["-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem"]
  names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
  command = ["openssl", "req", "-x509", *key, "-out", "cert.pem", *names]
  subprocess.run(command, cwd=path, check=True, capture_output=True)
  pair = {"server_key": path / "key.pem", "server_cert": path / "cert.pem"}
  (path / "ssl").write_text("".join(f"{k}: {json.dumps(v.read_text())}\n" for k, v in pair.items()))
  server = _started(
    start_process,
    tools,
    path,
    f"--auth_tokens_file={path / 'tokens'}",
    f"--rest_ssl_config_file={path / 'ssl'}",
    "--header_timeout_in_ms=1000",
    "--body_timeout_in_ms=1000",
    "--idle_timeout_in_ms=20000",
  )
  server.tls = ssl.create_default_context(cafile=path / "cert.pem")
  return _warm(server, {"Authorization": f"Bearer {TOKEN}"})


@pytest.fixture(params=["guarded", "secured"])
def closed(request):
  """The servers that want tokens."""
  return request.getfixturevalue(request.param)


def _warm(server, headers=()):
  """The first requests of a process take memory that has nothing to do with an attack."""
  with contextlib.suppress(AssertionError), Watch(server, headers):
    time.sleep(1)
  server.watch = lambda: Watch(server, headers)
  return server


@pytest.fixture(scope="session")
def wire():
  """Ways to send what no client library sends."""
  return Wire


class Wire:
  """A connection on which anything can be sent."""

  def __init__(self, server, timeout_s=60):
    self.socket = socket.create_connection(("127.0.0.1", server.rest_port), timeout=timeout_s)
    if server.tls is not None:
      # To be cut off without TLS's own end is an error.
      self.socket = server.tls.wrap_socket(
        self.socket, server_hostname="localhost", suppress_ragged_eofs=False
      )

  def __enter__(self):
    return self

  def __exit__(self, *_):
    self.socket.close()

  def send(self, data):
    """Sends it; False where the server has closed."""
    try:
      self.socket.sendall(data)
    except OSError:
      return False
    return True

  def send_on(self, piece, size):
    """Sends `size` bytes, as long as they are taken."""
    for _ in range(size // len(piece)):
      if not self.send(piece):
        return

  def status_while_sending(self, piece, size):
    """The status of the answer, before which `size` bytes are sent as far as they are taken.

    One thread does both, as two may not use a TLS connection at once. None where no answer comes.
    """
    self.socket.settimeout(0)
    received, unsent = b"", b""
    while b"\r\n\r\n" not in received:
      try:
        data = self.socket.recv(64 << 10)
      except _NOT_NOW:
        data = None
      except OSError:  # it was cut off
        break
      if data is not None:
        received += data
        if not data:
          break
        continue
      if not unsent and size > 0:
        unsent, size = piece, size - len(piece)
      is_waiting = not unsent
      try:
        unsent = unsent[self.socket.send(unsent) :] if unsent else b""
      except _NOT_NOW:
        is_waiting = True
      except OSError:  # nothing more is taken
        unsent, size = b"", 0
      if is_waiting:
        writing = [self.socket] if unsent else []
        if not any(select.select([self.socket], writing, [], _PATIENCE_S)):
          break
    return int(received.split()[1]) if received else None

  def answer(self):
    """The status and body of the answer that comes."""
    response = http.client.HTTPResponse(self.socket)
    response.begin()
    return response.status, response.read()

  def is_closed(self):
    """Whether the server has closed it, when it does."""
    try:
      return self.socket.recv(1) == b""
    except ConnectionError:
      return True
