"""Starts the embedded model server as a separate process, on free ports of this machine."""

from __future__ import annotations

import contextlib
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

HOST = "127.0.0.1"
REQUEST_TIMEOUT_S = 600.0  # the server's 30 s are too few for translations on a busy machine
_SERVER = "components.serving_gate.watched_server"
_ROOT = pathlib.Path(__file__).resolve().parents[2]
_START_TIMEOUT_S = 600.0
_POLL_S = 0.05
_ATTEMPTS = 3
_PORT_TAKEN = "Cannot listen on"
_REFUSAL = "Failed to start server. Error: "
_SHOWN_BYTES = 65536
# Signals by which a model's code ends a process; other signals come from outside.
_CRASHES = (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL)


class ServerFailed(Exception):
  """The server did not start, or is gone; the message quotes its output."""


class NoAnswer(Exception):
  """The server runs and does not answer."""


class ServerRefused(ServerFailed):
  """The server says that it cannot load the model, or the model crashed it."""


class ServerProcess:
  """A model server; `with` waits until it answers, and ends it whatever happens.

  It starts in `begin`, or in `with` if nobody has begun.

  Attributes:
    base_path: the folder of the model's versions.
    rest_url: `http://host:port`, once it has started.
    grpc_target: `host:port`.
  """

  def __init__(
    self,
    *,
    model_name: str,
    base_path: str | os.PathLike[str],
    log: pathlib.Path,
    timeout_s: float = _START_TIMEOUT_S,
  ):
    """Starts nothing yet.

    Args:
      model_name: the model's name in requests.
      base_path: the folder of its versions.
      log: receives the server's output.
      timeout_s: seconds until the model must be loaded.
    """
    self._model_name, self.base_path = model_name, pathlib.Path(base_path)
    self._log, self._timeout_s = log, timeout_s
    self._process: subprocess.Popen[bytes] | None = None
    self.rest_url = self.grpc_target = ""

  def begin(self) -> None:
    """Starts the process and waits for nothing; `end` or `with` ends it."""
    port, rest_port = _free_ports(2)
    self.grpc_target, self.rest_url = f"{HOST}:{port}", f"http://{HOST}:{rest_port}"
    flags = [
      f"--port={port}",
      f"--rest_api_port={rest_port}",
      f"--host={HOST}",
      f"--rest_api_timeout_in_ms={REQUEST_TIMEOUT_S * 1000:.0f}",
      f"--model_name={self._model_name}",
      f"--model_base_path={self.base_path}",
      "--max_num_load_retries=0",
      "--file_system_poll_wait_seconds=0",
    ]
    path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
    with self._log.open("wb") as log:
      self._process = subprocess.Popen(
        [sys.executable, "-m", _SERVER, *flags],
        # `-m` looks in the working directory first, where the user may have a `serving` folder.
        cwd=self._log.parent,
        # The process that trained may hold the memory of a GPU: the server shall not want all.
        env={"TF_FORCE_GPU_ALLOW_GROWTH": "true", **os.environ, "PYTHONPATH": path},
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=subprocess.STDOUT,
      )

  def __enter__(self) -> ServerProcess:
    """Returns when the model can answer.

    Raises:
      ServerFailed: it cannot; nothing is left running.
    """
    for attempt in range(1, _ATTEMPTS + 1):
      try:
        if self._process is None:
          self.begin()
        self._wait()
        break
      except BaseException as err:
        self.end()
        # Between the choice of a port and its use another program may take it.
        if attempt == _ATTEMPTS or not isinstance(err, ServerFailed) or _PORT_TAKEN not in str(err):
          raise
    return self

  def __exit__(self, *exc_info: object) -> None:
    self.end()

  def end(self) -> None:
    """Ends the process, if there is one."""
    if self._process is None:
      return
    self._process.kill()
    self._process.wait()
    if self._process.stdin is not None:
      self._process.stdin.close()
    self._process = None

  @property
  def pid(self) -> int:
    """The process's number."""
    return self._running().pid

  def log_text(self) -> str:
    """Returns the server's output; of a long one, the end."""
    if not self._log.exists():
      return ""
    return self._log.read_bytes()[-_SHOWN_BYTES:].decode("utf-8", "replace")

  def check(self) -> None:
    """Does nothing if the server runs.

    Raises:
      ServerFailed: it does not.
    """
    code = self._running().poll()
    if code is not None:
      log = self.log_text()
      kind = ServerRefused if _is_about_the_model(code, log) else ServerFailed
      raise kind(f"ended with {_shown(code)}: {_reason(log)}")

  def _wait(self) -> None:
    port, rest_port = (int(each.rpartition(":")[2]) for each in (self.grpc_target, self.rest_url))
    deadline = time.monotonic() + self._timeout_s
    while not (_is_open(port) and _is_open(rest_port)):
      self.check()
      if time.monotonic() > deadline:
        raise ServerFailed(
          f"was not ready within {self._timeout_s:g} s: {_reason(self.log_text())}"
        )
      time.sleep(_POLL_S)
    self.check()  # what listens may be another program

  def _running(self) -> subprocess.Popen[bytes]:
    if self._process is None:
      raise ServerFailed("was not started")
    return self._process


def _free_ports(count: int) -> list[int]:
  """Returns different ports that nothing listens on now."""
  with contextlib.ExitStack() as stack:
    sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
    for each in sockets:
      each.bind((HOST, 0))
    return [each.getsockname()[1] for each in sockets]


def _is_open(port: int) -> bool:
  try:
    socket.create_connection((HOST, port), timeout=1).close()
  except OSError:
    return False
  return True


def _is_about_the_model(code: int, log: str) -> bool:
  """Returns whether the end of a server says something of the model, and not of the machine.

  Out of memory, a stop of the machine, a port that is taken: the same model may do well next time.
  """
  said = log[log.rfind(_REFUSAL) :] if _REFUSAL in log else ""
  return -code in _CRASHES or (bool(said) and _PORT_TAKEN not in said)


def _shown(code: int) -> str:
  if code >= 0:
    return f"exit code {code}"
  with contextlib.suppress(ValueError):
    return f"signal {signal.Signals(-code).name}"
  return f"signal {-code}"


def _reason(log: str) -> str:
  """Returns the server's own reason in its log, else the last line."""
  start = log.rfind(_REFUSAL)
  if start >= 0:
    return log[start + len(_REFUSAL) :].split("\n", 1)[0].strip()
  lines = [line.strip() for line in log.splitlines() if line.strip()]
  return lines[-1] if lines else "it said nothing"
