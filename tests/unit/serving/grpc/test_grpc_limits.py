"""Limits of the gRPC port, on our own loop and on gRPC's server alike."""

import contextlib
import socket

import grpc
import pytest

from serving.grpc import grpc_server, polling_server

METHOD = "/limits.Service/Size"
HTTP2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"  # the preface, empty settings


@pytest.fixture(params=["own loop", "gRPC's server"])
def serve(request, monkeypatch):
  """Returns a function that starts a server and returns its port."""
  if request.param == "gRPC's server":
    monkeypatch.setattr(polling_server, "is_possible", lambda: False)
  with contextlib.ExitStack() as stack:

    def started(**limits):
      server = grpc_server.make_server(threads=2, **limits)
      assert isinstance(server, polling_server.PollingServer) == (request.param == "own loop")
      size = grpc.unary_unary_rpc_method_handler(lambda message, _: b"%d" % len(message))
      handlers = grpc.method_handlers_generic_handler("limits.Service", {"Size": size})
      server.add_generic_rpc_handlers((handlers,))
      port = server.add_insecure_port("127.0.0.1:0")
      server.start()
      stack.callback(lambda: server.stop(0).wait())
      return port

    yield started


def _ask(port, message, **options):
  given = [("grpc.max_send_message_length", -1)]
  with grpc.insecure_channel(f"127.0.0.1:{port}", options=given) as channel:
    try:
      return channel.unary_unary(METHOD)(message, timeout=120, **options)
    except grpc.RpcError as err:
      return err.code().name


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
def test_a_message_is_limited_as_it_is_inflated(serve, compression):
  port = serve(max_request_bytes=1000)
  assert _ask(port, bytes(1000), compression=compression) == b"1000"
  assert _ask(port, bytes(1001), compression=compression) == "RESOURCE_EXHAUSTED"
  assert _ask(port, bytes(5_000_000), compression=compression) == "RESOURCE_EXHAUSTED"


def test_metadata_is_limited(serve):
  port = serve()
  assert _ask(port, b"x", metadata=(("a", "b" * 8000),)) == b"1"
  assert _ask(port, b"x", metadata=(("a", "b" * 100_000),)) == "RESOURCE_EXHAUSTED"


@pytest.mark.parametrize("sent", [b"", HTTP2[:10], HTTP2])
def test_who_says_nothing_is_cut_off(serve, sent):
  port = serve(header_timeout_s=0.3, idle_timeout_s=0.3)
  with socket.create_connection(("127.0.0.1", port), timeout=120) as connection:
    connection.sendall(sent)
    with contextlib.suppress(ConnectionError):
      while connection.recv(1000):
        pass
  assert _ask(port, b"x") == b"1"


def test_channel_arguments_override_limits(serve):
  port = serve(max_request_bytes=10, channel_arguments="grpc.max_receive_message_length=100")
  assert _ask(port, bytes(100)) == b"100"
  assert _ask(port, bytes(101)) == "RESOURCE_EXHAUSTED"
