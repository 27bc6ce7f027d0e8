"""A process that has imported everything and stays up; it forks a process for each node.

`dlpipe node --worker` hands nodes over as the module `node_request` beside this one says. The
worker does nothing in threads, uses neither TensorFlow nor the metadata store itself, and listens
only to its own user. When a source of ours has changed since it was imported, the worker starts
itself anew as soon as no node is at work; until then nodes run in cold processes.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import pathlib
import selectors
import signal
import socket
import struct
import sys
from collections.abc import Callable
from typing import Any

from dlpipe.errors import BadInputError, DlpipeError
from pipeline.execution import forks
from pipeline.execution.output import quieten_imports
from pipeline.execution.single_node.node_request import NodeRequest

_REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
_LOGGER = logging.getLogger("dlpipe.worker")
_LONGEST_MESSAGE = 4 << 20
_BACKLOG = 64


@dataclasses.dataclass
class _Client:
  """One connection: first its message is read, then its node runs."""

  connection: socket.socket
  received: bytes = b""
  streams: list[int] = dataclasses.field(default_factory=list)
  child: int | None = None
  process: int | None = None  # the child's pidfd


class Worker:
  """Serves until SIGTERM or SIGINT.

  Args:
    address: path of the socket; replaced if a worker that is gone has left one.
    ready: called once, when clients can connect.

  Raises:
    BadInputError: another worker listens there, or the socket cannot be made.
  """

  def __init__(self, address: str, *, ready: Callable[[], None] = lambda: None):
    self._address = address
    self._listener = _listen(address)
    self._sources = forks.loaded_sources()
    self._selector = selectors.DefaultSelector()
    self._clients: list[_Client] = []
    self._stopping = False
    self._ready = ready

  def serve(self) -> bool:
    """Runs nodes until SIGTERM or SIGINT.

    Returns:
      Whether the worker should be started anew, because sources have changed.
    """
    waking, wake = socket.socketpair()
    waking.setblocking(False)
    wake.setblocking(False)
    previous = {n: signal.signal(n, self._stop) for n in (signal.SIGTERM, signal.SIGINT)}
    signal.set_wakeup_fd(wake.fileno())
    self._selector.register(waking, selectors.EVENT_READ)
    self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
    stale = False
    try:
      self._ready()
      while not self._stopping and not (stale and not self._clients):
        for key, _ in self._selector.select():
          if key.data is not None:
            key.data()
        stale = stale or self._stale()
      return stale and not self._stopping
    finally:
      signal.set_wakeup_fd(-1)
      for number, handler in previous.items():
        signal.signal(number, handler)
      for client in self._clients:
        if client.child is not None:
          forks.kill(client.child)
      self._listener.close()
      pathlib.Path(self._address).unlink(missing_ok=True)
      self._selector.close()
      waking.close()
      wake.close()

  def _stop(self, number: int, frame: Any) -> None:
    self._stopping = True

  def _stale(self) -> bool:
    return any(forks.file_state(path) != state for path, state in self._sources.items())

  def _accept(self) -> None:
    connection, _ = self._listener.accept()
    if _peer(connection) != os.geteuid():
      _LOGGER.warning("Refused a connection of another user.")
      connection.close()
      return
    client = _Client(connection)
    self._clients.append(client)
    self._selector.register(connection, selectors.EVENT_READ, lambda: self._hear(client))

  def _hear(self, client: _Client) -> None:
    """Reads a part of the message; afterwards, sees the client go."""
    try:
      data, streams, _, _ = socket.recv_fds(client.connection, 1 << 16, 2)
    except OSError:
      data, streams = b"", []
    client.streams += streams
    client.received += data
    if not data or len(client.received) > _LONGEST_MESSAGE:
      if client.child is not None:
        # The orchestrator gave the node up, and may soon start it again.
        _LOGGER.info("The client of process %d is gone; killing it.", client.child)
        forks.kill(client.child)
        self._selector.unregister(client.connection)
        return
      self._forget(client)
    elif client.child is None and client.received.endswith(b"\n"):
      self._begin(client)

  def _begin(self, client: _Client) -> None:
    try:
      message = json.loads(client.received)
      request = NodeRequest(**message["request"])
      cwd, environment = message["cwd"], message["environment"]
      stdout, stderr = client.streams
    except (ValueError, KeyError, TypeError):
      _LOGGER.exception("A message cannot be read.")
      self._forget(client)
      return
    cold = self._stale()

    def body() -> int:
      os.dup2(stdout, 1)
      os.dup2(stderr, 2)
      os.environ.clear()
      os.environ.update(environment)
      quieten_imports()
      os.chdir(cwd)
      return _run_cold(request) if cold else _run_warm(request)

    client.child = forks.start(body)
    client.process = os.pidfd_open(client.child)
    self._close_streams(client)
    self._say(client, {"process": client.child})
    self._selector.register(client.process, selectors.EVENT_READ, lambda: self._end(client))
    _LOGGER.info("%s of %s: process %d", request.node_id or "finish", request.run_id, client.child)

  def _end(self, client: _Client) -> None:
    assert client.child is not None
    assert client.process is not None
    _, status = os.waitpid(client.child, 0)
    code = os.waitstatus_to_exitcode(status)
    _LOGGER.info("Process %d %s.", client.child, forks.ending(code))
    self._selector.unregister(client.process)
    os.close(client.process)
    self._say(client, {"exit_code": code})
    self._forget(client)

  def _say(self, client: _Client, answer: dict[str, int]) -> None:
    try:
      client.connection.sendall(json.dumps(answer).encode() + b"\n")
    except OSError:
      _LOGGER.info("The client of process %s is gone.", client.child)

  def _forget(self, client: _Client) -> None:
    self._close_streams(client)
    if client.connection.fileno() in self._selector.get_map():
      self._selector.unregister(client.connection)
    client.connection.close()
    self._clients.remove(client)

  def _close_streams(self, client: _Client) -> None:
    for stream in client.streams:
      os.close(stream)
    client.streams = []


def _run_warm(request: NodeRequest) -> int:
  if request.node_id is None:
    from pipeline.execution.orchestrated.finishing import carry_out
  else:
    from pipeline.execution.single_node.single import carry_out

  try:
    return carry_out(request)
  except DlpipeError as err:
    sys.stderr.write(f"Error: {err}\n")
    return err.exit_code


def _run_cold(request: NodeRequest) -> int:
  """Replaces this process by one that imports the sources as they are now."""
  path = os.environ.get("PYTHONPATH")
  os.environ["PYTHONPATH"] = os.pathsep.join([str(_REPOSITORY), *([path] if path else [])])
  command = [sys.executable, "-m", "pipeline.cli.main", *request.arguments()]
  os.execv(sys.executable, command)


def _listen(address: str) -> socket.socket:
  path = pathlib.Path(address)
  listener = socket.socket(socket.AF_UNIX)
  try:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_socket():
      with socket.socket(socket.AF_UNIX) as probe:
        if probe.connect_ex(address) == 0:
          raise BadInputError(f"A worker listens at {address} already. Stop it, or choose another.")
      path.unlink()
    before = os.umask(0o177)
    try:
      listener.bind(address)
    finally:
      os.umask(before)
    listener.listen(_BACKLOG)
  except OSError as err:
    listener.close()
    raise BadInputError(f"Cannot listen at {address}: {err}.") from err
  except BadInputError:
    listener.close()
    raise
  return listener


def _peer(connection: socket.socket) -> int:
  """Returns the user id of the process at the other end."""
  credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
  _, user, _ = struct.unpack("3i", credentials)
  return int(user)
