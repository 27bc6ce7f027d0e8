"""HTTP for `RestClient`: connections that are kept and used again."""

from __future__ import annotations

import http.client
import socket
import threading
import urllib.parse
from collections.abc import Mapping
from typing import Protocol

from dlpipe_client.errors import DeadlineExceeded, InvalidInput, InvalidResponse, Unavailable
from dlpipe_client.retry import Deadline
from dlpipe_client.tls import Tls


class RestTransport(Protocol):
  """Carries one request; a test may give a function's answer instead of a server's."""

  def send(
    self, method: str, path: str, body: bytes | None, headers: Mapping[str, str], timeout_s: float
  ) -> tuple[int, bytes]:
    """Returns the HTTP status and the body.

    Raises:
      Unavailable: no server answered.
      DeadlineExceeded: not in time.
    """

  def close(self) -> None:
    """Lets go of what it holds."""


class HttpTransport:
  """HTTP/1.1 by the standard library. May be used by many threads: each has a connection."""

  def __init__(self, url: str, *, tls: Tls | None = None, max_idle: int = 16):
    """Keeps the address; connects when it is first asked.

    Args:
      url: `http://host:port` or `https://host:port`; a path before `/v1` is kept.
      tls: certificates; only for https, where None trusts whom the system trusts.
      max_idle: connections kept open while unused.

    Raises:
      InvalidInput: the URL is not one of these.
    """
    parts = urllib.parse.urlsplit(url)
    try:
      port = parts.port
    except ValueError as err:
      raise InvalidInput(f"Expected a port from 0 to 65535 in {url!r}.") from err
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
      raise InvalidInput(f"Expected http://host:port or https://host:port. Received: {url!r}.")
    if tls is not None and parts.scheme != "https":
      raise InvalidInput(f"Certificates need https. Received: {url!r}.")
    self._host, self._port, self._prefix = parts.hostname, port, parts.path.rstrip("/")
    self._context = (tls or Tls()).ssl_context() if parts.scheme == "https" else None
    self._max_idle = max_idle
    self._idle: list[http.client.HTTPConnection] = []
    self._lock = threading.Lock()

  def send(
    self, method: str, path: str, body: bytes | None, headers: Mapping[str, str], timeout_s: float
  ) -> tuple[int, bytes]:
    deadline = Deadline(timeout_s)
    while True:
      with self._lock:
        connection = self._idle.pop() if self._idle else None
      is_used = connection is not None
      connection = connection or self._connect(deadline)
      try:
        status, answer, is_kept = _exchange(
          connection, method, self._prefix + path, body, headers, deadline
        )
      except (ConnectionError, http.client.BadStatusLine) as err:
        connection.close()
        if is_used:
          continue  # the server closed it while it was idle; this request has not been answered
        raise Unavailable(f"The connection to {self._address} was lost: {err!r}.") from err
      except TimeoutError as err:
        connection.close()
        raise DeadlineExceeded(f"No answer within {timeout_s:g} s.") from err
      except http.client.HTTPException as err:
        connection.close()
        raise InvalidResponse(f"{self._address} does not answer in HTTP: {err!r}.") from err
      except OSError as err:
        connection.close()
        raise Unavailable(f"The connection to {self._address} was lost: {err!r}.") from err
      except BaseException:
        connection.close()
        raise
      self._put_back(connection, is_kept)
      return status, answer

  @property
  def _address(self) -> str:
    return f"{self._host}:{self._port}" if self._port else self._host

  def _connect(self, deadline: Deadline) -> http.client.HTTPConnection:
    left_s = deadline.remaining_s()
    if self._context is None:
      connection = http.client.HTTPConnection(self._host, self._port, timeout=left_s)
    else:
      connection = http.client.HTTPSConnection(
        self._host, self._port, timeout=left_s, context=self._context
      )
    try:
      connection.connect()
    except TimeoutError as err:
      raise DeadlineExceeded(f"No connection to {self._address} within {left_s:g} s.") from err
    except OSError as err:
      raise Unavailable(f"No connection to {self._address}: {err}.") from err
    # Headers and body are two writes; without this the second waits for the first one's receipt.
    connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection

  def _put_back(self, connection: http.client.HTTPConnection, is_kept: bool) -> None:
    with self._lock:
      if is_kept and len(self._idle) < self._max_idle:
        self._idle.append(connection)
        return
    connection.close()

  def close(self) -> None:
    with self._lock:
      idle, self._idle = self._idle, []
    for connection in idle:
      connection.close()


def _exchange(
  connection: http.client.HTTPConnection,
  method: str,
  path: str,
  body: bytes | None,
  headers: Mapping[str, str],
  deadline: Deadline,
) -> tuple[int, bytes, bool]:
  """Status, body, and whether the connection can be used again."""
  connection.sock.settimeout(deadline.remaining_s())
  connection.request(method, path, body, dict(headers))
  response = connection.getresponse()
  pieces = []
  while not response.isclosed():
    # A response that closes the connection takes its socket over.
    if connection.sock is not None:
      connection.sock.settimeout(deadline.remaining_s())
    # Looking reads from the socket once; reading more than is there would wait beyond the deadline.
    there = len(response.peek())
    if not there:
      break
    pieces.append(response.read(there))
  if response.length:
    raise http.client.IncompleteRead(b"".join(pieces), response.length)
  return response.status, b"".join(pieces), not response.will_close
