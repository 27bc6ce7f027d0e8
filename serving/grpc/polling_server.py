"""A gRPC server for unary methods that answers quick calls in the thread that reads them.

gRPC's own Python server reads all events in one thread, and each call goes from it to a thread of a
pool and back several times, which costs more than a small model does. This server uses
`grpc._cython.cygrpc`, as gRPC's own does, and gRPC does not promise to keep it: `is_possible` tells
whether the installed release has the parts used here. See
docs/decisions/0016-own-loop-for-grpc.md.
"""

from __future__ import annotations

import functools
import logging
import threading
import time
from collections.abc import Callable, Hashable, Iterable, Sequence
from concurrent import futures
from typing import Any

import grpc
from grpc._cython import cygrpc

from serving.grpc.unary_call import Answer, CallDetails, Refusing, UnaryCall, ending, refuse
from serving.network.turns import Durations, Turn, Turns

_LOG = logging.getLogger(__name__)
# Calls that the network may hand over before the server asks for more.
_ASKED_AHEAD = 4
_TOO_MANY = Answer(grpc.StatusCode.RESOURCE_EXHAUSTED, "Concurrent RPC limit exceeded!")


def is_possible() -> bool:
  """Returns whether this release of gRPC has the parts that the server uses, in the same shapes."""
  try:
    cygrpc.Server([], False).register_completion_queue(cygrpc.CompletionQueue())
    ending(Answer(grpc.StatusCode.OK, response=b""))
  except (AttributeError, TypeError):
    return False
  return True


class PollingServer(grpc.Server):
  """Takes generic handlers of unary methods; their contexts are `unary_call.Context`."""

  def __init__(
    self,
    *,
    threads: int,
    options: Sequence[tuple[str, Any]] = (),
    interceptors: Sequence[grpc.ServerInterceptor] = (),
    max_concurrent_calls: int = 0,
    answers_at_once: bool = True,
    kind_of: Callable[[bytes], Hashable] = len,
  ):
    """Makes a server without services and ports.

    Args:
      threads: threads for calls that take long.
      options: gRPC's channel arguments.
      interceptors: gRPC's.
      max_concurrent_calls: more are refused; 0 means no limit.
      answers_at_once: whether the thread that read a quick call may answer it, one after the other;
        batches need calls side by side.
      kind_of: messages of one method with the same kind are expected to take the same time.
    """
    self._queue = cygrpc.CompletionQueue()
    self._server = cygrpc.Server([(key.encode(), _encoded(of)) for key, of in options], False)
    self._server.register_completion_queue(self._queue)
    self._services: list[grpc.GenericRpcHandler] = []
    self._find: Callable[[Any], Any] = self._look_up
    for interceptor in reversed(interceptors):
      self._find = functools.partial(interceptor.intercept_service, self._find)
    self._turns = Turns("grpc", self._poll)
    self._pool = futures.ThreadPoolExecutor(threads, "grpc worker")
    self._thread_count = threads
    self._durations = Durations() if answers_at_once else None
    self._kind_of = kind_of
    self._limit = max_concurrent_calls
    # How many calls count towards the limit, and how many still use the queue.
    self._open = self._calls = 0
    self._lock = threading.Lock()
    self._is_started = self._is_stopping = self._is_shut = self._is_closed = False
    self._stopped = threading.Event()

  def add_generic_rpc_handlers(
    self, generic_rpc_handlers: Iterable[grpc.GenericRpcHandler]
  ) -> None:
    self._services.extend(generic_rpc_handlers)

  def add_insecure_port(self, address: str) -> int:
    return _checked(address, self._server.add_http2_port(address.encode()))

  def add_secure_port(self, address: str, server_credentials: grpc.ServerCredentials) -> int:
    credentials = server_credentials._credentials
    return _checked(address, self._server.add_http2_port(address.encode(), credentials))

  def start(self) -> None:
    self._server.start()
    self._is_started = True
    for _ in range(_ASKED_AHEAD):
      self._ask()
    self._turns.start()

  def stop(self, grace: float | None) -> threading.Event:
    with self._lock:
      if not self._is_started:
        self._stopped.set()
      elif not self._is_stopping:
        self._server.shutdown(self._queue, self._on_shutdown)
        threading.Thread(target=self._cancel_after, args=(grace or 0.0,), daemon=True).start()
      self._is_stopping = True
    return self._stopped

  def wait_for_termination(self, timeout: float | None = None) -> bool:
    return not self._stopped.wait(timeout)

  def _take(self, call: UnaryCall, message: bytes | None) -> None:
    """Answers a call: in this thread if it is quick.

    The call counts from here on, so that a call without a message keeps no other out.
    """
    if message is None:
      self._send(call, call.no_message())
      return
    with self._lock:
      has_room = not 0 < self._limit <= self._open
      self._open += has_room
    if not has_room:
      self._send(call, _TOO_MANY)
      return
    kind = call.method, self._kind_of(message)
    if self._is_quick(kind, len(message)):
      self._answer(call, message, kind)
    else:
      call.watch()
      self._pool.submit(self._answer, call, message, kind)

  def _answer(self, call: UnaryCall, message: bytes, kind: Hashable) -> None:
    started = time.monotonic()
    answer = call.handle(message)
    # Refusals teach nothing, and their kinds may be anything.
    if answer.response is not None and self._durations is not None:
      self._durations.learn(kind, time.monotonic() - started)
    self._end(call, answer)

  def _end(self, call: UnaryCall, answer: Answer) -> None:
    with self._lock:
      self._open -= 1  # before its caller knows, who may count on it
    self._send(call, answer)

  def _send(self, call: UnaryCall, answer: Answer) -> None:
    try:
      call.send(answer)
    finally:
      self._leave()

  def _is_quick(self, kind: Hashable, size: int) -> bool:
    # If many threads are held up by calls that seemed quick, the expectations are worth little.
    return (
      self._durations is not None
      and self._durations.is_short(kind, size)
      and self._turns.held_up < self._thread_count
    )

  def _poll(self, turn: Turn) -> None:
    while not self._turns.has_ended(turn):
      event = self._queue.poll()
      if event.completion_type == cygrpc.CompletionType.queue_shutdown:
        self._turns.stop()
        self._pool.shutdown(wait=False)
        self._stopped.set()
        return
      self._turns.begin(turn)
      try:
        event.tag(event)
      except Exception:
        _LOG.exception("A gRPC call failed")
      self._turns.end(turn)
      del event  # it keeps its call in memory, and the next event may be far away

  def _ask(self) -> None:
    with self._lock:
      if not self._is_stopping:
        self._server.request_call(self._queue, self._queue, self._on_call)

  def _on_call(self, event: Any) -> None:
    if not event.success:  # the server stops
      return
    with self._lock:
      self._calls += 1
    self._ask()
    refusal = self._begin(event)
    if refusal is not None:
      refuse(event, refusal)
      self._leave()

  def _begin(self, event: Any) -> Answer | None:
    """Begins a call, or returns its refusal."""
    method = event.call_details.method.decode("utf-8", "replace")
    try:
      handler = self._find(CallDetails(method, event.invocation_metadata))
    except Exception:
      _LOG.exception("A gRPC interceptor failed")
      return Answer(grpc.StatusCode.UNKNOWN, "Error in service handler!")
    if handler is None or handler.unary_unary is None:
      return Answer(grpc.StatusCode.UNIMPLEMENTED, "Method not found!")
    call = UnaryCall(event, handler, self._take)
    if isinstance(handler, Refusing):
      return call.handle(b"")
    if 0 < self._limit <= self._open:
      return _TOO_MANY
    call.begin()
    return None

  def _leave(self) -> None:
    """Notes that a call no longer uses the queue."""
    with self._lock:
      self._calls -= 1
    if self._is_shut:
      self._close_if_over()

  def _on_shutdown(self, _: Any) -> None:
    """Notes that the network has no call left; handlers of cancelled calls may still run."""
    with self._lock:
      self._is_shut = True
    self._close_if_over()

  def _close_if_over(self) -> None:
    with self._lock:
      if not self._is_shut or self._calls or self._is_closed:
        return
      self._is_closed = True
      self._server.destroy()
    self._queue.shutdown()

  def _cancel_after(self, grace_s: float) -> None:
    if self._stopped.wait(grace_s):
      return
    with self._lock:
      if not self._is_closed:
        self._server.cancel_all_calls()

  def _look_up(self, details: CallDetails) -> Any:
    for service in self._services:
      handler = service.service(details)
      if handler is not None:
        return handler
    return None


def _checked(address: str, port: int) -> int:
  if not port:
    raise RuntimeError(f"Failed to bind to address {address}")
  return port


def _encoded(value: Any) -> Any:
  return value.encode() if isinstance(value, str) else value
