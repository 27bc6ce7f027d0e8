"""One HTTP/1 connection: bytes to requests, responses to bytes, one after the other.

Keep-alive, pipelining, chunked bodies, HTTP/1.0 and `Expect: 100-continue` are here; the parsing is
that of llhttp, through httptools. Whatever thread has an answer writes it.
"""

from __future__ import annotations

import collections
import email.utils
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

import httptools

from serving.errors import ResourceExhausted, ServingError
from serving.rest.event_loop import READ, WRITE
from serving.rest.messages import Request, Response, path_of
from serving.tls import AnySocket

_READ_BYTES = 64 << 10
# Requests that may wait on one connection before it is no longer read from.
_MAX_PIPELINED = 8
_MAX_HEADER_BYTES = 64 << 10
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_BAD_REQUEST = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Host(Protocol):
  """What a connection asks of the server."""

  max_request_bytes: int
  connections: set[Connection]
  is_draining: bool

  def watch(self, sock: AnySocket, events: int, callback: Callable[[int], None]) -> None:
    """Has the connection told of these events, instead of those before."""

  def submit(self, connection: Connection, request: Request) -> None:
    """Has the request answered by `Connection.answer`, now or later."""

  def refusal(self, error: ServingError) -> Response:
    """The response that an error is."""


class Connection:
  """A client's connection. Its methods may be called from any thread."""

  def __init__(self, host: Host, sock: AnySocket):
    """Args: the server it belongs to; the socket, which does not block."""
    self._host = host
    self._socket = sock
    self._peer = _peer(sock)
    self._lock = threading.Lock()
    self._parser: Any = httptools.HttpRequestParser(self)
    self._waiting: collections.deque[Request] = collections.deque()
    self._current: Request | None = None
    self._unsent = bytearray()
    self._events = 0
    self._is_closing = False  # after what is being answered
    self._is_ending = False  # as soon as everything is sent
    self._is_closed = False
    self._target = b""
    self._headers: dict[bytes, bytes] = {}
    self._header_bytes = 0
    self._body: list[bytes] = []
    self._body_bytes = 0
    host.connections.add(self)
    self._watch()

  def on_ready(self, events: int) -> None:
    """Reads or writes as much as can be at the moment."""
    with self._lock:
      if self._is_closed:
        return
      if events & WRITE:
        self._send()
      if events & READ and not self._is_closing:
        self._receive()
      request = self._take()
    if request is not None:
      self._host.submit(self, request)

  def answer(self, request: Request, response: Response) -> Request | None:
    """Writes a response, unless the request was answered by its deadline or has nobody left.

    Returns:
      The request that is to be answered next, where one waits.
    """
    with self._lock:
      if request is not self._current:
        return None
      self._current = None
      if self._is_closed:
        return None
      if self._host.is_draining or self._is_closing:
        request.keeps_connection = False
      head = response.head(request, _date())
      self._write(head if request.method == "HEAD" else head + response.body)
      if not request.keeps_connection:
        self._end()
      return self._take()

  def drain(self) -> None:
    """Closes as soon as nothing is being answered."""
    with self._lock:
      if self._is_idle():
        self._end()

  def close(self) -> None:
    """Closes at once."""
    with self._lock:
      self._close()

  def on_message_begin(self) -> None:
    self._target, self._headers, self._header_bytes = b"", {}, 0
    self._body, self._body_bytes = [], 0

  def on_url(self, url: bytes) -> None:
    self._target += url
    self._count_header(len(url))

  def on_header(self, name: bytes, value: bytes) -> None:
    self._headers[name.lower()] = value
    self._count_header(len(name) + len(value))

  def on_headers_complete(self) -> None:
    if self._is_closing or self._parser.should_upgrade():
      return
    length = self._headers.get(b"content-length", b"")
    if length.isdigit() and self._is_too_large(int(length)):
      self._refuse_size()
    is_asked = self._headers.get(b"expect", b"").lower() == b"100-continue"
    if is_asked and self._is_idle() and not self._is_closing:
      self._write(_CONTINUE)

  def on_body(self, body: bytes) -> None:
    self._body_bytes += len(body)
    if self._is_too_large(self._body_bytes):
      self._refuse_size()
    elif not self._is_closing:
      self._body.append(body)

  def on_message_complete(self) -> None:
    if self._is_closing or self._parser.should_upgrade():
      return
    self._waiting.append(
      Request(
        method=self._parser.get_method().decode("latin-1"),
        target=path_of(self._target),
        headers=self._headers,
        body=self._body[0] if len(self._body) == 1 else b"".join(self._body),
        is_http_1_0=self._parser.get_http_version() == "1.0",
        keeps_connection=self._parser.should_keep_alive(),
        peer=self._peer,
      )
    )
    self._body = []

  def _take(self) -> Request | None:
    """The request to answer next, once the answer before is on its way."""
    request = None
    if self._waiting and self._current is None and not self._unsent:
      request = self._current = self._waiting.popleft()
    self._watch()
    return request

  def _is_idle(self) -> bool:
    return self._current is None and not self._waiting

  def _receive(self) -> None:
    try:
      data = self._socket.recv(_READ_BYTES)
    except BlockingIOError:
      return
    except OSError:
      self._close()
      return
    if data:
      self._feed(data)
    else:
      self._is_closing = True
      if self._is_idle():
        self._end()

  def _feed(self, data: bytes) -> None:
    try:
      self._parser.feed_data(data)
    except httptools.HttpParserUpgrade as upgrade:
      self._decline_upgrade(data[upgrade.args[0] :])
    except httptools.HttpParserError:
      self._refuse_bytes()

  def _write(self, data: bytes) -> None:
    """Sends what can be sent now, and the rest when the client has read."""
    self._unsent += data
    self._send()

  def _send(self) -> None:
    try:
      sent = self._socket.send(self._unsent) if self._unsent else 0
    except BlockingIOError:
      return
    except OSError:
      self._close()
      return
    del self._unsent[:sent]
    if self._is_ending and not self._unsent:
      self._close()

  def _end(self) -> None:
    """Closes when everything is sent."""
    self._is_closing = self._is_ending = True
    if not self._unsent:
      self._close()

  def _close(self) -> None:
    if self._is_closed:
      return
    self._is_closed = self._is_closing = True
    self._host.watch(self._socket, 0, self.on_ready)
    self._socket.close()
    self._host.connections.discard(self)
    self._waiting.clear()
    self._unsent.clear()
    self._parser = None  # which refers to the connection as the connection does to it

  def _watch(self) -> None:
    """Asks for the events that there is a use for."""
    if self._is_closed:
      return
    is_reading = not self._is_closing and len(self._waiting) < _MAX_PIPELINED
    events = (READ if is_reading else 0) | (WRITE if self._unsent else 0)
    if events != self._events:
      self._events = events
      self._host.watch(self._socket, events, self.on_ready)

  def _decline_upgrade(self, rest: bytes) -> None:
    """Reads the request again as if it had not offered another protocol.

    Java's client offers HTTP/2 with each first request, and llhttp takes no body after an offer.
    """
    method = self._parser.get_method()
    if method == b"CONNECT":
      self._refuse_bytes()
      return
    headers = {k: v for k, v in self._headers.items() if k not in (b"upgrade", b"connection")}
    if b"close" in self._headers.get(b"connection", b"").lower():
      headers[b"connection"] = b"close"
    lines = [b"%s %s HTTP/1.1" % (method, self._target)]
    lines += [b"%s: %s" % header for header in headers.items()]
    self._parser = httptools.HttpRequestParser(self)
    self._feed(b"\r\n".join(lines) + b"\r\n\r\n" + rest)

  def _refuse_bytes(self) -> None:
    """Answers what is no HTTP, unless another answer is on its way, and closes."""
    self._is_closing = True
    if self._is_idle() and not self._is_closed:
      self._write(_BAD_REQUEST)
      self._end()

  def _count_header(self, size: int) -> None:
    self._header_bytes += size
    if self._header_bytes > _MAX_HEADER_BYTES:
      self._close()

  def _is_too_large(self, size: int) -> bool:
    return 0 < self._host.max_request_bytes < size

  def _refuse_size(self) -> None:
    """Answers without waiting for the rest, which nobody would read."""
    if self._is_closing:
      return
    self._is_closing = True
    if self._is_idle():
      error = ResourceExhausted(
        f"The request is larger than {self._host.max_request_bytes} bytes (--max_request_bytes)."
      )
      response = self._host.refusal(error)
      request = Request("POST", "", {}, keeps_connection=False)
      self._write(response.head(request, _date()) + response.body)
      self._end()


def _peer(sock: AnySocket) -> str:
  try:
    address = sock.getpeername()
  except OSError:  # it has left already
    return ""
  return str(address[0]) if isinstance(address, tuple) else ""


_DATE = [0, ""]


def _date() -> str:
  """The current time as HTTP has it, made once a second."""
  now = int(time.time())
  if _DATE[0] != now:
    _DATE[:] = [now, email.utils.formatdate(now, usegmt=True)]
  return str(_DATE[1])
