"""HTTP/1 on a real socket: what a client may send, in which pieces, and what it gets back."""

import contextlib
import gc
import json
import os
import socket
import threading
import time
import warnings

import pytest

from serving.errors import ServingError, Unauthenticated
from serving.rest.connection import _is_over
from serving.rest.event_loop import READ
from serving.rest.http_server import HttpServer
from serving.rest.intake import MAX_PIPELINED
from serving.rest.limits import Limits
from serving.rest.messages import Response

CHUNKED = b"POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"


class Echo:
  """Answers with the request; `/wait` waits for `gate`."""

  def __init__(self):
    self.gate = threading.Event()
    self._threads = {}

  def thread(self, target):
    """The one that answered a request for it last, or is about to."""
    return self._threads[target]

  def handle(self, request):
    self._threads[request.target] = threading.current_thread()
    if request.target == "/wait":
      assert self.gate.wait(120)
    if request.target == "/large":
      return Response(200, b"x" * 5_000_000)
    found = {"method": request.method, "target": request.target, "body": request.body.decode()}
    return Response(200, json.dumps(found).encode())

  def admit(self, request):
    return Unauthenticated("no") if request.headers.get(b"authorization") == b"bad" else None

  def refusal(self, error: ServingError):
    return Response(error.http_status, str(error).encode())


@pytest.fixture
def api():
  return Echo()


@pytest.fixture
def serve(api):
  """Returns a function that starts a server and connects to it."""
  with contextlib.ExitStack() as stack:

    def started(*, timeout_s=30.0, max_concurrent_requests=0, answers_at_once=True, **limits):
      server = HttpServer(
        api,
        port=0,
        threads=4,
        timeout_s=timeout_s,
        max_concurrent_requests=max_concurrent_requests,
        answers_at_once=answers_at_once,
        limits=Limits(**limits),
      )
      port = server.start()
      stack.callback(server.stop, 5)
      stack.callback(api.gate.set)

      def connect():
        return stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=120))

      return server, connect

    yield started


def _read(connection, count=1):
  """Status and body of so many responses; b"" for the body of the last where there is none."""
  file, found = connection.makefile("rb"), []
  for _ in range(count):
    status = int(file.readline().split()[1])
    length, line = 0, b""
    while (line := file.readline()) != b"\r\n":
      if line.lower().startswith(b"content-length:"):
        length = int(line.split(b":")[1])
    found.append((status, file.read(length)))
  return found


def _echoed(answers):
  return [json.loads(body)["target"] for status, body in answers if status == 200]


def _is_closed(connection):
  return connection.recv(1) == b""


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


def test_a_request_in_pieces(serve):
  connection = serve()[1]()
  text = b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody"
  for start in range(0, len(text), 7):
    connection.sendall(text[start : start + 7])
    time.sleep(0.002)
  ((status, body),) = _read(connection)
  assert status == 200
  assert json.loads(body) == {"method": "POST", "target": "/a", "body": "body"}


def test_chunks(serve):
  connection = serve()[1]()
  connection.sendall(
    b"POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"
  )
  assert json.loads(_read(connection)[0][1])["body"] == "abcde"


def test_requests_sent_at_once_are_answered_in_order(serve, api):
  connection = serve()[1]()
  targets = ["/wait", *(f"/{number}" for number in range(30))]
  connection.sendall(b"".join(f"GET {t} HTTP/1.1\r\n\r\n".encode() for t in targets))
  threading.Timer(0.1, api.gate.set).start()
  assert _echoed(_read(connection, len(targets))) == targets


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
  assert _echoed(_read(connection)) == ["/a"]
  if is_closed:
    assert _is_closed(connection)
  else:
    connection.sendall(request_)
    assert _echoed(_read(connection)) == ["/a"]


def test_a_client_that_asks_before_it_sends(serve):
  connection = serve()[1]()
  connection.sendall(b"POST /a HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
  assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
  connection.sendall(b"ok")
  assert json.loads(_read(connection)[0][1])["body"] == "ok"


def test_another_protocol_is_not_taken_up(serve):
  connection = serve()[1]()
  head = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
  connection.sendall(b"POST /a HTTP/1.1\r\n" + head + b"Content-Length: 2\r\n\r\nok")
  connection.sendall(b"GET /b HTTP/1.1\r\n\r\n")
  assert _echoed(_read(connection, 2)) == ["/a", "/b"]


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
  assert _read(connection) == [(400, b"")]
  assert _is_closed(connection)


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
  answers = _read(connection, 2)
  assert [answer[0] for answer in answers] == [200, status]
  assert _is_closed(connection)
  writer.join()


def _send_on(connection, piece, size):
  with contextlib.suppress(OSError):
    for _ in range(max(1, size // len(piece))):
      connection.sendall(piece)


def test_a_head_of_the_largest_size_is_taken(serve):
  connection = serve()[1]()
  lines = b"".join(b"h%d: %s\r\n" % (number, b"v" * 3000) for number in range(10))
  connection.sendall((b"GET /%s HTTP/1.1\r\n%s\r\n" % (b"a" * 8000, lines)) * 3)
  assert [status for status, _ in _read(connection, 3)] == [200] * 3


def test_who_is_not_let_in_hears_it_before_the_body(serve):
  connection = serve()[1]()
  connection.sendall(CHUNKED[:-2] + b"Authorization: bad\r\nExpect: 100-continue\r\n\r\n")
  assert _read(connection) == [(401, b"no")]
  # The answer is there for one who sends all before it reads, too.
  connection = serve()[1]()
  connection.sendall(CHUNKED[:-2] + b"Authorization: bad\r\n\r\n")
  for _ in range(200):
    connection.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")
  assert _read(connection) == [(401, b"no")]
  assert _is_closed(connection)


def test_trailers_replace_no_headers(serve):
  connection = serve()[1]()
  connection.sendall(
    CHUNKED[:-2] + b"Authorization: good\r\n\r\n3\r\nabc\r\n0\r\nAuthorization: bad\r\n"
    b"Content-Encoding: gzip\r\n\r\n"
  )
  assert json.loads(_read(connection)[0][1])["body"] == "abc"


def test_of_two_tokens_none_counts(serve):
  connection = serve()[1]()
  connection.sendall(b"GET /a HTTP/1.1\r\nAuthorization: a\r\nauthorization: a\r\n\r\n")
  assert _read(connection) == [(400, b"The request has more than one Authorization header.")]


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
def test_who_takes_too_long_is_told_so(serve, sent, status):
  """With a byte now and then, where there is something that goes on; after an answer, too."""
  times = {"header_timeout_s": 0.2, "body_timeout_s": 0.2, "idle_timeout_s": 0.2}
  server, connect = serve(**times)
  connection = connect()
  connection.sendall(sent)
  if status == 200:
    assert _read(connection)[0][0] == 200
  trickle = threading.Thread(target=_trickle, args=(connection,)) if status == 408 else None
  if trickle:
    trickle.start()
    assert _read(connection)[0][0] == 408
  assert _is_closed(connection)
  connection.close()
  if trickle:
    trickle.join()
  _until(lambda: not server.connections)


def _trickle(connection):
  with contextlib.suppress(OSError):
    while True:
      connection.sendall(b"1")
      time.sleep(0.05)


def _until(is_so):
  deadline = time.monotonic() + 120
  while not is_so():
    assert time.monotonic() < deadline
    time.sleep(0.01)


def test_who_reads_too_slowly_is_cut_off(serve):
  server, connect = serve(body_timeout_s=0.2)
  connection = connect()
  connection.sendall(b"GET /large HTTP/1.1\r\n\r\n" * 3)
  assert connection.recv(8) == b"HTTP/1.1"
  _until(lambda: not server.connections)


def test_silent_connections_leave_where_others_come(serve):
  server, connect = serve(max_connections=8)
  kept = connect()
  kept.sendall(b"GET /a HTTP/1.1\r\n\r\n")
  assert _echoed(_read(kept)) == ["/a"]
  silent = [connect() for _ in range(50)]
  for number, one in enumerate(silent[:25]):
    with contextlib.suppress(OSError):
      one.sendall(b"POST /a HTTP/1.1\r\nContent-Length: 9\r\n\r\n" if number % 2 else b"GET /")
  fresh = connect()
  for client in (fresh, kept):  # who was answered before stays
    client.sendall(b"GET /b HTTP/1.1\r\n\r\n")
    assert _echoed(_read(client)) == ["/b"]
  assert len(server.connections) <= 8


def test_where_all_are_busy_the_newest_is_refused(serve, api):
  server, connect = serve(max_connections=2)
  busy = [connect(), connect()]
  for one in busy:
    one.sendall(b"GET /wait HTTP/1.1\r\n\r\n")
  _until(lambda: [one.idle_since() for one in list(server.connections)] == [None, None])
  assert _read(connect()) == [(503, b"")]
  api.gate.set()
  assert [_echoed(_read(one)) for one in busy] == [["/wait"]] * 2


def test_bodies_of_all_connections_have_one_limit(serve):
  """Who sends little gets in beside those who fill it, and it is free again when they leave."""
  server, connect = serve(max_bytes_in_flight=2_000_000)
  head = b"POST /a HTTP/1.1\r\nContent-Length: 600000\r\n\r\n"
  first, second = connect(), connect()
  first.sendall(head + b"x" * 599_999)
  _until(lambda: server.in_flight._used > 500_000)
  second.sendall(head + b"x" * 600_000)
  ((status, body),) = _read(second)
  assert status == 429
  assert b"--max_bytes_in_flight" in body
  third = connect()
  third.sendall(b"POST /b HTTP/1.1\r\nContent-Length: 2\r\n\r\nok")
  assert _echoed(_read(third)) == ["/b"]
  first.sendall(b"x")
  assert _echoed(_read(first)) == ["/a"]
  first.sendall(head + b"x" * 600_000)
  assert _echoed(_read(first)) == ["/a"]
  first.sendall(head + b"x" * 300_000)
  _until(lambda: server.in_flight._used > 200_000)
  first.close()
  _until(lambda: server.in_flight._used == 0)


def test_earlier_requests_are_answered_before_a_refusal(serve, api):
  connection = serve(max_request_bytes=10)[1]()
  connection.sendall(
    b"GET /wait HTTP/1.1\r\n\r\nGET /a HTTP/1.1\r\n\r\n"
    b"POST /b HTTP/1.1\r\nContent-Length: 11\r\n\r\n"
  )
  threading.Timer(0.05, api.gate.set).start()
  assert [status for status, _ in _read(connection, 3)] == [200, 200, 413]


def test_many_offers_of_another_protocol_in_one_read(serve):
  connection = serve()[1]()
  offer = b"GET /a HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n"
  connection.sendall(offer * 1000)
  assert len(_echoed(_read(connection, 1000))) == 1000


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
  ((status, body),) = _read(connection)
  assert (status, body) == (413, b"The request is larger than 10 bytes (--max_request_bytes).")
  assert _is_closed(connection)


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
  assert json.loads(_read(connection)[0][1])["body"] == "0123456789"


def test_a_connection_with_enough_waiting_requests_is_not_read_from(serve, api):
  server, connect = serve()
  connection = connect()
  connection.sendall(b"GET /wait HTTP/1.1\r\n\r\n")
  _until(lambda: [one.idle_since() for one in list(server.connections)] == [None])
  [served] = server.connections
  for number in range(1, MAX_PIPELINED + 1):
    connection.sendall(b"GET /a HTTP/1.1\r\n\r\n")
    _until(lambda count=number: len(served._intake.waiting) == count)
    _until(lambda count=number: served._events == (READ if count < MAX_PIPELINED else 0))
  connection.sendall(b"GET /b HTTP/1.1\r\n\r\n")
  api.gate.set()
  assert _echoed(_read(connection, 10)) == ["/wait", *["/a"] * 8, "/b"]


def test_one_request_too_many_is_refused_at_once(serve, api):
  connect = serve(max_concurrent_requests=1)[1]
  first, second = connect(), connect()
  first.sendall(b"GET /wait HTTP/1.1\r\n\r\n")
  time.sleep(0.05)
  second.sendall(b"GET /a HTTP/1.1\r\n\r\n")
  assert _read(second)[0][0] == 429
  api.gate.set()
  assert _echoed(_read(first)) == ["/wait"]
  second.sendall(b"GET /a HTTP/1.1\r\n\r\n")
  assert _echoed(_read(second)) == ["/a"]


def test_a_request_that_takes_too_long_is_answered_and_the_connection_goes_on(serve, api):
  connection = serve(timeout_s=0.1)[1]()
  connection.sendall(b"GET /wait HTTP/1.1\r\n\r\nGET /a HTTP/1.1\r\n\r\n")
  answers = _read(connection, 2)
  assert answers[0] == (504, b"Timed out waiting for notification")
  assert _echoed(answers) == ["/a"]


def test_one_that_takes_longer_than_those_before_keeps_nobody_waiting(serve, api):
  connect = serve()[1]
  api.gate.set()
  slow, quick = connect(), connect()
  for _ in range(30):  # from which the server learns that such a request is quick
    slow.sendall(b"GET /wait HTTP/1.1\r\n\r\n")
    quick.sendall(b"GET /a HTTP/1.1\r\n\r\n")
    assert _echoed(_read(slow) + _read(quick)) == ["/wait", "/a"]
  api.gate.clear()
  slow.sendall(b"GET /wait HTTP/1.1\r\n\r\n")
  time.sleep(0.01)
  started = time.monotonic()
  for _ in range(5):
    quick.sendall(b"GET /a HTTP/1.1\r\n\r\n")
    assert _echoed(_read(quick)) == ["/a"]
  assert time.monotonic() - started < 60, "the slow one takes 120 s"
  assert api.thread("/wait") != api.thread("/a")
  api.gate.set()
  assert _echoed(_read(slow)) == ["/wait"]


def test_quick_requests_are_answered_by_the_thread_that_reads(serve, api):
  connection = serve()[1]()
  for _ in range(30):
    connection.sendall(b"GET /a HTTP/1.1\r\n\r\n")
    _read(connection)
  assert api.thread("/a").name == "http loop"
  connection.sendall(b"POST /a HTTP/1.1\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100_000)
  _read(connection)
  assert api.thread("/a").name.startswith("http worker")


def test_where_requests_must_run_side_by_side_they_do(serve, api):
  connection = serve(answers_at_once=False)[1]()
  for _ in range(30):
    connection.sendall(b"GET /a HTTP/1.1\r\n\r\n")
    _read(connection)
    assert api.thread("/a").name.startswith("http worker")


def test_a_client_that_sends_no_more_still_gets_its_answer(serve, api):
  connection = serve()[1]()
  connection.sendall(b"GET /wait HTTP/1.1\r\n\r\n")
  connection.shutdown(socket.SHUT_WR)
  threading.Timer(0.05, api.gate.set).start()
  assert _echoed(_read(connection)) == ["/wait"]
  assert _is_closed(connection)


def test_connections_leave_nothing_behind(serve, api):
  server, connect = serve()
  for number in range(20):
    connection = connect()
    connection.sendall(b"GET /a HTTP/1.1\r\n\r\n" if number % 2 else b"GET /a")
    if number % 2:
      _read(connection)
    connection.close()
  deadline = time.monotonic() + 120
  while server.connections and time.monotonic() < deadline:
    time.sleep(0.01)
  assert server.connections == set()


def test_a_slow_reader_gets_everything(serve):
  connection = serve()[1]()
  connection.sendall(b"GET /large HTTP/1.1\r\n\r\n" * 3)
  time.sleep(0.1)
  assert [len(body) for _, body in _read(connection, 3)] == [5_000_000] * 3


def test_a_stop_lets_requests_end_and_closes_what_is_idle(serve, api):
  server, connect = serve()
  busy, idle = connect(), connect()
  busy.sendall(b"GET /wait HTTP/1.1\r\n\r\n")
  time.sleep(0.05)
  stopping = threading.Thread(target=server.stop, args=(5,))
  stopping.start()
  assert _is_closed(idle)
  api.gate.set()
  assert _echoed(_read(busy)) == ["/wait"]
  stopping.join(120)
  with pytest.raises(ConnectionRefusedError):
    connect()


def test_to_head_only_the_head_is_answered(serve):
  connection = serve()[1]()
  connection.sendall(b"HEAD /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\nConnection: close\r\n\r\n")
  head, answer, body = connection.makefile("rb").read().split(b"\r\n\r\n")
  assert b"Content-Length: 46" in head
  assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
  assert json.loads(body)["target"] == "/b"


def test_who_offers_another_protocol_may_close(serve):
  connection = serve()[1]()
  connection.sendall(b"GET /a HTTP/1.1\r\nConnection: Upgrade, close\r\nUpgrade: h2c\r\n\r\n")
  assert _echoed(_read(connection)) == ["/a"]
  assert _is_closed(connection)


@pytest.mark.parametrize(("count", "size"), [(300, 1), (40, 1000)])
def test_a_head_too_large_is_refused_though_it_comes_at_once(serve, count, size):
  connection = serve()[1]()
  lines = b"".join(b"h%d: %s\r\n" % (number, b"v" * size) for number in range(count))
  connection.sendall(b"GET /a HTTP/1.1\r\n%s\r\n" % lines)
  assert _read(connection)[0][0] == 431


def test_small_bodies_count_for_nothing(serve):
  connection = serve(max_bytes_in_flight=1000)[1]()
  connection.sendall(b"POST /a HTTP/1.1\r\nContent-Length: 60000\r\n\r\n" + b"x" * 60_000)
  assert _echoed(_read(connection)) == ["/a"]


def test_what_is_announced_and_has_no_room_is_refused_before_it_has_come(serve):
  server, connect = serve(max_bytes_in_flight=200_000)  # half of it for bodies
  for announced, status in ((100_000, 200), (100_001, 429)):
    connection = connect()
    connection.sendall(b"POST /a HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % announced)
    connection.sendall(b"x" * 70_000)
    if status == 200:
      connection.sendall(b"x" * 30_000)
    assert _read(connection)[0][0] == status
  assert server.in_flight._used == 0


def test_what_waits_behind_a_request_is_given_back_when_its_caller_leaves(serve, api):
  server, connect = serve(max_bytes_in_flight=2_000_000)
  connection = connect()
  connection.sendall(b"GET /wait HTTP/1.1\r\n\r\n")
  connection.sendall(b"POST /a HTTP/1.1\r\nContent-Length: 600000\r\n\r\n" + b"x" * 600_000)
  _until(lambda: [len(one._intake.waiting) for one in list(server.connections)] == [1])
  assert server.in_flight._used == 600_000
  server.stop(0)
  _until(lambda: server.in_flight._used == 0)


@pytest.mark.parametrize(
  ("seconds", "size", "is_over"),
  [(4.9, 0, False), (5.1, 0, True), (10, 6 * 4096, False), (10, 4 * 4096, True)],
)
def test_who_sends_four_kib_a_second_may_take_its_time(seconds, size, is_over):
  assert _is_over(seconds, 5.0, size) is is_over
  assert not _is_over(seconds, 0.0, size)
