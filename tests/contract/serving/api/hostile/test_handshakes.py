"""TLS over REST: handshakes that end nowhere, and what is no TLS."""

import contextlib
import os
import socket
import ssl
import time

import pytest

COUNT = 900  # fewer than one for which others would have to leave


def _hello():
  """What a client says first."""
  said = ssl.MemoryBIO()
  client = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), said, server_hostname="localhost")
  with contextlib.suppress(ssl.SSLWantReadError):
    client.do_handshake()
  return said.read()


HELLO = _hello()
SENT = {
  "silence": b"",
  "half a record": HELLO[:50],
  "no answer to the certificate": HELLO,
  "half of a huge record": HELLO[:3] + b"\x40\0" + b"a" * 1000,
}


@pytest.mark.parametrize("name", SENT)
def test_handshakes_without_end(secured, name):
  """They are over with the time for the headers, though connections may be idle for longer."""
  before = _descriptors(secured)
  with secured.watch(), contextlib.ExitStack() as stack:
    for _ in range(COUNT):
      address = ("127.0.0.1", secured.rest_port)
      connection = stack.enter_context(socket.create_connection(address, timeout=120))
      with contextlib.suppress(ConnectionError):
        connection.sendall(SENT[name])
    with secured.watch():
      time.sleep(1)
    deadline = time.monotonic() + 120
    while _descriptors(secured) > before + 50:
      assert time.monotonic() < deadline
      time.sleep(0.1)


def _descriptors(server):
  return len(os.listdir(f"/proc/{server.process.pid}/fd"))


@pytest.mark.parametrize(
  "sent", [b"GET / HTTP/1.1\r\n\r\n", b"\x16\3\1\xff\xff" + b"a" * 65535, HELLO + b"a" * 100_000]
)
def test_what_is_no_tls_is_cut_off(secured, sent):
  with (
    secured.watch(),
    socket.create_connection(("127.0.0.1", secured.rest_port), timeout=120) as connection,
    contextlib.suppress(ConnectionError),
  ):
    connection.sendall(sent)
    while connection.recv(1 << 16):
      pass


def test_what_breaks_off_behind_the_handshake(secured, wire):
  """Half a record is half a head."""
  with secured.watch(), wire(secured) as connection:
    connection.send(b"GET / HTTP/1.1\r\n")
    os.write(connection.socket.fileno(), b"\x17\3\3\x40\0abc")
    assert connection.answer()[0] == 408
    assert connection.is_closed()
