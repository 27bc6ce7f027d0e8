"""One HTTP/1 connection: reads a socket and writes answers to it, one after the other.

`intake.py` makes requests of the bytes. The thread that has an answer writes it. After a refusal
the connection lingers: for a while it reads and discards what the caller still sends, because the
caller could lose the answer if the connection closed at once.
"""

from __future__ import annotations

import email.utils
import socket
import threading
import time
from collections.abc import Callable
from typing import Protocol

from serving.errors import ServingError, TooSlow
from serving.network.tls import AnySocket, is_shaking
from serving.rest.event_loop import READ, WRITE
from serving.rest.intake import BETWEEN, BODY, HEAD, MAX_PIPELINED, Intake
from serving.rest.limits import LINGER_BYTES, LINGER_S, SLOWEST_RATE, BytesInFlight, Limits
from serving.rest.messages import Request, Response

_READ_BYTES = 64 << 10
_SMALL_BYTES = 64 << 10
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_BAD_REQUEST = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
# Lingering connections read into this; nobody looks at it.
_NOWHERE = bytearray(256 << 10)


class Host(Protocol):
  """The server, as a connection sees it."""

  limits: Limits
  in_flight: BytesInFlight
  connections: set[Connection]
  is_draining: bool

  def watch(self, sock: AnySocket, events: int, callback: Callable[[int], None]) -> None:
    """Calls the connection back for these events, and no longer for the ones before."""

  def admit(self, request: Request) -> ServingError | None:
    """Checks the headers of a request; returns the refusal, or None."""

  def submit(self, connection: Connection, request: Request) -> None:
    """Sees to it that `Connection.answer` is called for the request, now or later."""

  def refusal(self, error: ServingError) -> Response:
    """Returns the response for an error."""


class Connection:
  """A client's connection. Its methods may be called from any thread."""

  def __init__(self, host: Host, sock: AnySocket):
    """Reads nothing yet.

    Args:
      host: the server that the connection belongs to.
      sock: the connection's socket; it does not block.
    """
    self._host = host
    self._socket = sock
    self._peer = _peer(sock)
    self._lock = threading.Lock()
    self._since = time.monotonic()  # when the last answer went out, or the connection began
    self._intake = Intake(host.limits, host.in_flight, self._admit, self._since)
    self._current: Request | None = None
    self._unsent = bytearray()
    self._sent = 0  # bytes sent after a write that was not complete
    self._events = 0
    self._has_answered = False
    self._is_closing = False  # after the request that is being answered
    self._is_ending = False  # as soon as everything is sent
    self._lingers = False  # discards what it reads
    self._drained = 0
    self._is_closed = False
    host.connections.add(self)
    self._watch()

  def on_ready(self, events: int) -> None:
    """Reads or writes as much as possible without blocking."""
    with self._lock:
      if self._is_closed:
        return
      if events & WRITE:
        self._send()
      if events & READ:
        if self._lingers:
          self._drain()
        elif not self._is_closing:
          self._receive()
      request = self._take()
    if request is not None:
      self._host.submit(self, request)

  def answer(self, request: Request, response: Response) -> Request | None:
    """Writes a response, unless the deadline answered the request or the caller has left.

    Returns:
      The request to answer next, if one waits.
    """
    with self._lock:
      self._intake.release(request)
      if request is not self._current:
        return None
      self._current = None
      if self._is_closed:
        return None
      is_last = self._is_closing and not self._intake.waiting and self._intake.refusal is None
      if self._host.is_draining or is_last:
        request.keeps_connection = False
      self._has_answered = True
      self._write_response(request, response)
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

  def idle_since(self) -> tuple[bool, bool, float] | None:
    """Returns a key that sorts the idlest connection first; None while it answers a request."""
    if self._is_closed or not self._is_idle() or (self._unsent and not self._lingers):
      return None
    intake = self._intake
    return self._has_answered, intake.phase == BODY, max(self._since, intake.since)

  def _admit(self, request: Request) -> ServingError | None:
    request.peer = self._peer
    return self._host.admit(request)

  def expire(self, now: float) -> None:
    """Ends the connection if the caller takes too long."""
    limits, intake = self._host.limits, self._intake
    with self._lock:
      if self._is_closed:
        return
      if self._lingers:
        if now - self._since > LINGER_S:
          self._close()
      elif self._unsent:
        if _is_over(now - self._since, limits.body_timeout_s, self._sent):
          self._close()
      elif not self._is_idle() or self._is_ending:
        return
      elif intake.phase == BETWEEN:
        # A caller whose handshake is not over has asked nothing yet and cannot be told why.
        is_new = is_shaking(self._socket)
        if 0 < (limits.header_timeout_s if is_new else limits.idle_timeout_s) < now - self._since:
          self._end()
      else:
        seconds = now - max(self._since, intake.since)
        if intake.phase == HEAD and 0 < limits.header_timeout_s < seconds:
          self._refuse(TooSlow(f"No headers within {limits.header_timeout_s:g} s."))
        elif intake.phase == BODY and _is_over(seconds, limits.body_timeout_s, intake.body_bytes):
          self._refuse(TooSlow(f"{intake.body_bytes} bytes of the body within {seconds:.1f} s."))

  def _take(self) -> Request | None:
    """Takes the next request, if the answer before it has gone out."""
    request = None
    if self._current is None and not self._unsent and not self._is_ending:
      if self._intake.waiting:
        request = self._current = self._intake.waiting.popleft()
      elif self._intake.refusal is not None:
        self._answer_refusal(self._intake.refusal)
      elif self._is_closing:
        self._end()
    self._watch()
    return request

  def _is_idle(self) -> bool:
    return self._current is None and not self._intake.waiting

  def _receive(self) -> None:
    try:
      data = self._socket.recv(_READ_BYTES)
    except BlockingIOError:
      return
    except OSError:
      self._close()
      return
    if not data:
      self._is_closing = True
      return
    intake = self._intake
    intake.feed(data, time.monotonic())
    if intake.refusal is not None:
      self._is_closing = True
    elif intake.asks_to_go_on:
      intake.asks_to_go_on = False
      if intake.phase == BODY and self._is_idle() and not self._unsent:
        self._write(_CONTINUE)

  def _refuse(self, error: ServingError) -> None:
    self._intake.give_up(error)
    self._is_closing = True
    self._take()

  def _answer_refusal(self, error: ServingError) -> None:
    request = self._intake.refused or Request("", "", {})
    request.keeps_connection = False
    if self._intake.is_http:
      self._write_response(request, self._host.refusal(error))
    else:
      self._write(_BAD_REQUEST)
    self._end()

  def _write_response(self, request: Request, response: Response) -> None:
    head = response.head(request, _date())
    if request.method == "HEAD":
      self._write(head)
    elif len(response.body) < _SMALL_BYTES:
      self._write(head + response.body)
    else:  # without another copy of it
      self._write(head, response.body)

  def _write(self, *data: bytes) -> None:
    """Sends what can be sent now, and the rest when the client has read."""
    for piece in data:
      self._unsent += piece
    self._send()
    self._since, self._sent = time.monotonic(), 0

  def _send(self) -> None:
    try:
      sent = self._socket.send(self._unsent) if self._unsent else 0
    except BlockingIOError:
      return
    except OSError:
      self._close()
      return
    del self._unsent[:sent]
    self._sent += sent
    if not self._unsent and self._is_ending and not self._lingers:
      self._finish()

  def _end(self) -> None:
    """Closes when everything is sent."""
    self._is_closing = self._is_ending = True
    if not self._unsent and not self._lingers:
      self._finish()

  def _finish(self) -> None:
    """Closes, or waits for the caller to close if it may still be sending."""
    if self._is_closed:
      return
    if self._intake.refusal is None and self._intake.phase == BETWEEN:
      self._close()
      return
    try:
      self._socket.shutdown(socket.SHUT_WR)
    except OSError:
      self._close()
      return
    self._lingers, self._since = True, time.monotonic()
    self._watch()

  def _drain(self) -> None:
    try:
      size = self._socket.recv_into(_NOWHERE)
    except BlockingIOError:
      return
    except OSError:
      size = 0
    self._drained += size
    if not size or self._drained > LINGER_BYTES:
      self._close()

  def _close(self) -> None:
    if self._is_closed:
      return
    self._is_closed = self._is_closing = self._is_ending = True
    self._host.watch(self._socket, 0, self.on_ready)
    self._socket.close()
    self._host.connections.discard(self)
    self._unsent.clear()
    self._intake.close()

  def _watch(self) -> None:
    """Asks for the events that the connection can use now."""
    if self._is_closed:
      return
    is_reading = self._lingers or (
      not self._is_closing and len(self._intake.waiting) < MAX_PIPELINED
    )
    events = (READ if is_reading else 0) | (WRITE if self._unsent else 0)
    if events != self._events:
      self._events = events
      self._host.watch(self._socket, events, self.on_ready)


def _is_over(seconds: float, timeout_s: float, size: int) -> bool:
  """Returns whether `size` bytes took longer than allowed."""
  return 0 < timeout_s < seconds - size / SLOWEST_RATE


def _peer(sock: AnySocket) -> str:
  try:
    address = sock.getpeername()
  except OSError:  # the caller has left already
    return ""
  return str(address[0]) if isinstance(address, tuple) else ""


_DATE = [0, ""]


def _date() -> str:
  """Returns the current time in HTTP's form, formatted once a second."""
  now = int(time.time())
  if _DATE[0] != now:
    _DATE[:] = [now, email.utils.formatdate(now, usegmt=True)]
  return str(_DATE[1])
