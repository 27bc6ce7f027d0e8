"""TLS of both ports: reads their `SSLConfig` file, and speaks TLS on HTTP connections."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import tempfile
from collections.abc import Iterator
from typing import Any

from serving.errors import InvalidArgument
from serving.protos import SSLConfig, read_text_proto


def read_ssl_config(path: str) -> Any:
  """Reads an `SSLConfig` text file, whose fields hold the PEM texts themselves.

  Raises:
    ServingError: the file cannot be read.
    InvalidArgument: keys are missing.
  """
  config = read_text_proto(path, SSLConfig())
  if not config.server_key or not config.server_cert:
    raise InvalidArgument(f"{path} needs server_key and server_cert.")
  if config.client_verify and not config.custom_ca:
    raise InvalidArgument(f"{path} asks for client_verify and has no custom_ca.")
  return config


def http_context(path: str) -> ssl.SSLContext:
  """Returns the context of an HTTP port for TLS 1.2 or later, mutual TLS with `client_verify`.

  Raises:
    ServingError: the file cannot be read.
    InvalidArgument: key and certificate do not belong together, or the authority is missing.
  """
  config = read_ssl_config(path)
  context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
  context.minimum_version = ssl.TLSVersion.TLSv1_2
  context.options |= ssl.OP_NO_RENEGOTIATION
  context.set_alpn_protocols(["http/1.1"])
  try:
    _load_pair(context, config.server_cert, config.server_key)
    if config.custom_ca:
      context.load_verify_locations(cadata=config.custom_ca)
  except (ssl.SSLError, ValueError) as err:
    raise InvalidArgument(
      f"{path}: the certificates cannot be used; are key and certificate PEM texts and a pair? "
      f"({err})"
    ) from err
  if config.client_verify:
    context.verify_mode = ssl.CERT_REQUIRED
  return context


def _load_pair(context: ssl.SSLContext, certificate: str, key: str) -> None:
  """Loads a pair by a short-lived private file, because `ssl` reads keys from files only."""
  descriptor, path = tempfile.mkstemp(prefix="dlpipe-tls-")
  try:
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
      file.write(f"{certificate}\n{key}\n")
    # An encrypted key would ask for its password on a terminal.
    context.load_cert_chain(path, password=lambda: "")
  finally:
    os.unlink(path)


class TlsSocket:
  """A connection that speaks TLS, as `serving.rest.connection` uses a socket that does not block.

  The handshake is part of the first reads. A read takes a whole TLS record (16 KiB at most), so
  that no data waits here that the operating system does not report.

  Attributes:
    is_shaken: whether the handshake is over.
  """

  def __init__(self, sock: socket.socket, context: ssl.SSLContext):
    """Wraps a socket; the handshake comes later.

    Args:
      sock: a connected socket that does not block.
      context: the server's certificates.
    """
    self._socket = context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
    self.is_shaken = False

  def recv(self, size: int) -> bytes:
    """Returns what can be read now; empty at the end.

    Raises:
      BlockingIOError: nothing yet.
      OSError: the connection or the other side's TLS is broken.
    """
    with _as_blocking():
      self._shake()
      return self._socket.recv(size)

  def recv_into(self, buffer: bytearray) -> int:
    """Reads into a buffer what can be read now; returns how much; 0 at the end.

    Raises:
      BlockingIOError: nothing yet.
      OSError: the connection or the other side's TLS is broken.
    """
    with _as_blocking():
      self._shake()
      return self._socket.recv_into(buffer)

  def send(self, data: bytes | bytearray) -> int:
    """Sends what can be sent now; returns how much that was.

    Raises:
      BlockingIOError: nothing at the moment; the next call must begin with the same bytes.
      OSError: the connection is broken.
    """
    with _as_blocking():
      self._shake()
      return self._socket.send(data)

  def fileno(self) -> int:
    return self._socket.fileno()

  def getpeername(self) -> Any:
    return self._socket.getpeername()

  def shutdown(self, how: int) -> None:
    """Sends the end of TLS. Later reads return raw bytes, which are no text any more."""
    self._say_goodbye()
    self.is_shaken = True  # no handshake can follow
    self._socket.shutdown(how)

  def close(self) -> None:
    """Sends the end of TLS if that does not block, and closes."""
    self._say_goodbye()
    self._socket.close()

  def _say_goodbye(self) -> None:
    if self.is_shaken:
      # It raises if the other side has not sent its end yet, for which nobody waits.
      with contextlib.suppress(OSError, ValueError):
        self._socket.unwrap()

  def _shake(self) -> None:
    if not self.is_shaken:
      self._socket.do_handshake()
      self.is_shaken = True


AnySocket = socket.socket | TlsSocket


def is_shaking(sock: AnySocket) -> bool:
  """Returns whether the TLS handshake of a socket is still going on."""
  return isinstance(sock, TlsSocket) and not sock.is_shaken


@contextlib.contextmanager
def _as_blocking() -> Iterator[None]:
  try:
    yield
  except (ssl.SSLWantReadError, ssl.SSLWantWriteError) as err:
    raise BlockingIOError(*err.args) from None
