"""One connection: the order of its answers, who keeps it, and whom it does not wait for."""

import contextlib
import json
import socket
import threading
import time

import pytest

from serving.rest.connection import _is_over
from serving.rest.event_loop import READ
from serving.rest.intake import MAX_PIPELINED

CHUNKED = b"POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"


def test_requests_sent_at_once_are_answered_in_order(serve, api):
  connection = serve()[1]()
  targets = ["/wait", *(f"/{number}" for number in range(30))]
  connection.sendall(b"".join(f"GET {t} HTTP/1.1\r\n\r\n".encode() for t in targets))
  threading.Timer(0.1, api.gate.set).start()
  assert connection.targets(len(targets)) == targets


@pytest.mark.parametrize(
  ("request_", "is_closed"),
  [
    (b"GET /a HTTP/1.1\r\n\r\n", False),
    (b"GET /a HTTP/1.1\r\nConnection: close\r\n\r\n", True),
    (b"GET /a HTTP/1.0\r\n\r\n", True),
    (b"GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", False),
  ],
)
def test_who_keeps_the_connection(serve, request_, is_closed):
  connection = serve()[1]()
  connection.sendall(request_)
  assert connection.targets() == ["/a"]
  if is_closed:
    assert connection.is_closed()
  else:
    connection.sendall(request_)
    assert connection.targets() == ["/a"]


def test_a_client_that_asks_before_it_sends(serve):
  connection = serve()[1]()
  connection.sendall(b"POST /a HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
  assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
  connection.sendall(b"ok")
  assert json.loads(connection.answers()[0][1])["body"] == "ok"


@pytest.mark.parametrize(
  ("sent", "status"),
  [
    (b"GET /a", 408),
    (b"GET /a HTTP/1.1\r\na: b\r\n", 408),
    (b"POST /a HTTP/1.1\r\nContent-Length: 9\r\n\r\n", 408),
    (CHUNKED, 408),
    (b"", None),
    (b"\r\n", None),
    (b"GET /a HTTP/1.1\r\n\r\n", 200),
  ],
)
def test_who_takes_too_long_is_told_so(serve, sent, status, until):
  """With a byte now and then, where there is something that goes on; after an answer, too."""
  times = {"header_timeout_s": 0.2, "body_timeout_s": 0.2, "idle_timeout_s": 0.2}
  server, connect = serve(**times)
  connection = connect()
  connection.sendall(sent)
  if status == 200:
    assert connection.answers()[0][0] == 200
  trickle = threading.Thread(target=_trickle, args=(connection,)) if status == 408 else None
  if trickle:
    trickle.start()
    assert connection.answers()[0][0] == 408
  assert connection.is_closed()
  connection.close()
  if trickle:
    trickle.join()
  until(lambda: not server.connections)


def _trickle(connection):
  with contextlib.suppress(OSError):
    while True:
      connection.sendall(b"1")
      time.sleep(0.05)


def test_who_reads_too_slowly_is_cut_off(serve, until):
  server, connect = serve(body_timeout_s=0.2)
  connection = connect()
  connection.sendall(b"GET /large HTTP/1.1\r\n\r\n" * 3)
  assert connection.recv(8) == b"HTTP/1.1"
  until(lambda: not server.connections)


def test_earlier_requests_are_answered_before_a_refusal(serve, api):
  connection = serve(max_request_bytes=10)[1]()
  connection.sendall(
    b"GET /wait HTTP/1.1\r\n\r\nGET /a HTTP/1.1\r\n\r\n"
    b"POST /b HTTP/1.1\r\nContent-Length: 11\r\n\r\n"
  )
  threading.Timer(0.05, api.gate.set).start()
  assert [status for status, _ in connection.answers(3)] == [200, 200, 413]


def test_a_connection_with_enough_waiting_requests_is_not_read_from(serve, api, until):
  server, connect = serve()
  connection = connect()
  connection.sendall(b"GET /wait HTTP/1.1\r\n\r\n")
  until(lambda: [one.idle_since() for one in list(server.connections)] == [None])
  [served] = server.connections
  for number in range(1, MAX_PIPELINED + 1):
    connection.sendall(b"GET /a HTTP/1.1\r\n\r\n")
    until(lambda count=number: len(served._intake.waiting) == count)
    until(lambda count=number: served._events == (READ if count < MAX_PIPELINED else 0))
  connection.sendall(b"GET /b HTTP/1.1\r\n\r\n")
  api.gate.set()
  assert connection.targets(10) == ["/wait", *["/a"] * 8, "/b"]


def test_a_client_that_sends_no_more_still_gets_its_answer(serve, api):
  connection = serve()[1]()
  connection.sendall(b"GET /wait HTTP/1.1\r\n\r\n")
  connection.shutdown(socket.SHUT_WR)
  threading.Timer(0.05, api.gate.set).start()
  assert connection.targets() == ["/wait"]
  assert connection.is_closed()


def test_a_slow_reader_gets_everything(serve):
  connection = serve()[1]()
  connection.sendall(b"GET /large HTTP/1.1\r\n\r\n" * 3)
  time.sleep(0.1)
  assert [len(body) for _, body in connection.answers(3)] == [5_000_000] * 3


def test_to_head_only_the_head_is_answered(serve):
  connection = serve()[1]()
  connection.sendall(b"HEAD /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\nConnection: close\r\n\r\n")
  head, answer, body = connection.makefile("rb").read().split(b"\r\n\r\n")
  assert b"Content-Length: 46" in head
  assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
  assert json.loads(body)["target"] == "/b"


@pytest.mark.parametrize(
  ("seconds", "size", "is_over"),
  [(4.9, 0, False), (5.1, 0, True), (10, 6 * 4096, False), (10, 4 * 4096, True)],
)
def test_who_sends_four_kib_a_second_may_take_its_time(seconds, size, is_over):
  assert _is_over(seconds, 5.0, size) is is_over
  assert not _is_over(seconds, 0.0, size)
