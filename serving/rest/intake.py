"""Makes requests of a connection's bytes and holds every limit while they grow.

llhttp parses, through httptools, which reports a header when its line is complete and keeps it
until then. So the bytes that are fed while a part is incomplete are counted, once for each read.
"""

from __future__ import annotations

import collections
import io
from collections.abc import Callable
from typing import Any

import httptools

from serving.errors import (
  HeadersTooLarge,
  InvalidArgument,
  ResourceExhausted,
  ServingError,
  TargetTooLong,
  TooLarge,
)
from serving.rest.limits import (
  FREE_BODY_BYTES,
  MAX_FRAMING_BYTES,
  MAX_HEADER_BYTES,
  MAX_HEADERS,
  MAX_TARGET_BYTES,
  BytesInFlight,
  Limits,
)
from serving.rest.messages import Request, path_of

# The part that the next byte belongs to; nothing after a refusal.
BETWEEN, HEAD, BODY, NOTHING = range(4)
# If so many requests wait on one connection, it is not read any more.
MAX_PIPELINED = 8
_REQUEST_BYTES = 2 << 10  # of a waiting request, without its body
_FRAMING_SHARE = 16
_AUTHORIZATION = b"authorization"


class Intake:
  """Takes the bytes of a connection.

  Attributes:
    phase: the part that the next byte belongs to.
    since: when that phase began.
    waiting: complete requests that nobody answers yet.
    refusal: why nothing more is read; None while the connection is read.
    refused: the request that was refused, if its headers were complete.
    is_http: whether all bytes so far are HTTP.
    body_bytes: size so far of the body that is being read.
    asks_to_go_on: whether the caller waits for `100 Continue`.
  """

  def __init__(
    self,
    limits: Limits,
    in_flight: BytesInFlight,
    admit: Callable[[Request], ServingError | None],
    now: float,
  ):
    """Waits for the first byte.

    Args:
      limits: the sizes and times to hold.
      in_flight: counts the bytes of bodies.
      admit: checks the headers of a request; returns the refusal, or None.
      now: the monotonic time in seconds.
    """
    self._limits, self._in_flight, self._admit = limits, in_flight, admit
    self._parser: Any = httptools.HttpRequestParser(self)
    self.phase, self.since = BETWEEN, now
    self.waiting: collections.deque[Request] = collections.deque()
    self.refusal: ServingError | None = None
    self.refused: Request | None = None
    self.is_http = True
    self.asks_to_go_on = False
    self._now = now
    self._messages = 0
    self._target = b""
    self._headers: dict[bytes, bytes] = {}
    self._head_bytes = self._framing_bytes = 0
    self._is_long = False
    self._request: Request | None = None
    self._piece = b""
    self._pieces: io.BytesIO | None = None
    self.body_bytes = 0
    self._announced = 0
    self._counted = 0

  def feed(self, data: bytes, now: float) -> None:
    """Takes bytes that were read; the results are in `waiting` and `refusal`."""
    self._now = now
    phase, messages, body_bytes = self.phase, self._messages, self.body_bytes
    self._is_long = phase == HEAD or len(data) > MAX_HEADER_BYTES
    self._parse(data)
    if self.phase == HEAD:
      # Exact if the read held nothing else; bytes behind another request count from the next read
      # on.
      if messages == self._messages:
        self._head_bytes += len(data)
        if self._head_bytes > MAX_HEADER_BYTES:
          self._refuse_head()
    elif self.phase == BODY == phase and messages == self._messages:
      self._framing_bytes += len(data) - (self.body_bytes - body_bytes)
      if self._framing_bytes > MAX_FRAMING_BYTES + self.body_bytes // _FRAMING_SHARE:
        self._refuse(HeadersTooLarge("The request's chunks or trailers are too large."))

  def close(self) -> None:
    """Takes no more bytes and frees what it holds."""
    self._forget()
    for request in self.waiting:
      self.release(request)
    self.waiting.clear()
    self._parser = None  # the parser and this object refer to each other

  def release(self, request: Request) -> None:
    """Stops counting the bytes of a request that is answered."""
    if request.counted:
      self._in_flight.give(request.counted)
      request.counted = 0

  def give_up(self, error: ServingError) -> None:
    """Takes no more bytes."""
    self._refuse(error)

  def on_message_begin(self) -> None:
    if self.phase != NOTHING:
      self.phase, self.since = HEAD, self._now
      self._target, self._headers = b"", {}
      self._head_bytes = self._framing_bytes = 0

  def on_url(self, url: bytes) -> None:
    if self.phase == HEAD:
      self._target += url
      if len(self._target) > MAX_TARGET_BYTES:
        self._refuse(TargetTooLong(f"Path and query are longer than {MAX_TARGET_BYTES} bytes."))

  def on_header(self, name: bytes, value: bytes) -> None:
    # Trailers replace nothing: the headers have been acted on (RFC 9110, 6.5.1).
    if self.phase == HEAD:
      name = name.lower()
      if name == _AUTHORIZATION and name in self._headers:
        self._refuse(InvalidArgument("The request has more than one Authorization header."))
      self._headers[name] = value

  def on_headers_complete(self) -> None:
    if self.phase != HEAD or self._parser.should_upgrade():
      return
    self.phase, self.since = BODY, self._now
    self._piece, self._pieces, self.body_bytes = b"", None, 0
    headers = self._headers
    if len(headers) > MAX_HEADERS or (self._is_long and _size(headers) > MAX_HEADER_BYTES):
      self._refuse_head()
      return
    request = self._request = Request(
      method=self._parser.get_method().decode("latin-1"),
      target=path_of(self._target),
      headers=headers,
      is_http_1_0=self._parser.get_http_version() == "1.0",
    )
    error = self._admit(request)
    if error is not None:
      self._refuse(error)
      return
    length = headers.get(b"content-length", b"")
    # A body that will not fit is refused early, before many of them fill the memory.
    self._announced = int(length) if length.isdigit() else 0
    if self._is_too_large(self._announced):
      self._refuse_size()
    elif headers.get(b"expect", b"").lower() == b"100-continue":
      self.asks_to_go_on = True

  def on_body(self, piece: bytes) -> None:
    if self.phase != BODY:
      return
    self.body_bytes += len(piece)
    if self._is_too_large(self.body_bytes):
      self._refuse_size()
    elif self.body_bytes > FREE_BODY_BYTES and not self._count(
      self.body_bytes - self._counted, to_come=max(self._announced - self.body_bytes, 0)
    ):
      self._refuse_now()
    elif not self._piece:
      self._piece = piece
    else:
      if self._pieces is None:
        self._pieces = io.BytesIO()
        self._pieces.write(self._piece)
      self._pieces.write(piece)

  def on_message_complete(self) -> None:
    request = self._request
    if self.phase != BODY or request is None:
      return
    if len(self.waiting) >= MAX_PIPELINED and not self._count(_REQUEST_BYTES):
      self._refuse_now()
      return
    self.phase, self.since = BETWEEN, self._now
    self._messages += 1
    # `getvalue` shares its memory with what it returns: the body is not there twice.
    request.body = self._piece if self._pieces is None else self._pieces.getvalue()
    request.keeps_connection = self._parser.should_keep_alive()
    request.counted, self._counted = self._counted, 0
    self._request, self._piece, self._pieces = None, b"", None
    self.waiting.append(request)

  def _parse(self, data: bytes) -> None:
    while data:
      try:
        self._parser.feed_data(data)
        return
      except httptools.HttpParserUpgrade as upgrade:
        data = self._without_upgrade(data[upgrade.args[0] :])
      except httptools.HttpParserError:
        self._refuse_bytes()
        return

  def _without_upgrade(self, rest: bytes) -> bytes:
    """Returns the request without its offer of another protocol, to be read anew; b"" without one.

    Java's client offers HTTP/2 with each first request, and llhttp takes no body after an offer.
    """
    method = self._parser.get_method()
    if self.refusal is not None:
      return b""
    if method == b"CONNECT":
      self._refuse_bytes()
      return b""
    headers = {k: v for k, v in self._headers.items() if k not in (b"upgrade", b"connection")}
    if b"close" in self._headers.get(b"connection", b"").lower():
      headers[b"connection"] = b"close"
    lines = [b"%s %s HTTP/1.1" % (method, self._target)]
    lines += [b"%s: %s" % header for header in headers.items()]
    self._parser = httptools.HttpRequestParser(self)
    return b"\r\n".join(lines) + b"\r\n\r\n" + rest

  def _count(self, size: int, *, to_come: int = 0) -> bool:
    if not self._in_flight.take(size, to_come=to_come):
      return False
    self._counted += size
    return True

  def _is_too_large(self, size: int) -> bool:
    return 0 < self._limits.max_request_bytes < size

  def _refuse_size(self) -> None:
    limit = self._limits.max_request_bytes
    self._refuse(TooLarge(f"The request is larger than {limit} bytes (--max_request_bytes)."))

  def _refuse_now(self) -> None:
    self._refuse(
      ResourceExhausted(
        "The requests in flight take all the memory that they may (--max_bytes_in_flight). "
        "Try again later."
      )
    )

  def _refuse_head(self) -> None:
    self._refuse(
      HeadersTooLarge(
        f"The headers are more than {MAX_HEADERS}, or larger than {MAX_HEADER_BYTES} bytes."
      )
    )

  def _refuse_bytes(self) -> None:
    if self.refusal is None:
      self.is_http = False
      self._refuse(InvalidArgument("This is no HTTP."))

  def _refuse(self, error: ServingError) -> None:
    if self.refusal is None:
      self.refusal, self.refused, self.phase = error, self._request, NOTHING
      self._forget()

  def _forget(self) -> None:
    """Forgets the request that is being read."""
    if self._counted:
      self._in_flight.give(self._counted)
      self._counted = 0
    self._request, self._piece, self._pieces = None, b"", None


def _size(headers: dict[bytes, bytes]) -> int:
  return sum(map(len, headers)) + sum(map(len, headers.values()))
