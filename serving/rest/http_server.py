"""The HTTP port: an event loop that reads and writes, and threads that answer.

An own loop on llhttp and uvloop instead of a web framework: for one image in JSON a framework costs
as much as the parsing and the model together.
"""

from __future__ import annotations

import asyncio
import queue
import socket
import threading
from typing import Any

import uvloop

from serving.errors import ResourceExhausted, ServingError
from serving.rest.api import RestApi
from serving.rest.connection import Connection
from serving.rest.messages import Request, Response

_BACKLOG = 1024


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
    max_request_bytes: int = 0,
    max_concurrent_requests: int = 0,
  ):
    """Args: what answers, where to listen, how many at once; 0 is no limit."""
    self._api = api
    self._address = (host, port)
    self._thread_count = threads
    self._max_concurrent = max_concurrent_requests
    self._pending = 0
    self._work: queue.SimpleQueue[tuple[Connection, Request] | None] = queue.SimpleQueue()
    self._threads: list[threading.Thread] = []
    self._server: asyncio.AbstractServer | None = None
    self.loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    self.timeout_s = timeout_s
    self.max_request_bytes = max_request_bytes
    self.connections: set[Connection] = set()
    self.is_draining = False

  def start(self) -> int:
    """Opens the port; returns its number.

    Raises:
      OSError: the address cannot be had.
    """
    sockets = _listen(*self._address)

    async def serve() -> None:
      for listener in sockets:
        self._server = await self.loop.create_server(
          lambda: Connection(self), sock=listener, backlog=_BACKLOG
        )

    self.loop.run_until_complete(serve())
    self._spawn("http loop", self.loop.run_forever)
    for number in range(self._thread_count):
      self._spawn(f"http worker {number}", self._run_worker)
    return int(sockets[0].getsockname()[1])

  def stop(self, grace_s: float = 30.0) -> None:
    """Takes no new connections, lets running requests end, closes."""
    if self.is_draining:
      return
    self.is_draining = True
    asyncio.run_coroutine_threadsafe(self._drain(grace_s), self.loop).result()
    for _ in range(self._thread_count):
      self._work.put(None)
    self.loop.call_soon_threadsafe(self.loop.stop)
    self._threads[0].join()
    self.loop.close()

  def submit(self, connection: Connection, request: Request) -> ServingError | None:
    """Queues a request for the threads; an error where too many are queued already."""
    if 0 < self._max_concurrent <= self._pending:
      return ResourceExhausted(
        f"{self._pending} requests are being answered already (--max_concurrent_requests). Try "
        "again later."
      )
    self._pending += 1
    self._work.put((connection, request))
    return None

  def refusal(self, error: ServingError) -> Response:
    """The response that an error is."""
    return self._api.refusal(error)

  def _run_worker(self) -> None:
    while (work := self._work.get()) is not None:
      connection, request = work
      response = self._api.handle(request)
      self.loop.call_soon_threadsafe(self._finish, connection, request, response)

  def _finish(self, connection: Connection, request: Request, response: Response) -> None:
    self._pending -= 1
    connection.answer(request, response)

  async def _drain(self, grace_s: float) -> None:
    if self._server is not None:
      self._server.close()
    for connection in list(self.connections):
      connection.drain()
    deadline = self.loop.time() + grace_s
    while self.connections and self.loop.time() < deadline:
      await asyncio.sleep(0.02)

  def _spawn(self, name: str, target: Any) -> None:
    thread = threading.Thread(target=target, name=name, daemon=True)
    thread.start()
    self._threads.append(thread)


def _listen(host: str, port: int) -> list[socket.socket]:
  """Listening sockets; one that takes both protocols where the host is every interface."""
  if host in ("", "0.0.0.0", "::") and socket.has_dualstack_ipv6():
    return [
      socket.create_server(
        ("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=_BACKLOG
      )
    ]
  family = socket.AF_INET6 if ":" in host else socket.AF_INET
  return [socket.create_server((host, port), family=family, backlog=_BACKLOG)]
