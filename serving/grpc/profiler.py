"""`tensorflow.ProfilerService` on the server's own port: TensorBoard's traces of a running server.

TensorFlow's profiler offers the service itself, but only on a separate port of this process. The
first call starts it, and messages are passed on as bytes.
Source: tensorflow_serving/model_servers/server.cc.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Any

import grpc
import tensorflow as tf

from serving.grpc.services import seconds_left

_SERVICE = "tensorflow.ProfilerService"
_METHODS = ("Profile", "Terminate", "Monitor")
_UNLIMITED = (("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1))


class ProfilerProxy:
  """Hands profiling calls on to TensorFlow's profiler."""

  def __init__(self) -> None:
    """Starts nothing yet."""
    self._starting = threading.Lock()
    self._channel: Any = None

  def add_to(self, server: grpc.Server) -> None:
    """Registers the service."""
    handlers = {
      method: grpc.unary_unary_rpc_method_handler(self._handler(method)) for method in _METHODS
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_SERVICE, handlers),))

  def _handler(self, method: str) -> Any:
    def call(request: bytes, context: grpc.ServicerContext) -> Any:
      try:
        return self._connected().unary_unary(f"/{_SERVICE}/{method}")(
          request, timeout=seconds_left(context), wait_for_ready=True
        )
      except grpc.RpcError as err:
        return context.abort(err.code(), err.details())

    return call

  def _connected(self) -> Any:
    with self._starting:
      if self._channel is None:
        port = _free_port()
        tf.profiler.experimental.server.start(port)
        self._channel = grpc.insecure_channel(f"127.0.0.1:{port}", options=_UNLIMITED)
      return self._channel


def _free_port() -> int:
  with contextlib.closing(socket.socket()) as one:
    one.bind(("127.0.0.1", 0))
    return int(one.getsockname()[1])
