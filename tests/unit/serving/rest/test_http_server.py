"""The HTTP server: how many connections, requests and bytes it takes, and how it stops."""

import contextlib
import gc
import json
import os
import socket
import threading
import time
import warnings

import pytest

from serving.rest.http_server import HttpServer


def test_a_server_whose_port_is_taken_leaves_nothing_open(api):
  with socket.create_server(("127.0.0.1", 0)) as taken:
    server = HttpServer(api, port=taken.getsockname()[1], threads=1, timeout_s=30.0)
    gc.collect()
    with warnings.catch_warnings(record=True) as said:
      warnings.simplefilter("always", ResourceWarning)
      with pytest.raises(OSError, match="in use"):
        server.start()
      with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(server._spare)
      del server
      gc.collect()
  assert [str(each.message) for each in said] == []


def test_silent_connections_leave_where_others_come(serve):
  server, connect = serve(max_connections=8)
  kept = connect()
  kept.sendall(b"GET /a HTTP/1.1\r\n\r\n")
  assert kept.targets() == ["/a"]
  silent = [connect() for _ in range(50)]
  for number, one in enumerate(silent[:25]):
    with contextlib.suppress(OSError):
      one.sendall(b"POST /a HTTP/1.1\r\nContent-Length: 9\r\n\r\n" if number % 2 else b"GET /")
  fresh = connect()
  for client in (fresh, kept):  # who was answered before stays
    client.sendall(b"GET /b HTTP/1.1\r\n\r\n")
    assert client.targets() == ["/b"]
  assert len(server.connections) <= 8


def test_where_all_are_busy_the_newest_is_refused(serve, api, until):
  server, connect = serve(max_connections=2)
  busy = [connect(), connect()]
  for one in busy:
    one.sendall(b"GET /wait HTTP/1.1\r\n\r\n")
  until(lambda: [one.idle_since() for one in list(server.connections)] == [None, None])
  assert connect().answers() == [(503, b"")]
  api.gate.set()
  assert [one.targets() for one in busy] == [["/wait"]] * 2


def test_bodies_of_all_connections_have_one_limit(serve, until):
  """Who sends little gets in beside those who fill it, and it is free again when they leave."""
  server, connect = serve(max_bytes_in_flight=2_000_000)
  head = b"POST /a HTTP/1.1\r\nContent-Length: 600000\r\n\r\n"
  first, second = connect(), connect()
  first.sendall(head + b"x" * 599_999)
  until(lambda: server.in_flight._used > 500_000)
  second.sendall(head + b"x" * 600_000)
  ((status, body),) = second.answers()
  assert status == 429
  assert b"--max_bytes_in_flight" in body
  third = connect()
  third.sendall(b"POST /b HTTP/1.1\r\nContent-Length: 2\r\n\r\nok")
  assert third.targets() == ["/b"]
  first.sendall(b"x")
  assert first.targets() == ["/a"]
  first.sendall(head + b"x" * 600_000)
  assert first.targets() == ["/a"]
  first.sendall(head + b"x" * 300_000)
  until(lambda: server.in_flight._used > 200_000)
  first.close()
  until(lambda: server.in_flight._used == 0)


def test_one_request_too_many_is_refused_at_once(serve, api):
  connect = serve(max_concurrent_requests=1)[1]
  first, second = connect(), connect()
  first.sendall(b"GET /wait HTTP/1.1\r\n\r\n")
  time.sleep(0.05)
  second.sendall(b"GET /a HTTP/1.1\r\n\r\n")
  assert second.answers()[0][0] == 429
  api.gate.set()
  assert first.targets() == ["/wait"]
  second.sendall(b"GET /a HTTP/1.1\r\n\r\n")
  assert second.targets() == ["/a"]


def test_a_request_that_takes_too_long_is_answered_and_the_connection_goes_on(serve, api):
  connection = serve(timeout_s=0.1)[1]()
  connection.sendall(b"GET /wait HTTP/1.1\r\n\r\nGET /a HTTP/1.1\r\n\r\n")
  answers = connection.answers(2)
  assert answers[0] == (504, b"Timed out waiting for notification")
  assert [json.loads(body)["target"] for status, body in answers if status == 200] == ["/a"]


def test_one_that_takes_longer_than_those_before_keeps_nobody_waiting(serve, api):
  connect = serve()[1]
  api.gate.set()
  slow, quick = connect(), connect()
  for _ in range(30):  # from which the server learns that such a request is quick
    slow.sendall(b"GET /wait HTTP/1.1\r\n\r\n")
    quick.sendall(b"GET /a HTTP/1.1\r\n\r\n")
    assert slow.targets() + quick.targets() == ["/wait", "/a"]
  api.gate.clear()
  slow.sendall(b"GET /wait HTTP/1.1\r\n\r\n")
  time.sleep(0.01)
  started = time.monotonic()
  for _ in range(5):
    quick.sendall(b"GET /a HTTP/1.1\r\n\r\n")
    assert quick.targets() == ["/a"]
  assert time.monotonic() - started < 60, "the slow one takes 120 s"
  assert api.thread("/wait") != api.thread("/a")
  api.gate.set()
  assert slow.targets() == ["/wait"]


def test_quick_requests_are_answered_by_the_thread_that_reads(serve, api):
  connection = serve()[1]()
  for _ in range(30):
    connection.sendall(b"GET /a HTTP/1.1\r\n\r\n")
    connection.answers()
  assert api.thread("/a").name == "http loop"
  connection.sendall(b"POST /a HTTP/1.1\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100_000)
  connection.answers()
  assert api.thread("/a").name.startswith("http worker")


def test_where_requests_must_run_side_by_side_they_do(serve, api):
  connection = serve(answers_at_once=False)[1]()
  for _ in range(30):
    connection.sendall(b"GET /a HTTP/1.1\r\n\r\n")
    connection.answers()
    assert api.thread("/a").name.startswith("http worker")


def test_connections_leave_nothing_behind(serve, api):
  server, connect = serve()
  for number in range(20):
    connection = connect()
    connection.sendall(b"GET /a HTTP/1.1\r\n\r\n" if number % 2 else b"GET /a")
    if number % 2:
      connection.answers()
    connection.close()
  deadline = time.monotonic() + 120
  while server.connections and time.monotonic() < deadline:
    time.sleep(0.01)
  assert server.connections == set()


def test_a_stop_lets_requests_end_and_closes_what_is_idle(serve, api):
  server, connect = serve()
  busy, idle = connect(), connect()
  busy.sendall(b"GET /wait HTTP/1.1\r\n\r\n")
  time.sleep(0.05)
  stopping = threading.Thread(target=server.stop, args=(5,))
  stopping.start()
  assert idle.is_closed()
  api.gate.set()
  assert busy.targets() == ["/wait"]
  stopping.join(120)
  with pytest.raises(ConnectionRefusedError):
    connect()


def test_small_bodies_count_for_nothing(serve):
  connection = serve(max_bytes_in_flight=1000)[1]()
  connection.sendall(b"POST /a HTTP/1.1\r\nContent-Length: 60000\r\n\r\n" + b"x" * 60_000)
  assert connection.targets() == ["/a"]


def test_what_is_announced_and_has_no_room_is_refused_before_it_has_come(serve):
  server, connect = serve(max_bytes_in_flight=200_000)  # half of it for bodies
  for announced, status in ((100_000, 200), (100_001, 429)):
    connection = connect()
    connection.sendall(b"POST /a HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % announced)
    connection.sendall(b"x" * 70_000)
    if status == 200:
      connection.sendall(b"x" * 30_000)
    assert connection.answers()[0][0] == status
  assert server.in_flight._used == 0


def test_what_waits_behind_a_request_is_given_back_when_its_caller_leaves(serve, api, until):
  server, connect = serve(max_bytes_in_flight=2_000_000)
  connection = connect()
  connection.sendall(b"GET /wait HTTP/1.1\r\n\r\n")
  connection.sendall(b"POST /a HTTP/1.1\r\nContent-Length: 600000\r\n\r\n" + b"x" * 600_000)
  until(lambda: [len(one._intake.waiting) for one in list(server.connections)] == [1])
  assert server.in_flight._used == 600_000
  server.stop(0)
  until(lambda: server.in_flight._used == 0)
