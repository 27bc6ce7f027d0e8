"""The gRPC port: address, credentials, limits and the health service.

Source: tensorflow_serving/model_servers/server.cc.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from concurrent import futures
from typing import Any

import grpc

from serving.errors import FailedPrecondition, InvalidArgument, Unavailable
from serving.grpc import polling_server
from serving.network.sockets import connection_share
from serving.network.tls import read_ssl_config
from serving.protos import HealthCheckRequest, HealthCheckResponse

_HEALTH = "grpc.health.v1.Health"
_SERVING = 1
# Headers of a call; gRPC refuses some at random beyond half of it.
_MAX_METADATA_BYTES = 32 << 10
# Calls at a time on each connection.
_MAX_STREAMS = 1024
_KEEPALIVE_MS, _KEEPALIVE_TIMEOUT_MS = 120_000, 20_000
_ONE_BYTE = 0x80  # lengths from here on take more bytes
# What TensorFlow Serving registers; anything else is NOT_FOUND.
_HEALTHY_NAMES = ("", "ModelService", "PredictionService")


def make_server(
  *,
  threads: int,
  max_request_bytes: int = 0,
  max_concurrent_requests: int = 0,
  header_timeout_s: float = 0.0,
  idle_timeout_s: float = 0.0,
  channel_arguments: str = "",
  interceptors: Sequence[Any] = (),
  answers_at_once: bool = True,
) -> grpc.Server:
  """Returns a gRPC server without services and ports.

  Args:
    threads: threads for calls that take long.
    interceptors: gRPC's interceptors.
    answers_at_once: whether the thread that read a quick call may answer it.
    max_request_bytes: size of a message, as sent and as inflated. Here and below, 0 means no limit.
    max_concurrent_requests: more are refused.
    header_timeout_s: seconds for a connection's handshake.
    idle_timeout_s: seconds between two calls, after which a connection closes.
    channel_arguments: `k=v,k=v`; they override all of these.
  """
  arguments: dict[str, Any] = {
    "grpc.max_send_message_length": -1,
    "grpc.max_receive_message_length": max_request_bytes or -1,
    "grpc.absolute_max_metadata_size": _MAX_METADATA_BYTES,
    "grpc.max_concurrent_streams": _MAX_STREAMS,
    "grpc.max_allowed_incoming_connections": connection_share(),
    # For a peer that is gone without a word.
    "grpc.keepalive_time_ms": _KEEPALIVE_MS,
    "grpc.keepalive_timeout_ms": _KEEPALIVE_TIMEOUT_MS,
    **_timeouts(header_timeout_s, idle_timeout_s),
    # Two servers that share a port by mistake would each get half of the requests.
    "grpc.so_reuseport": 0,
    **read_channel_arguments(channel_arguments),
  }
  if polling_server.is_possible():
    return polling_server.PollingServer(
      threads=threads,
      options=list(arguments.items()),
      interceptors=interceptors,
      max_concurrent_calls=max_concurrent_requests,
      answers_at_once=answers_at_once,
      kind_of=first_field,
    )
  return grpc.server(
    futures.ThreadPoolExecutor(threads, "grpc worker"),
    options=list(arguments.items()),
    maximum_concurrent_rpcs=max_concurrent_requests or None,
    interceptors=list(interceptors),
  )


def _timeouts(header_timeout_s: float, idle_timeout_s: float) -> dict[str, Any]:
  found = {
    "grpc.server_handshake_timeout_ms": int(header_timeout_s * 1000),
    "grpc.max_connection_idle_ms": int(idle_timeout_s * 1000),
  }
  return {name: milliseconds for name, milliseconds in found.items() if milliseconds > 0}


def first_field(message: bytes) -> bytes:
  """Returns the first field of a message if it is short: in our requests it names the model."""
  return message[: 2 + message[1]] if len(message) > 1 and message[1] < _ONE_BYTE else b""


def read_channel_arguments(text: str) -> dict[str, int | str]:
  """Reads `k=v,k=v`; whole numbers become int.

  Raises:
    InvalidArgument: a part is not of the form `k=v`.
  """
  found: dict[str, int | str] = {}
  for part in filter(None, text.split(",")):
    name, equals, value = part.partition("=")
    if not name or not equals:
      raise InvalidArgument(f"--grpc_channel_arguments takes k=v,k=v. Received: {part!r}.")
    found[name] = int(value) if value.lstrip("-").isdigit() else value
  return found


def read_credentials(ssl_config_file: str) -> Any:
  """Returns the server credentials of an `SSLConfig` text file, whose fields hold the PEM texts.

  Raises:
    ServingError: the file cannot be read.
    InvalidArgument: keys are missing or cannot be used.
  """
  config = read_ssl_config(ssl_config_file)
  return grpc.ssl_server_credentials(
    [(config.server_key.encode(), config.server_cert.encode())],
    root_certificates=config.custom_ca.encode() or None,
    require_client_auth=config.client_verify,
  )


def open_port(server: grpc.Server, address: str, credentials: Any = None) -> int:
  """Listens on `host:port` or `unix:path`; returns the port.

  Raises:
    Unavailable: the server cannot listen there.
    FailedPrecondition: the credentials cannot be used.
  """
  try:
    if credentials is None:
      port = server.add_insecure_port(address)
    else:
      port = server.add_secure_port(address, credentials)
  except RuntimeError as err:
    # gRPC says the same of an address in use and of keys that it cannot use.
    if credentials is not None and _is_free(address):
      raise FailedPrecondition(
        f"Cannot listen on {address} with these TLS keys: are server_key and server_cert a pair, "
        "and they and custom_ca PEM texts?"
      ) from err
    raise Unavailable(f"Cannot listen on {address} (is another server using it?): {err}") from err
  return int(port)


def _is_free(address: str) -> bool:
  """Returns whether somebody may listen on `host:port`."""
  host, _, port = address.rpartition(":")
  try:
    found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    for family, kind, protocol, _, target in found:
      with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(target)
  except OSError:
    return False
  return True


def add_health_service(server: grpc.Server) -> None:
  """Registers `grpc.health.v1.Health/Check`."""

  def check(request: Any, context: grpc.ServicerContext) -> Any:
    if request.service not in _HEALTHY_NAMES:
      context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
    return HealthCheckResponse(status=_SERVING)

  handler = grpc.unary_unary_rpc_method_handler(
    check,
    request_deserializer=HealthCheckRequest.FromString,
    response_serializer=HealthCheckResponse.SerializeToString,
  )
  server.add_generic_rpc_handlers(
    (grpc.method_handlers_generic_handler(_HEALTH, {"Check": handler}),)
  )
