"""A real HTTP server in a thread, that can break, cut off, deny ranges and be busy."""

from __future__ import annotations

import dataclasses
import http.server
import re
import threading
from collections.abc import Callable, Iterator

import pytest


@dataclasses.dataclass
class Server:
  """What the server serves, how it misbehaves, and what it was asked.

  Attributes:
    url: its root, without a slash at the end.
    files: path to content.
    etag: sent with each file, unless None.
    has_ranges: whether it answers Range requests with 206.
    faults: what to do to the next requests, in order: "break:N" closes the connection after N bytes
      of the answer, an integer is a status without a file, "ok" does nothing.
    asked: (path, Range or None, If-Range or None) of each request.
    sent: bytes of each answer's body.
  """

  url: str = ""
  files: dict[str, bytes] = dataclasses.field(default_factory=dict)
  etag: str | None = '"one"'
  has_ranges: bool = True
  faults: list[str | int] = dataclasses.field(default_factory=list)
  redirects: dict[str, str] = dataclasses.field(default_factory=dict)
  asked: list[tuple[str, str | None, str | None]] = dataclasses.field(default_factory=list)
  sent: list[int] = dataclasses.field(default_factory=list)
  on_request: Callable[[], None] | None = None


@pytest.fixture
def server() -> Iterator[Server]:
  """A server on a free port of this machine."""
  state = Server()

  class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_args):
      pass

    def do_GET(self):
      _answer(self, state)

  listener = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
  thread = threading.Thread(target=listener.serve_forever, args=(0.01,))
  thread.start()
  state.url = f"http://127.0.0.1:{listener.server_port}"
  yield state
  listener.shutdown()
  listener.server_close()
  thread.join()


def _answer(request: http.server.BaseHTTPRequestHandler, state: Server) -> None:
  wanted, condition = request.headers.get("Range"), request.headers.get("If-Range")
  state.asked.append((request.path, wanted, condition))
  if state.on_request:
    state.on_request()
  fault = state.faults.pop(0) if state.faults else "ok"
  if isinstance(fault, int):
    request.send_response(fault)
    request.send_header("Retry-After", "0")
    request.send_header("Content-Length", "0")
    request.end_headers()
    return
  if request.path in state.redirects:
    request.send_response(302)
    request.send_header("Location", state.redirects[request.path])
    request.send_header("Content-Length", "0")
    request.end_headers()
    return
  content = state.files.get(request.path)
  if content is None:
    request.send_error(404)
    return
  start = int(re.match(r"bytes=(\d+)-$", wanted)[1]) if wanted and state.has_ranges else 0
  if condition is not None and condition != state.etag:
    start = 0
  if wanted and start >= len(content):
    request.send_response(416)
    request.send_header("Content-Length", "0")
    request.end_headers()
    return
  body = content[start:]
  request.send_response(206 if start else 200)
  if start:
    request.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
  if state.etag:
    request.send_header("ETag", state.etag)
  request.send_header("Content-Length", str(len(body)))
  request.end_headers()
  if fault != "ok":
    body = body[: int(fault.partition(":")[2])]
    request.close_connection = True
  state.sent.append(len(body))
  request.wfile.write(body)
