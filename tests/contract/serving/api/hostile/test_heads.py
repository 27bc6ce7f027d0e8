"""What has no end: lines, names, headers, trailers, chunks, bodies; at full speed and slowly."""

import contextlib
import threading
import time

import pytest

HOST = b"POST /v1/models/half_plus:predict HTTP/1.1\r\nHost: a\r\n"
CHUNKED = HOST + b"Transfer-Encoding: chunked\r\n"
KIB = 1 << 10
MANY = 100_000_000  # bytes, of which the server need not take all
ENDLESS = {
  "request line": (b"GET /v1/", b"a" * 64 * KIB, {414}),
  "method": (b"", b"A" * 64 * KIB, {400}),
  "header line": (HOST + b"a: ", b"b" * 64 * KIB, {431}),
  "header line in small pieces": (HOST + b"a: ", b"b" * KIB, {431}),
  "header name": (HOST, b"b" * 64 * KIB, {431}),
  "headers": (HOST, b"a: b\r\n" * 10 * KIB, {431}),
  "header of spaces": (HOST + b"a:", b" " * 64 * KIB, {431}),
  "empty lines": (b"", b"\r\n" * 32 * KIB, {408, None}),
}
ENDLESS_BODIES = {
  "trailer line": (b"0\r\na: ", b"b" * 64 * KIB, {431}),
  "trailer name": (b"0\r\n", b"b" * 64 * KIB, {431}),
  "trailers": (b"0\r\n", b"a: b\r\n" * 10 * KIB, {431}),
  "chunk extension": (b"3;a=", b"b" * 64 * KIB, {431}),
  "chunk extensions": (b"", b"1;" + b"a" * KIB + b"\r\nx\r\n", {431}),
  "chunk size": (b"", b"0" * 64 * KIB, {400, 431}),
  "chunk size too large": (b"F" * 30 + b"\r\n", b"x" * 64 * KIB, {400, 413}),
  "smallest chunks": (b"", b"1\r\nx\r\n" * 10 * KIB, {431}),
  "small chunks": (b"", b"8\r\n12345678\r\n" * 5 * KIB, {431}),
  "chunks": (b"", b"10000\r\n" + b" " * 65536 + b"\r\n", {413}),
}


def _without_end(server, wire, first, piece, statuses, size=MANY):
  with server.watch(), wire(server) as connection:
    connection.send(first)
    found = connection.status_while_sending(piece, size)
  assert found in statuses


@pytest.mark.parametrize("name", sorted(set(ENDLESS) - {"empty lines"}))
def test_heads_without_end(usual, wire, name):
  _without_end(usual, wire, *ENDLESS[name])


@pytest.mark.parametrize("name", ENDLESS_BODIES)
def test_bodies_without_end(usual, wire, name):
  first, piece, statuses = ENDLESS_BODIES[name]
  size = 2 * MANY if name == "chunks" else MANY
  _without_end(usual, wire, CHUNKED + b"\r\n" + first, piece, statuses, size)


@pytest.mark.parametrize("name", ENDLESS)
def test_heads_without_end_and_without_a_token(closed, wire, name):
  _without_end(closed, wire, *ENDLESS[name])


@pytest.mark.parametrize("token", ["", "Authorization: Bearer wrong\r\n"])
@pytest.mark.parametrize("method", [b"POST", b"OPTIONS"])
def test_without_a_token_no_body_is_taken(closed, wire, token, method):
  """300 MB, of which the sender sees the answer after it has sent them all."""
  with closed.watch(), wire(closed) as connection:
    connection.send(CHUNKED.replace(b"POST", method) + token.encode() + b"\r\n")
    connection.send_on(b"100000\r\n" + b"1" * (1 << 20) + b"\r\n", 300_000_000)
    assert connection.answer()[0] == 401
    assert connection.is_closed()


@pytest.mark.parametrize("length", [200_000_000, 100_000_000_000, 10**30])
def test_bodies_announced_as_too_large(usual, guarded, wire, length):
  head = HOST + b"Content-Length: %d\r\n" % length
  with usual.watch(), wire(usual) as connection:
    connection.send(head + b"\r\n")
    assert connection.answer()[0] in (400, 413)
  with guarded.watch(), wire(guarded) as connection:
    connection.send(head + b"Expect: 100-continue\r\n\r\n")
    assert connection.answer()[0] in (400, 401)
  with guarded.watch(), wire(guarded) as connection:
    connection.send(head + b"Authorization: Bearer right\r\n\r\n")
    connection.send_on(b"1" * (1 << 20), 200_000_000)
    assert connection.answer()[0] in (400, 413)


def test_many_bodies_at_once(usual, wire):
  """Sixteen of 60 MB, of which the server has no room for the second."""
  with usual.watch(), contextlib.ExitStack() as stack:
    connections = [stack.enter_context(wire(usual)) for _ in range(16)]
    for connection in connections:
      connection.send(HOST + b"Content-Length: 60000000\r\n\r\n")
    writers = [
      threading.Thread(target=connection.send_on, args=(b"1," * 500_000, 59_000_000))
      for connection in connections
    ]
    for writer in writers:
      writer.start()
    for writer in writers:
      writer.join()
    statuses = []
    for connection in connections:
      connection.socket.settimeout(0.2)
      with contextlib.suppress(TimeoutError):
        statuses.append(connection.answer()[0])
  assert len(statuses) >= 14
  assert set(statuses) == {429}


SLOW = {
  "silence": (b"", b""),
  "empty lines": (b"", b"\r\n"),
  "half a request line": (b"GET /v1/models/", b"a"),
  "headers": (HOST, b"a: b\r\n"),
  "half a header": (HOST + b"a: ", b"b"),
  "body": (HOST + b"Authorization: Bearer right\r\nContent-Length: 1000000\r\n\r\n", b"1"),
  "chunks": (CHUNKED + b"Authorization: Bearer right\r\n\r\n", b"1\r\n1\r\n"),
  "trailers": (CHUNKED + b"Authorization: Bearer right\r\n\r\n0\r\n", b"a: b\r\n"),
}


def test_slow_senders_are_cut_off(guarded, wire):
  """Fifty of each kind, with a few bytes now and then: all go, and those who asked know why."""
  with guarded.watch(), contextlib.ExitStack() as stack:
    senders = []
    for name, (first, piece) in SLOW.items():
      for _ in range(50):
        connection = stack.enter_context(wire(guarded))
        connection.send(first)
        senders.append((name, connection, piece))
    ends_at = time.monotonic() + 8
    rest = senders
    while rest and time.monotonic() < ends_at:
      rest = [each for each in rest if each[1].send(each[2]) and not _has_answer(each[1])]
      time.sleep(0.2)
    assert {name for name, _, piece in rest if piece} == set()
    for name, connection, _ in senders:
      if name in ("silence", "empty lines"):
        assert name == "empty lines" or connection.is_closed()
      else:
        with contextlib.suppress(ConnectionError):
          assert connection.answer()[0] == 408, name


def _has_answer(connection):
  connection.socket.setblocking(False)
  try:
    return connection.socket.recv(1, 2) is not None  # looks, and leaves it there
  except BlockingIOError:
    return False
  except ConnectionError:
    return True
  finally:
    connection.socket.settimeout(20)
