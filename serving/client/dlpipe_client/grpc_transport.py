"""gRPC for `GrpcClient`: one channel, bytes in and out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import grpc

from dlpipe_client.errors import InvalidInput, error_of_grpc
from dlpipe_client.tls import Tls

_OPTIONS = (
  # The default for answers is 4 MiB, which a batch of pictures exceeds.
  ("grpc.max_receive_message_length", -1),
  ("grpc.max_send_message_length", -1),
  # A server that starts is found within two seconds, not within two minutes.
  ("grpc.initial_reconnect_backoff_ms", 100),
  ("grpc.max_reconnect_backoff_ms", 2000),
)


class GrpcTransport(Protocol):
  """Carries one call; a test may give a function's answer instead of a server's."""

  def send(
    self, method: str, request: bytes, metadata: Mapping[str, str], timeout_s: float
  ) -> bytes:
    """Returns the answer to a serialized request.

    Raises:
      ServingClientError: the error of the call's status.
    """

  def close(self) -> None:
    """Lets go of what it holds."""


class ChannelTransport:
  """A gRPC channel. May be used by many threads."""

  def __init__(
    self, target: str, *, tls: Tls | None = None, options: Sequence[tuple[str, object]] = ()
  ):
    """Makes the channel; it connects when it is first asked.

    Args:
      target: `host:port`, or `unix:/path`.
      tls: certificates; None is without TLS.
      options: gRPC channel arguments, beside and over those that the client sets.

    Raises:
      InvalidInput: the target is empty or a URL.
    """
    if not target or "://" in target:
      raise InvalidInput(f"Expected host:port or unix:/path. Received: {target!r}.")
    arguments = [*_OPTIONS, *options]
    if tls is None:
      self._channel = grpc.insecure_channel(target, arguments)
    else:
      self._channel = grpc.secure_channel(target, tls.channel_credentials(), arguments)
    self._methods: dict[str, grpc.UnaryUnaryMultiCallable] = {}

  def send(
    self, method: str, request: bytes, metadata: Mapping[str, str], timeout_s: float
  ) -> bytes:
    call = self._methods.get(method)
    if call is None:
      call = self._methods[method] = self._channel.unary_unary(method)
    try:
      answer: bytes = call(request, timeout=timeout_s, metadata=tuple(metadata.items()))
    except grpc.RpcError as err:
      raise error_of_grpc(err.code().name, err.details() or err.code().name) from err
    return answer

  def close(self) -> None:
    self._channel.close()
