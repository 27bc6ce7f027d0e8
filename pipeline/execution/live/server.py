"""Serves the page of a run that is watched, on this machine alone, until the run ends."""

from __future__ import annotations

import http.server
import json
import pathlib
import sys
import threading
import time
from typing import Any

from pipeline.execution.live.watched import Watched

_HOST = "127.0.0.1"
_LOOKS_S = 2.0  # who asked within this time is looking
_LINGER_S = 2.0  # how long the end is told to them
_PAGE = pathlib.Path(__file__).parent / "live.html"
_POLICY = (
  "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; "
  "img-src data:"
)


class LivePage:
  """Serves `/`, the page, and `/state.json`, which the page asks for twice a second.

  What stands behind a `?` tells readers apart, so that each of them can be shown the end.

  Only names of this machine are answered, so that no page of another site can read along through a
  name that it points here.

  Attributes:
    watched: the listener whose state is shown.
    address: where the page is, such as `http://127.0.0.1:43127/`.
  """

  def __init__(self) -> None:
    """Begins to serve, on a free port."""
    self.watched = Watched()
    self._readers = _Readers()
    self._server = _Server((_HOST, 0), _handler(self.watched, self._readers))
    port = self._server.server_address[1]
    self.address = f"http://{_HOST}:{port}/"
    self._thread = threading.Thread(
      target=self._server.serve_forever, args=(0.1,), name="live page", daemon=True
    )
    self._thread.start()

  def close(self) -> None:
    """Ends the server and frees its port; who looks is shown the end for up to two seconds."""
    try:
      self.watched.end()
      self._readers.wait_for_the_last_look()
    finally:
      self._server.shutdown()
      self._server.server_close()
      self._thread.join()


class _Readers:
  """Who looks at the page, as far as the end is to be shown to them. Called from any thread."""

  def __init__(self) -> None:
    self._changed = threading.Condition()
    self._asked: dict[str, float] = {}

  def ask(self, name: str, *, saw_the_end: bool) -> None:
    """Takes in that a reader was answered."""
    with self._changed:
      if saw_the_end:
        self._asked.pop(name, None)
      else:
        now = time.monotonic()
        self._asked = {n: at for n, at in self._asked.items() if at > now - _LOOKS_S}
        self._asked[name] = now
      self._changed.notify_all()

  def wait_for_the_last_look(self) -> None:
    """Returns when everybody who looks has seen the end, or after two seconds."""
    with self._changed:
      seen_since = time.monotonic() - _LOOKS_S
      self._changed.wait_for(
        lambda: all(moment < seen_since for moment in self._asked.values()), _LINGER_S
      )


class _Server(http.server.ThreadingHTTPServer):
  daemon_threads = True

  def handle_error(self, request: Any, client_address: Any) -> None:
    """Says nothing of a browser that went away: the terminal belongs to the run."""
    if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError)):
      super().handle_error(request, client_address)


def _handler(watched: Watched, readers: _Readers) -> type[http.server.BaseHTTPRequestHandler]:
  class Handler(http.server.BaseHTTPRequestHandler):
    """Answers GET."""

    def do_GET(self) -> None:
      """Answers with the page or the state."""
      name = self.headers.get("Host", "").rpartition(":")[0]
      path, _, reader = self.path.partition("?")
      if name not in (_HOST, "localhost"):
        self.send_error(403)
      elif path == "/":
        self._send("text/html; charset=utf-8", _PAGE.read_bytes())
      elif path == "/state.json":
        told = watched.snapshot()
        self._send("application/json", json.dumps(told, allow_nan=False).encode())
        readers.ask(reader, saw_the_end=told["ended"])
      else:
        self.send_error(404)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
      """Says nothing: the terminal belongs to the run."""

    def _send(self, kind: str, body: bytes) -> None:
      self.send_response(200)
      self.send_header("Content-Type", kind)
      self.send_header("Content-Length", str(len(body)))
      self.send_header("Cache-Control", "no-store")
      self.send_header("Content-Security-Policy", _POLICY)
      self.end_headers()
      self.wfile.write(body)

  return Handler
