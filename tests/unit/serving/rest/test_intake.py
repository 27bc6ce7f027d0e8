"""What is taken for a request, and what is refused before its end."""

import contextlib
import json
import threading
import time

import pytest

CHUNKED = b"POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"


def test_a_request_in_pieces(serve):
  connection = serve()[1]()
  text = b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody"
  for start in range(0, len(text), 7):
    connection.sendall(text[start : start + 7])
    time.sleep(0.002)
  ((status, body),) = connection.answers()
  assert status == 200
  assert json.loads(body) == {"method": "POST", "target": "/a", "body": "body"}


def test_chunks(serve):
  connection = serve()[1]()
  connection.sendall(
    b"POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"
  )
  assert json.loads(connection.answers()[0][1])["body"] == "abcde"


def test_another_protocol_is_not_taken_up(serve):
  connection = serve()[1]()
  head = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
  connection.sendall(b"POST /a HTTP/1.1\r\n" + head + b"Content-Length: 2\r\n\r\nok")
  connection.sendall(b"GET /b HTTP/1.1\r\n\r\n")
  assert connection.targets(2) == ["/a", "/b"]


@pytest.mark.parametrize(
  "garbage",
  [
    b"\0\0\0\0",
    b"GET\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n",
    b"\x16\x03\x01\x02\x00",
    b"CONNECT a:1 HTTP/1.1\r\n\r\n",
  ],
)
def test_what_is_no_http_is_refused_and_closed(serve, garbage):
  connection = serve()[1]()
  connection.sendall(garbage)
  assert connection.answers() == [(400, b"")]
  assert connection.is_closed()


KIB = 1 << 10


@pytest.mark.parametrize(
  ("head", "piece", "status"),
  [
    (b"GET /", b"a" * KIB, 414),
    (b"GET / HTTP/1.1\r\na: ", b"b" * KIB, 431),
    (b"GET / HTTP/1.1\r\n", b"b" * KIB, 431),
    (b"GET / HTTP/1.1\r\n", b"a: b\r\n", 431),
    (CHUNKED + b"0\r\na: ", b"b" * KIB, 431),
    (CHUNKED + b"0\r\n", b"a: b\r\n", 431),
    (CHUNKED + b"3;", b"x" * KIB, 431),
    (CHUNKED, b"1\r\nx\r\n", 431),
    (CHUNKED, b"0" * KIB, 431),
  ],
)
@pytest.mark.parametrize("together", [1, 60, 1000])
def test_what_has_no_end_is_refused_while_it_grows(serve, head, piece, status, together):
  """However little is sent at a time."""
  connection = serve()[1]()
  connection.settimeout(120)
  # Behind another request, too.
  connection.sendall(b"GET /a HTTP/1.1\r\n\r\n" + head)
  writer = threading.Thread(target=_send_on, args=(connection, piece * together, 300_000))
  writer.start()
  answers = connection.answers(2)
  assert [answer[0] for answer in answers] == [200, status]
  assert connection.is_closed()
  writer.join()


def _send_on(connection, piece, size):
  with contextlib.suppress(OSError):
    for _ in range(max(1, size // len(piece))):
      connection.sendall(piece)


def test_a_head_of_the_largest_size_is_taken(serve):
  connection = serve()[1]()
  lines = b"".join(b"h%d: %s\r\n" % (number, b"v" * 3000) for number in range(10))
  connection.sendall((b"GET /%s HTTP/1.1\r\n%s\r\n" % (b"a" * 8000, lines)) * 3)
  assert [status for status, _ in connection.answers(3)] == [200] * 3


def test_who_is_not_let_in_hears_it_before_the_body(serve):
  connection = serve()[1]()
  connection.sendall(CHUNKED[:-2] + b"Authorization: bad\r\nExpect: 100-continue\r\n\r\n")
  assert connection.answers() == [(401, b"no")]
  # The answer is there for one who sends all before it reads, too.
  connection = serve()[1]()
  connection.sendall(CHUNKED[:-2] + b"Authorization: bad\r\n\r\n")
  for _ in range(200):
    connection.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")
  assert connection.answers() == [(401, b"no")]
  assert connection.is_closed()


def test_trailers_replace_no_headers(serve):
  connection = serve()[1]()
  connection.sendall(
    CHUNKED[:-2] + b"Authorization: good\r\n\r\n3\r\nabc\r\n0\r\nAuthorization: bad\r\n"
    b"Content-Encoding: gzip\r\n\r\n"
  )
  assert json.loads(connection.answers()[0][1])["body"] == "abc"


def test_of_two_tokens_none_counts(serve):
  connection = serve()[1]()
  connection.sendall(b"GET /a HTTP/1.1\r\nAuthorization: a\r\nauthorization: a\r\n\r\n")
  assert connection.answers() == [(400, b"The request has more than one Authorization header.")]


def test_many_offers_of_another_protocol_in_one_read(serve):
  connection = serve()[1]()
  offer = b"GET /a HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n"
  connection.sendall(offer * 1000)
  assert len(connection.targets(1000)) == 1000


@pytest.mark.parametrize(
  "request_",
  [
    b"POST / HTTP/1.1\r\nContent-Length: 11\r\n\r\n",
    b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nabcdef\r\n6\r\nabcdef\r\n",
  ],
)
def test_a_body_too_large_is_refused_before_it_is_read(serve, request_):
  connection = serve(max_request_bytes=10)[1]()
  connection.sendall(request_)
  ((status, body),) = connection.answers()
  assert (status, body) == (413, b"The request is larger than 10 bytes (--max_request_bytes).")
  assert connection.is_closed()


@pytest.mark.parametrize(
  "request_",
  [
    b"POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\n0123456789",
    b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n6\r\n012345\r\n4\r\n6789\r\n0\r\n\r\n",
  ],
)
def test_a_body_of_the_largest_size_is_taken(serve, request_):
  connection = serve(max_request_bytes=10)[1]()
  connection.sendall(request_)
  assert json.loads(connection.answers()[0][1])["body"] == "0123456789"


def test_who_offers_another_protocol_may_close(serve):
  connection = serve()[1]()
  connection.sendall(b"GET /a HTTP/1.1\r\nConnection: Upgrade, close\r\nUpgrade: h2c\r\n\r\n")
  assert connection.targets() == ["/a"]
  assert connection.is_closed()


@pytest.mark.parametrize(("count", "size"), [(300, 1), (40, 1000)])
def test_a_head_too_large_is_refused_though_it_comes_at_once(serve, count, size):
  connection = serve()[1]()
  lines = b"".join(b"h%d: %s\r\n" % (number, b"v" * size) for number in range(count))
  connection.sendall(b"GET /a HTTP/1.1\r\n%s\r\n" % lines)
  assert connection.answers()[0][0] == 431
