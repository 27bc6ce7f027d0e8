"""One HTTP/1 connection: bytes to requests, responses to bytes, one after the other.

Keep-alive, pipelining, chunked bodies, HTTP/1.0 and `Expect: 100-continue` are here; the parsing is
that of llhttp, through httptools. Runs in the event loop's thread only.
"""

from __future__ import annotations

import asyncio
import collections
import email.utils
import time
from typing import Any, Protocol

import httptools

from serving.errors import DeadlineExceeded, ResourceExhausted, ServingError
from serving.rest.messages import Request, Response

# Requests that may wait on one connection before it is no longer read from.
_MAX_PIPELINED = 8
_MAX_HEADER_BYTES = 64 << 10
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_BAD_REQUEST = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Host(Protocol):
  """What a connection asks of the server."""

  loop: asyncio.AbstractEventLoop
  timeout_s: float
  max_request_bytes: int
  connections: set[Connection]
  is_draining: bool

  def submit(self, connection: Connection, request: Request) -> ServingError | None:
    """Has the request answered by `Connection.answer`, or says why it will not be."""

  def refusal(self, error: ServingError) -> Response:
    """The response that an error is."""


class Connection(asyncio.Protocol):
  """A client's connection."""

  def __init__(self, host: Host):
    """Args: the server it belongs to."""
    self._host = host
    self._transport: Any = None
    self._parser = httptools.HttpRequestParser(self)
    self._waiting: collections.deque[Request] = collections.deque()
    self._current: Request | None = None
    self._timer: asyncio.TimerHandle | None = None
    self._is_paused = False
    self._is_closing = False
    self._target = b""
    self._headers: dict[bytes, bytes] = {}
    self._header_bytes = 0
    self._body: list[bytes] = []
    self._body_bytes = 0

  def connection_made(self, transport: Any) -> None:
    self._transport = transport
    self._host.connections.add(self)

  def connection_lost(self, exc: Exception | None) -> None:
    self._host.connections.discard(self)
    self._waiting.clear()
    self._is_closing = True
    if self._timer is not None:
      self._timer.cancel()

  def data_received(self, data: bytes) -> None:
    if self._is_closing:
      return
    try:
      self._parser.feed_data(data)
    except httptools.HttpParserUpgrade as upgrade:
      self._decline_upgrade(data[upgrade.args[0] :])
    except httptools.HttpParserError:
      self._refuse_bytes()

  def pause_writing(self) -> None:
    self._is_paused = True

  def resume_writing(self) -> None:
    self._is_paused = False
    self._next()

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
    if self._parser.should_upgrade():
      return
    length = self._headers.get(b"content-length", b"")
    if length.isdigit() and self._is_too_large(int(length)):
      self._refuse_size()
    is_asked = self._headers.get(b"expect", b"").lower() == b"100-continue"
    if is_asked and self._current is None and not self._is_closing:
      self._transport.write(_CONTINUE)

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
        target=_path(self._target),
        headers=self._headers,
        body=self._body[0] if len(self._body) == 1 else b"".join(self._body),
        is_http_1_0=self._parser.get_http_version() == "1.0",
        keeps_connection=self._parser.should_keep_alive(),
      )
    )
    self._body = []
    if len(self._waiting) == _MAX_PIPELINED:
      self._transport.pause_reading()
    self._next()

  def answer(self, request: Request, response: Response) -> None:
    """Writes a response, unless the request was answered by its deadline or has nobody left."""
    if request is not self._current:
      return
    if self._timer is not None:
      self._timer.cancel()
      self._timer = None
    self._current = None
    if self._transport.is_closing():
      return
    if self._host.is_draining or self._is_closing:
      request.keeps_connection = False
    head = response.head(request, _date())
    self._transport.write(head if request.method == "HEAD" else head + response.body)
    if not request.keeps_connection:
      self._is_closing = True
      self._transport.close()
      return
    self._next()

  def drain(self) -> None:
    """Closes as soon as nothing is being answered."""
    if self._current is None:
      self._transport.close()

  def _next(self) -> None:
    if self._current is not None or self._is_paused or not self._waiting:
      return
    request = self._current = self._waiting.popleft()
    if len(self._waiting) == _MAX_PIPELINED - 1:
      self._transport.resume_reading()
    error = self._host.submit(self, request)
    if error is not None:
      self.answer(request, self._host.refusal(error))
    elif self._host.timeout_s > 0:
      self._timer = self._host.loop.call_later(self._host.timeout_s, self._expire, request)

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
    self.data_received(b"\r\n".join(lines) + b"\r\n\r\n" + rest)

  def _refuse_bytes(self) -> None:
    """Answers what is no HTTP, unless another answer is on its way, and closes."""
    self._is_closing = True
    if self._current is None:
      self._transport.write(_BAD_REQUEST)
      self._transport.close()

  def _expire(self, request: Request) -> None:
    # The text is that of a run that TensorFlow gave up.
    error = DeadlineExceeded("Timed out waiting for notification")
    self.answer(request, self._host.refusal(error))

  def _count_header(self, size: int) -> None:
    self._header_bytes += size
    if self._header_bytes > _MAX_HEADER_BYTES:
      self._is_closing = True
      self._transport.close()

  def _is_too_large(self, size: int) -> bool:
    return 0 < self._host.max_request_bytes < size

  def _refuse_size(self) -> None:
    """Answers without waiting for the rest, which nobody would read."""
    if self._is_closing:
      return
    self._is_closing = True
    error = ResourceExhausted(
      f"The request is larger than {self._host.max_request_bytes} bytes (--max_request_bytes)."
    )
    if self._current is None:
      request = self._current = Request("POST", "", {}, keeps_connection=False)
      self.answer(request, self._host.refusal(error))


def _path(target: bytes) -> str:
  """Path and query; a proxy's request names scheme and host, too."""
  text = target.decode("utf-8", "replace")
  if text.startswith(("http://", "https://")):
    _, slash, path = text.split("://", 1)[1].partition("/")
    return slash + path or "/"
  return text


_DATE = [0, ""]


def _date() -> str:
  """The current time as HTTP has it, made once a second."""
  now = int(time.time())
  if _DATE[0] != now:
    _DATE[:] = [now, email.utils.formatdate(now, usegmt=True)]
  return str(_DATE[1])
