"""A request and a response, as the HTTP loop hands them over."""

from __future__ import annotations

import dataclasses
import io
import math
import zlib
from collections.abc import Mapping
from http import HTTPStatus

from serving.errors import TooLarge
from serving.tensor_json.budget import Budget

JSON = "application/json"
HTML = "text/html; charset=ISO-8859-1"
_MAX_INFLATED_BYTES = 100 << 20
_GZIP = 16 + zlib.MAX_WBITS
_SMALLEST_GZIP = 18
# Bytes of a gzip body in one step: the inflater copies the rest each time.
_TAKEN_BYTES, _INFLATED_BYTES = 64 << 10, 1 << 20
# Not a status of HTTP: the caller went away.
_REASONS = {status.value: status.phrase for status in HTTPStatus} | {499: "Client Closed Request"}


@dataclasses.dataclass(slots=True)
class Request:
  """One HTTP request.

  Attributes:
    method: the verb.
    target: path and query as they were sent, not decoded.
    headers: values by lower-case name; the last one if a name is repeated.
    body: the body as it was sent.
    is_http_1_0: whether the caller speaks the older version.
    keeps_connection: whether the connection stays open after the answer.
    peer: the caller's address, such as `127.0.0.1`; empty if unknown.
    is_admitted: whether its headers were checked before its body came.
    ends_at: deadline on the clock of `time.monotonic`; nobody waits for the answer after it.
    counted: its bytes among those in flight.
  """

  method: str
  target: str
  headers: Mapping[bytes, bytes]
  body: bytes = b""
  is_http_1_0: bool = False
  keeps_connection: bool = True
  is_admitted: bool = False
  ends_at: float = math.inf
  counted: int = 0
  peer: str = ""

  @property
  def is_gzip(self) -> bool:
    """Whether the body must be inflated."""
    encoding = self.headers.get(b"content-encoding")
    return encoding is not None and b"gzip" in encoding.lower()

  @property
  def announces_body(self) -> bool:
    """Whether the headers announce a body."""
    length = self.headers.get(b"content-length", b"0")
    return b"transfer-encoding" in self.headers or length.strip(b"0") != b""

  def declared_bytes(self) -> int:
    """Returns the inflated size that the body declares, which may be wrong."""
    if self.is_gzip and len(self.body) >= _SMALLEST_GZIP:
      return int.from_bytes(self.body[-4:], "little")
    return len(self.body)

  def content(self, budget: Budget | None = None) -> bytes:
    """Returns the body, inflated if it is gzip.

    A body that cannot be inflated, or to more than 100 MiB, is empty.
    Source: tensorflow_serving/util/net_http/server/internal/evhttp_request.cc.

    Args:
      budget: what inflating may cost; None means no limit.

    Raises:
      TooLarge: it inflates to more than the budget has.
      DeadlineExceeded: the request's time is over.
    """
    return _inflated(self.body, budget or Budget()) if self.is_gzip else self.body


def _inflated(body: bytes, budget: Budget) -> bytes:
  """Returns the first gzip member; b"" if damaged, cut off or too large for TensorFlow Serving."""
  inflater, content, size = zlib.decompressobj(_GZIP), io.BytesIO(), 0
  limit = budget.max_bytes or _MAX_INFLATED_BYTES + 1
  for start in range(0, len(body), _TAKEN_BYTES):
    rest = body[start : start + _TAKEN_BYTES]
    while rest and not inflater.eof:
      try:
        piece = inflater.decompress(rest, _INFLATED_BYTES)
      except zlib.error:
        return b""
      size += len(piece)
      if size > min(limit, _MAX_INFLATED_BYTES):
        if limit > _MAX_INFLATED_BYTES:
          return b""
        raise TooLarge(f"The request inflates to more than {limit} bytes (--max_request_bytes).")
      budget.inflate(len(piece))
      content.write(piece)
      rest = inflater.unconsumed_tail
  return content.getvalue() if inflater.eof else b""


@dataclasses.dataclass(slots=True)
class Response:
  """One HTTP response; `headers` are added to those that every response has."""

  status: int
  body: bytes = b""
  content_type: str = JSON
  headers: tuple[tuple[str, str], ...] = ()

  def head(self, request: Request, date: str) -> bytes:
    """Returns status line and headers."""
    lines = [
      f"HTTP/1.1 {self.status} {_REASONS.get(self.status, 'Unknown')}",
      f"Content-Type: {self.content_type}",
      f"Date: {date}",
      f"Content-Length: {len(self.body)}",
      *(f"{name}: {value}" for name, value in self.headers),
    ]
    if not request.keeps_connection:
      lines.append("Connection: close")
    elif request.is_http_1_0:
      lines.append("Connection: keep-alive")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


def path_of(target: bytes) -> str:
  """Returns path and query of a target; a proxy's request has scheme and host before them."""
  text = target.decode("utf-8", "replace")
  if text.startswith(("http://", "https://")):
    _, slash, path = text.split("://", 1)[1].partition("/")
    return slash + path or "/"
  return text


def html(status: int) -> Response:
  """Returns the answer of libevent's server to a request without a handler."""
  reason = _REASONS[status]
  page = (
    f"<HTML><HEAD>\n<TITLE>{status} {reason}</TITLE>\n</HEAD><BODY>\n"
    f"<H1>{reason}</H1>\n</BODY></HTML>\n"
  )
  return Response(status, page.encode(), HTML)
