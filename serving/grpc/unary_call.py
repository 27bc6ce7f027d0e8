"""One call of a unary gRPC method, on `grpc._cython.cygrpc`: takes its message, sends its answer.

Used by `serving.grpc.polling_server`. Each event of a call is handed to the function that asked for
it.
"""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, NoReturn

import grpc
from grpc._cython import cygrpc

_LOG = logging.getLogger(__name__)
_NO_FLAGS = 0


@dataclasses.dataclass(frozen=True, slots=True)
class CallDetails(grpc.HandlerCallDetails):
  """What interceptors and services see of a call."""

  method: str
  invocation_metadata: Sequence[tuple[str, str | bytes]]


class _AbortError(Exception):
  """A handler has ended its call."""

  def __init__(self, code: grpc.StatusCode, details: str):
    super().__init__(details)
    self.code, self.details = code, details


class Context:
  """As much of `grpc.ServicerContext` as our services use."""

  __slots__ = ("_call", "_deadline", "_metadata")

  def __init__(self, event: Any):
    self._call = event.call
    self._deadline: float = event.call_details.deadline
    self._metadata = event.invocation_metadata

  def invocation_metadata(self) -> Any:
    """Returns the caller's headers."""
    return self._metadata

  def peer(self) -> str:
    """Returns who calls, such as `ipv4:127.0.0.1:51744`."""
    return str(self._call.peer().decode("utf-8", "replace"))

  def time_remaining(self) -> float:
    """Returns seconds until the caller's deadline."""
    return max(self._deadline - time.time(), 0.0)

  def abort(self, code: grpc.StatusCode, details: str) -> NoReturn:
    """Ends the call with an error."""
    raise _AbortError(code, details)


class Refusing(grpc.RpcMethodHandler):
  """The method of a call that is refused in any case: nobody waits for its message."""

  request_streaming = response_streaming = False
  request_deserializer = response_serializer = None
  unary_stream = stream_unary = stream_stream = None

  def __init__(self, refuse: Callable[[Any, Any], None]):
    """Takes the function that refuses.

    Args:
      refuse: called with a message and a context, which it aborts.
    """
    self.unary_unary = refuse


class Answer(NamedTuple):
  """The end of a call: a status, and a response if the status is OK."""

  code: grpc.StatusCode
  details: str = ""
  response: bytes | None = None


class UnaryCall:
  """One call: its message, its answer, and whether its caller is still there."""

  __slots__ = (
    "_context", "_handler", "_has_left", "_is_watched", "_on_message", "_rpc", "method",
  )  # fmt: skip

  def __init__(
    self,
    event: Any,
    handler: grpc.RpcMethodHandler,
    on_message: Callable[[UnaryCall, bytes | None], None],
  ):
    """Asks for nothing yet.

    Args:
      event: the call's first event.
      handler: the method's handler.
      on_message: called with this call and its message, None if the caller sent none.
    """
    self._handler, self._on_message = handler, on_message
    self._rpc = event.call
    self._context = Context(event)
    self._has_left = self._is_watched = False
    self.method: bytes = event.call_details.method

  def begin(self) -> None:
    """Asks for the message."""
    self._rpc.start_server_batch((cygrpc.ReceiveMessageOperation(_NO_FLAGS),), self._receive)

  def watch(self) -> None:
    """Asks to be told when the caller leaves, for a call that is not answered at once."""
    self._is_watched = True
    self._rpc.start_server_batch((cygrpc.ReceiveCloseOnServerOperation(_NO_FLAGS),), self._close)

  def handle(self, message: bytes) -> Answer:
    """Calls the handler, unless the caller has left."""
    if self._has_left:
      return Answer(grpc.StatusCode.CANCELLED)
    read, write = self._handler.request_deserializer, self._handler.response_serializer
    try:
      request = read(message) if read else message
    except Exception:
      return Answer(grpc.StatusCode.INTERNAL, "Exception deserializing request!")
    try:
      response = self._handler.unary_unary(request, self._context)
      return Answer(grpc.StatusCode.OK, response=write(response) if write else response)
    except _AbortError as err:
      return Answer(err.code, err.details)
    except Exception as err:
      _LOG.exception("A gRPC method failed")
      return Answer(grpc.StatusCode.UNKNOWN, f"Exception calling application: {err}")

  def no_message(self) -> Answer:
    """Returns the refusal of a call without a message."""
    method = self.method.decode("utf-8", "replace")
    return Answer(
      grpc.StatusCode.UNIMPLEMENTED, f'"{method}" requires exactly one request message.'
    )

  def send(self, answer: Answer) -> None:
    """Ends the call."""
    batch = ending(answer)
    if not self._is_watched:
      batch.append(cygrpc.ReceiveCloseOnServerOperation(_NO_FLAGS))
    self._rpc.start_server_batch(batch, _ended)

  def _receive(self, event: Any) -> None:
    self._on_message(self, event.batch_operations[0].message())

  def _close(self, event: Any) -> None:
    self._has_left = event.batch_operations[0].cancelled()


def refuse(event: Any, answer: Answer) -> None:
  """Ends a call at its first event."""
  batch = [*ending(answer), cygrpc.ReceiveCloseOnServerOperation(_NO_FLAGS)]
  event.call.start_server_batch(batch, _ended)


def ending(answer: Answer) -> list[Any]:
  """Returns the operations that end a call."""
  batch = [cygrpc.SendInitialMetadataOperation(None, _NO_FLAGS)]
  if answer.response is not None:
    batch.append(cygrpc.SendMessageOperation(answer.response, _NO_FLAGS))
  # Half of a surrogate pair has no bytes.
  code, details = answer.code.value[0], answer.details.encode("utf-8", "replace")
  batch.append(cygrpc.SendStatusFromServerOperation(None, code, details, _NO_FLAGS))
  return batch


def _ended(_: Any) -> None:
  """Does nothing: the last message has gone out."""
