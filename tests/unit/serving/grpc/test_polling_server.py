"""The gRPC server on real sockets, beside gRPC's own wherever both are to do the same."""

import contextlib
import threading
import time
from concurrent import futures

import grpc
import pytest

from serving.grpc import grpc_server
from serving.grpc.polling_server import PollingServer, is_possible
from serving.grpc.unary_call import Refusing

SERVICE = "test.Service"
PATIENCE_S = 10


class Service:
  """Methods that say what they were asked, by which thread, and wait where they are told to.

  Attributes:
    gate: what `Wait` waits for.
    entered: released by each `Wait` that begins.
    asked: the messages that `Wait` was called with.
  """

  def __init__(self):
    self.gate = threading.Event()
    self.entered = threading.Semaphore(0)
    self.asked = []

  def add_to(self, server):
    methods = {
      name: grpc.unary_unary_rpc_method_handler(getattr(self, name.lower()))
      for name in ("Echo", "Thread", "Metadata", "Left", "Abort", "Fail", "Wait", "Odd")
    }
    methods["Number"] = grpc.unary_unary_rpc_method_handler(
      lambda number, _: number + 1, request_deserializer=int, response_serializer=b"%d".__mod__
    )
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, methods),))

  def echo(self, message, context):
    return message

  def thread(self, message, context):
    return threading.current_thread().name.encode()

  def metadata(self, message, context):
    return dict(context.invocation_metadata())["x-name"].encode()

  def left(self, message, context):
    return b"%f" % context.time_remaining()

  def abort(self, message, context):
    context.abort(grpc.StatusCode.ALREADY_EXISTS, "there is one é")

  def fail(self, message, context):
    raise ValueError("no luck")

  def odd(self, message, context):
    context.abort(grpc.StatusCode.INTERNAL, "half of a pair: \ud800")

  def wait(self, message, context):
    self.asked.append(message)
    self.entered.release()
    assert message == b"go" or self.gate.wait(PATIENCE_S)
    return threading.current_thread().name.encode()


class Client:
  """Calls of the methods above."""

  def __init__(self, port):
    self.channel = grpc.insecure_channel(
      f"127.0.0.1:{port}",
      # Channels to the same port share connections otherwise.
      options=[("grpc.use_local_subchannel_pool", 1), ("grpc.max_receive_message_length", -1)],
    )

  def __call__(self, method, message=b"", **options):
    return self.start(method, message, **options).result()

  def start(self, method, message=b"", **options):
    call = self.channel.unary_unary(f"/{SERVICE}/{method}")
    return call.future(message, timeout=PATIENCE_S, **options)

  def code_without_message(self):
    with pytest.raises(grpc.RpcError) as caught:
      self.channel.stream_unary(f"/{SERVICE}/Echo")(iter(()), timeout=PATIENCE_S)
    return caught.value.code(), caught.value.details()

  def code(self, method, message=b"", **options):
    with pytest.raises(grpc.RpcError) as caught:
      self(method, message, **options)
    return caught.value.code(), caught.value.details()


@pytest.fixture
def service():
  return Service()


@pytest.fixture
def started(service):
  """Returns a function that starts a server and connects to it."""
  with contextlib.ExitStack() as stack:

    def start(server):
      service.add_to(server)
      port = server.add_insecure_port("127.0.0.1:0")
      server.start()
      stack.callback(lambda: server.stop(0).wait(PATIENCE_S))
      stack.callback(service.gate.set)
      client = Client(port)
      stack.enter_context(client.channel)
      return client

    yield start


@pytest.fixture(params=["ours", "gRPC's"])
def make(request):
  """Makes a server of either kind."""

  def made(options=(), interceptors=(), limit=0):
    if request.param == "ours":
      return PollingServer(
        threads=4, options=options, interceptors=interceptors, max_concurrent_calls=limit
      )
    return grpc.server(
      futures.ThreadPoolExecutor(4),
      options=options,
      interceptors=interceptors,
      maximum_concurrent_rpcs=limit or None,
    )

  return made


@pytest.fixture
def client(started, make):
  return started(make())


def test_answers(client):
  assert client("Echo", b"x" * 1000) == b"x" * 1000
  assert client("Echo", b"") == b""
  assert client("Number", b"41") == b"42"


def test_a_large_message_comes_back_whole(started, make):
  client = started(make(options=[("grpc.max_receive_message_length", -1)]))
  message = bytes(range(256)) * 40_000
  assert client("Echo", message) == message


def test_a_message_beyond_the_limit_is_refused_and_the_next_is_not(started, make):
  client = started(make(options=[("grpc.max_receive_message_length", 1000)]))
  assert client.code("Echo", b"x" * 1001)[0] is grpc.StatusCode.RESOURCE_EXHAUSTED
  assert client("Echo", b"x" * 900) == b"x" * 900


ERRORS = [
  ("Nothing", b"", (grpc.StatusCode.UNIMPLEMENTED, "Method not found!")),
  ("Abort", b"", (grpc.StatusCode.ALREADY_EXISTS, "there is one é")),
  ("Fail", b"", (grpc.StatusCode.UNKNOWN, "Exception calling application: no luck")),
  ("Number", b"one", (grpc.StatusCode.INTERNAL, "Exception deserializing request!")),
]


@pytest.mark.parametrize(("method", "message", "expected"), ERRORS)
def test_errors(client, method, message, expected):
  assert client.code(method, message) == expected
  assert client("Echo", b"on") == b"on"


def test_a_call_without_a_message(client):
  code, details = client.code_without_message()
  assert code is grpc.StatusCode.UNIMPLEMENTED
  assert "requires exactly one request message" in details
  assert client("Echo", b"on") == b"on"


def test_every_call_gives_its_place_back(started):
  options = [("grpc.max_receive_message_length", 1000)]
  client = started(PollingServer(threads=4, options=options, max_concurrent_calls=1))
  for _ in range(3):
    for method, message, expected in ERRORS:
      assert client.code(method, message) == expected
    assert client.code_without_message()[0] is grpc.StatusCode.UNIMPLEMENTED
    assert "larger" in client.code("Echo", b"x" * 1001)[1]
    for method in ("Echo", "Thread"):
      assert client(method, b"on")


class _Refuses(grpc.ServerInterceptor):
  """Lets nobody call `Thread`."""

  def intercept_service(self, continuation, details):
    if not details.method.endswith("/Thread"):
      return continuation(details)
    return Refusing(lambda _, context: context.abort(grpc.StatusCode.UNAUTHENTICATED, "no"))


def test_a_refused_call_ends_before_its_message_comes(started):
  client = started(PollingServer(threads=4, interceptors=[_Refuses()], max_concurrent_calls=1))
  silent = threading.Event()
  with pytest.raises(grpc.RpcError) as caught:
    client.channel.stream_unary(f"/{SERVICE}/Thread")(_says_nothing(silent), timeout=PATIENCE_S)
  silent.set()
  assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
  assert client.code("Thread", b"x" * 1000) == (grpc.StatusCode.UNAUTHENTICATED, "no")
  assert client("Echo", b"on") == b"on"


def test_calls_whose_messages_never_come_keep_nobody_out(started):
  client = started(PollingServer(threads=4, max_concurrent_calls=1))
  silent = threading.Event()
  calls = [
    client.channel.stream_unary(f"/{SERVICE}/Echo").future(_says_nothing(silent)) for _ in range(3)
  ]
  for _ in range(20):
    assert client("Echo", b"on") == b"on"
  silent.set()
  codes = {call.code() for call in calls}
  assert codes == {grpc.StatusCode.UNIMPLEMENTED}


def _says_nothing(silent):
  """The messages of a call that sends none, until it is over."""
  assert silent.wait(PATIENCE_S)
  yield from ()


def test_what_a_handler_is_told_of_its_caller(client):
  assert client("Metadata", metadata=[("x-name", "value")]) == b"value"
  assert PATIENCE_S / 2 < float(client("Left")) < PATIENCE_S + 1
  assert float(client.channel.unary_unary(f"/{SERVICE}/Left")(b"")) > 1e6


def test_details_that_no_bytes_are_for_are_sent_as_far_as_they_go(started):
  client = started(PollingServer(threads=4))
  code, details = client.code("Odd")
  assert code is grpc.StatusCode.INTERNAL
  assert details.startswith("half of a pair: ")


class Interceptor(grpc.ServerInterceptor):
  """Writes down what it sees; refuses one method, fails at another."""

  def __init__(self, name, seen):
    self._name, self._seen = name, seen

  def intercept_service(self, continuation, details):
    self._seen.append((self._name, details.method, dict(details.invocation_metadata)["x-a"]))
    if details.method.endswith("/Thread"):
      return grpc.unary_unary_rpc_method_handler(
        lambda _, context: context.abort(grpc.StatusCode.UNAUTHENTICATED, "who?")
      )
    if details.method.endswith("/Fail"):
      raise ValueError("no luck")
    return continuation(details)


def test_interceptors_see_calls_in_their_order(started, make):
  seen = []
  client = started(make(interceptors=[Interceptor("first", seen), Interceptor("second", seen)]))
  assert client("Echo", b"x", metadata=[("x-a", "b")]) == b"x"
  assert seen == [(name, f"/{SERVICE}/Echo", "b") for name in ("first", "second")]
  seen.clear()
  refused = client.code("Thread", metadata=[("x-a", "b")])
  assert refused == (grpc.StatusCode.UNAUTHENTICATED, "who?")
  assert [name for name, *_ in seen] == ["first"]
  failed = client.code("Fail", metadata=[("x-a", "b")])
  assert failed == (grpc.StatusCode.UNKNOWN, "Error in service handler!")


def test_one_call_too_many_is_refused_at_once(started, make, service):
  client = started(make(limit=2))
  waiting = [client.start("Wait") for _ in range(2)]
  for _ in waiting:
    assert service.entered.acquire(timeout=PATIENCE_S)
  refused = client.code("Echo")
  assert refused == (grpc.StatusCode.RESOURCE_EXHAUSTED, "Concurrent RPC limit exceeded!")
  service.gate.set()
  for each in waiting:
    each.result()
  _eventually(lambda: client("Echo", b"on") == b"on")


def test_a_call_that_runs_is_answered_before_the_end(started, make, service):
  server = make()
  client = started(server)
  waiting = client.start("Wait")
  assert service.entered.acquire(timeout=PATIENCE_S)
  stopped = server.stop(PATIENCE_S)
  assert not stopped.wait(0.1)
  assert client.code("Echo")[0] is grpc.StatusCode.UNAVAILABLE
  service.gate.set()
  assert waiting.result()
  assert stopped.wait(PATIENCE_S)
  assert server.stop(None).is_set()


def test_a_call_that_takes_longer_than_the_grace_is_cancelled(started, make, service):
  server = make()
  client = started(server)
  waiting = client.start("Wait")
  assert service.entered.acquire(timeout=PATIENCE_S)
  stopped = server.stop(0.1)
  with pytest.raises(grpc.RpcError) as caught:
    waiting.result()
  assert caught.value.code() in (grpc.StatusCode.CANCELLED, grpc.StatusCode.UNAVAILABLE)
  service.gate.set()
  assert stopped.wait(PATIENCE_S)


def test_a_server_that_never_started_stops(make):
  assert make().stop(1).wait(PATIENCE_S)


def test_a_port_is_given_once(make):
  port = make(options=[("grpc.so_reuseport", 0)]).add_insecure_port("127.0.0.1:0")
  assert port > 0
  holder = make(options=[("grpc.so_reuseport", 0)])
  taken = holder.add_insecure_port("127.0.0.1:0")
  with pytest.raises(RuntimeError, match="bind"):
    make(options=[("grpc.so_reuseport", 0)]).add_insecure_port(f"127.0.0.1:{taken}")


def test_quick_calls_are_answered_by_the_thread_that_reads_them(started):
  client = started(PollingServer(threads=4))
  first = client("Thread", b"x")
  assert first.startswith(b"grpc worker")
  _eventually(lambda: client("Thread", b"x") == b"grpc loop")
  assert client("Thread", b"other").startswith(b"grpc worker"), "of another kind"
  assert client("Thread", b"x" * 100_000).startswith(b"grpc worker"), "large"


def test_calls_side_by_side_where_batches_need_them_so(started):
  client = started(PollingServer(threads=4, answers_at_once=False))
  assert all(client("Thread", b"x").startswith(b"grpc worker") for _ in range(20))


def test_a_quick_kind_that_hangs_keeps_nobody_waiting(started, service):
  client = started(PollingServer(threads=4, kind_of=lambda _: "one kind"))
  _eventually(lambda: client("Wait", b"go") == b"grpc loop")
  service.asked.clear()
  hanging = client.start("Wait", b"hang")
  _eventually(lambda: service.asked)
  for _ in range(20):
    assert client("Echo", b"on") == b"on"
  assert not hanging.done()
  service.gate.set()
  assert hanging.result() == b"grpc loop"
  assert client("Wait", b"go").startswith(b"grpc worker"), "what took long is expected to again"


def test_calls_wait_for_a_thread_and_those_whose_caller_left_are_not_begun(started, service):
  client = started(PollingServer(threads=1, answers_at_once=False))
  first = client.start("Wait", b"first")
  assert service.entered.acquire(timeout=PATIENCE_S)
  second, third = client.start("Wait", b"second"), client.start("Wait", b"third")
  time.sleep(0.2)
  second.cancel()
  time.sleep(0.2)
  service.gate.set()
  assert first.result()
  assert third.result()
  assert service.asked == [b"first", b"third"]


def test_many_callers(started):
  client = started(PollingServer(threads=4, max_concurrent_calls=1000))
  messages = [b"%d" % number for number in range(2000)]
  calls = [client.start("Echo", message) for message in messages[:500]]
  assert [call.result() for call in calls] == messages[:500]
  with futures.ThreadPoolExecutor(16) as pool:
    assert list(pool.map(lambda message: client("Echo", message), messages)) == messages


def test_another_release_of_grpc_gets_its_own_server(started, monkeypatch):
  assert is_possible()
  assert isinstance(grpc_server.make_server(threads=2), PollingServer)
  with monkeypatch.context() as patch:
    patch.delattr("serving.grpc.unary_call.cygrpc.SendStatusFromServerOperation")
    assert not is_possible()
    server = grpc_server.make_server(threads=2)
  assert not isinstance(server, PollingServer)
  assert started(server)("Echo", b"x") == b"x"


def _eventually(is_so):
  deadline = time.monotonic() + PATIENCE_S
  while not is_so():
    assert time.monotonic() < deadline
    time.sleep(0.01)
