"""The HTTP port: one thread reads, writes and answers quick requests, others answer the rest.

It is a loop of our own on llhttp and no web framework: for one image in JSON a framework costs as
much as the parsing and the model together, and so does handing each request to another thread.
"""

from __future__ import annotations

import collections
import contextlib
import functools
import heapq
import os
import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable
from http import HTTPStatus

from serving.errors import DeadlineExceeded, ResourceExhausted, ServingError
from serving.network.sockets import connections_that_fit
from serving.network.tls import AnySocket, TlsSocket
from serving.network.turns import Durations
from serving.rest.api import RestApi
from serving.rest.connection import Connection
from serving.rest.event_loop import READ, EventLoop
from serving.rest.limits import BytesInFlight, Limits
from serving.rest.messages import Request, Response

_BACKLOG = 1024
_LOOK_S = 0.02
# Seconds between two searches for connections whose time is over.
_LONGEST_SWEEP_S, _SHORTEST_SWEEP_S = 1.0, 0.02
# If there is no room, this part of the connections closes at once, the idlest first: searching
# costs more than closing.
_LEAVING_SHARE = 32
# Reading a body above this size may take long: half of the threads stay free of such bodies.
_LARGE_BYTES = 256 << 10
_FULL = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class HttpServer:
  """Serves a `RestApi` until `stop`."""

  def __init__(
    self,
    api: RestApi,
    *,
    host: str = "127.0.0.1",
    port: int,
    threads: int = 8,
    timeout_s: float = 30.0,
    limits: Limits | None = None,
    max_concurrent_requests: int = 0,
    answers_at_once: bool = True,
    tls: ssl.SSLContext | None = None,
  ):
    """Opens no port yet.

    Args:
      api: answers the requests.
      host: the address to listen on.
      port: the port to listen on; 0 takes a free one.
      threads: workers, for requests that take long.
      timeout_s: seconds after which a request is answered with an error.
      limits: what is read of a caller.
      max_concurrent_requests: more are refused; 0 means no limit.
      answers_at_once: whether the thread that read a quick request may answer it, one after the
        other; batches need requests side by side.
      tls: the certificates; None for plain HTTP.
    """
    self._api = api
    self._address = (host, port)
    self._tls = tls
    self._thread_count = threads
    self._timeout_s = timeout_s
    self._max_concurrent = max_concurrent_requests
    self._durations = Durations() if answers_at_once else None
    self._pending = 0
    # In the order in which their time ends, because all have the same time.
    self._deadlines: dict[int, tuple[float, Connection, Request]] = {}
    self._counting = threading.Lock()
    self._work: queue.SimpleQueue[tuple[Connection, Request] | None] = queue.SimpleQueue()
    self._loop = EventLoop("http", self._expire)
    self._listeners: list[socket.socket] = []
    # Closed for a moment if no descriptor is left, so that a connection can be refused.
    self._spare = os.open(os.devnull, os.O_RDONLY)
    self._large: collections.deque[tuple[Connection, Request]] = collections.deque()
    self._large_running = 0
    self.limits = limits or Limits()
    self.in_flight = BytesInFlight(self.limits.max_bytes_in_flight // 2)
    self._max_connections = self.limits.max_connections
    self._sweep_s = _sweep_s(self.limits)
    self._sweeps_at = 0.0
    self.connections: set[Connection] = set()
    self.is_draining = False

  def start(self) -> int:
    """Opens the port; returns its number.

    Raises:
      OSError: the address cannot be had.
    """
    self._max_connections = connections_that_fit(self._max_connections)
    try:
      self._listeners = _listen(*self._address)
    except OSError:
      self._release()
      raise
    for listener in self._listeners:
      listener.setblocking(False)
      self._loop.watch(listener, READ, functools.partial(self._accept, listener))
    self._loop.start()
    for number in range(self._thread_count):
      threading.Thread(target=self._run_worker, name=f"http worker {number}", daemon=True).start()
    return int(self._listeners[0].getsockname()[1])

  def stop(self, grace_s: float = 30.0) -> None:
    """Takes no new connections, lets running requests end, closes."""
    if self.is_draining:
      return
    self.is_draining = True
    for listener in self._listeners:
      self._loop.watch(listener, 0, lambda _: None)
      listener.close()
    for connection in list(self.connections):
      connection.drain()
    deadline = time.monotonic() + grace_s
    while self.connections and time.monotonic() < deadline:
      time.sleep(_LOOK_S)
    for connection in list(self.connections):
      connection.close()
    for _ in range(self._thread_count):
      self._work.put(None)
    self._loop.stop()
    self._release()

  def _release(self) -> None:
    self._loop.close()
    os.close(self._spare)

  def watch(self, sock: AnySocket, events: int, callback: Callable[[int], None]) -> None:
    """Calls a connection back for these events, and no longer for the ones before."""
    self._loop.watch(sock, events, callback)

  def submit(self, connection: Connection, request: Request | None) -> None:
    """Answers a request and those that wait behind it: in this thread if they are quick."""
    while request is not None:
      if not self._begin(connection, request):
        error = ResourceExhausted(
          f"{self._max_concurrent} requests are being answered already "
          "(--max_concurrent_requests). Try again later."
        )
        request = connection.answer(request, self.refusal(error))
      elif self._is_quick(request):
        request = self._answer(connection, request)
      else:
        self._hand_over(connection, request)
        return

  def admit(self, request: Request) -> ServingError | None:
    """Checks the headers of a request; returns the refusal, or None."""
    error = self._api.admit(request)
    request.is_admitted = error is None
    return error

  def refusal(self, error: ServingError) -> Response:
    """Returns the response for an error."""
    return self._api.refusal(error)

  def _begin(self, connection: Connection, request: Request) -> bool:
    """Counts a request; returns False if it is one too many."""
    with self._counting:
      if 0 < self._max_concurrent <= self._pending:
        return False
      self._pending += 1
      if self._timeout_s > 0:
        request.ends_at = time.monotonic() + self._timeout_s
        self._deadlines[id(request)] = (request.ends_at, connection, request)
      return True

  def _hand_over(self, connection: Connection, request: Request) -> None:
    """Gives a request to a worker; a large one only if workers are left for others."""
    with self._counting:
      if _is_large(request):
        if self._large_running >= max(1, self._thread_count // 2):
          self._large.append((connection, request))
          return
        self._large_running += 1
    self._work.put((connection, request))

  def _is_quick(self, request: Request) -> bool:
    # If many threads are held up by requests that seemed quick, the expectations are worth little.
    return (
      self._durations is not None
      and self._durations.is_short(request.target, request.declared_bytes())
      and self._loop.held_up < self._thread_count
    )

  def _answer(self, connection: Connection, request: Request) -> Request | None:
    """Answers a request; returns the one that waits behind it on its connection."""
    started = time.monotonic()
    response = self._api.handle(request)
    # Refusals teach nothing, and their paths may be anything.
    if self._durations is not None and response.status == HTTPStatus.OK:
      self._durations.learn(request.target, time.monotonic() - started)
    with self._counting:
      self._pending -= 1
      self._deadlines.pop(id(request), None)
    return connection.answer(request, response)

  def _run_worker(self) -> None:
    while (work := self._work.get()) is not None:
      connection, request = work
      is_large = _is_large(request)
      self.submit(connection, self._answer(connection, request))
      if is_large:
        self._let_the_next_large_in()
      del work, connection, request  # a request may be large, and the next one far away

  def _let_the_next_large_in(self) -> None:
    with self._counting:
      if self._large:
        self._work.put(self._large.popleft())
      else:
        self._large_running -= 1

  def _expire(self) -> float | None:
    """Ends what takes too long; returns the seconds until the next check."""
    left = self._expire_requests()
    if not self.connections:
      return left
    now = time.monotonic()
    if now >= self._sweeps_at:
      self._sweeps_at = now + self._sweep_s
      for connection in list(self.connections):
        connection.expire(now)
    until_sweep = max(self._sweeps_at - now, 0.0)
    return until_sweep if left is None else min(left, until_sweep)

  def _expire_requests(self) -> float | None:
    """Answers the requests whose time is over; returns the seconds until the next one's ends."""
    while self._deadlines:
      with self._counting:
        first = next(iter(self._deadlines.values()), None)
        if first is None:
          return None
        ends_at, connection, request = first
        left = ends_at - time.monotonic()
        if left > 0:
          return left
        del self._deadlines[id(request)]
      # TensorFlow's text for a run that it gives up.
      error = DeadlineExceeded("Timed out waiting for notification")
      self.submit(connection, connection.answer(request, self.refusal(error)))
    return None

  def _accept(self, listener: socket.socket, _: int) -> None:
    try:
      sock, _ = listener.accept()
    except (BlockingIOError, ConnectionError):
      return
    except OSError:
      if self._make_room():
        return
      os.close(self._spare)
      with contextlib.suppress(OSError):
        listener.accept()[0].close()
      self._spare = os.open(os.devnull, os.O_RDONLY)
      return
    sock.setblocking(False)
    if 0 < self._max_connections <= len(self.connections) and not self._make_room():
      with contextlib.suppress(OSError):
        sock.send(_FULL)
      sock.close()
      return
    if sock.family != socket.AF_UNIX:
      sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
      Connection(self, sock if self._tls is None else TlsSocket(sock, self._tls))
    except OSError:  # the caller went away before its handshake began
      sock.close()

  def _make_room(self) -> bool:
    """Closes the idlest connections; returns whether there were any."""
    ranks = [(connection.idle_since(), connection) for connection in list(self.connections)]
    idle = [(rank, connection) for rank, connection in ranks if rank is not None]
    leaving = heapq.nsmallest(max(1, len(ranks) // _LEAVING_SHARE), idle, key=lambda each: each[0])
    for _, connection in leaving:
      connection.close()
    return bool(leaving)


def _is_large(request: Request) -> bool:
  return request.declared_bytes() > _LARGE_BYTES


def _sweep_s(limits: Limits) -> float:
  times = (limits.header_timeout_s, limits.body_timeout_s, limits.idle_timeout_s)
  shortest = min((each for each in times if each > 0), default=_LONGEST_SWEEP_S)
  return min(max(shortest / 4, _SHORTEST_SWEEP_S), _LONGEST_SWEEP_S)


def _listen(host: str, port: int) -> list[socket.socket]:
  """Returns listening sockets; one for both IP versions if the host is every interface."""
  if host in ("", "0.0.0.0", "::") and socket.has_dualstack_ipv6():
    return [
      socket.create_server(
        ("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=_BACKLOG
      )
    ]
  family = socket.AF_INET6 if ":" in host else socket.AF_INET
  return [socket.create_server((host, port), family=family, backlog=_BACKLOG)]
