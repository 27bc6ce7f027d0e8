"""A request and a response, as the HTTP loop hands them over."""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Mapping
from http import HTTPStatus

JSON = "application/json"
HTML = "text/html; charset=ISO-8859-1"
_MAX_INFLATED_BYTES = 100 << 20
_GZIP = 16 + zlib.MAX_WBITS
# The one that HTTP does not know: the caller went away.
_REASONS = {status.value: status.phrase for status in HTTPStatus} | {499: "Client Closed Request"}


@dataclasses.dataclass(slots=True)
class Request:
  """One HTTP request.

  Attributes:
    method: the verb.
    target: path and query as they were sent, not decoded.
    headers: by lower-case name; of a repeated one the last.
    body: as it was sent.
    is_http_1_0: whether the caller speaks the older version.
    keeps_connection: whether the connection stays open after the answer.
    peer: who asks, such as `127.0.0.1`; empty where that is not known.
  """

  method: str
  target: str
  headers: Mapping[bytes, bytes]
  body: bytes = b""
  is_http_1_0: bool = False
  keeps_connection: bool = True
  peer: str = ""

  def content(self) -> bytes:
    """The body, inflated where it is gzip.

    One that does not inflate, or to more than 100 MiB, is empty. Source: tensorflow_serving/util/
    net_http/server/internal/evhttp_request.cc.
    """
    if b"gzip" not in self.headers.get(b"content-encoding", b"").lower():
      return self.body
    inflater = zlib.decompressobj(_GZIP)
    try:
      content = inflater.decompress(self.body, _MAX_INFLATED_BYTES)
    except zlib.error:
      return b""
    return content if inflater.eof else b""


@dataclasses.dataclass(slots=True)
class Response:
  """One HTTP response; `headers` come on top of those that every response has."""

  status: int
  body: bytes = b""
  content_type: str = JSON
  headers: tuple[tuple[str, str], ...] = ()

  def head(self, request: Request, date: str) -> bytes:
    """Status line and headers."""
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
  """Path and query; a proxy's request names scheme and host, too."""
  text = target.decode("utf-8", "replace")
  if text.startswith(("http://", "https://")):
    _, slash, path = text.split("://", 1)[1].partition("/")
    return slash + path or "/"
  return text


def html(status: int) -> Response:
  """What libevent's server answers to what it has no handler for."""
  reason = _REASONS[status]
  page = (
    f"<HTML><HEAD>\n<TITLE>{status} {reason}</TITLE>\n</HEAD><BODY>\n"
    f"<H1>{reason}</H1>\n</BODY></HTML>\n"
  )
  return Response(status, page.encode(), HTML)
