"""Ports: an address in use and keys that cannot be used are told apart."""

from __future__ import annotations

import socket
import subprocess
from concurrent import futures

import grpc
import pytest

from serving import protos
from serving.errors import FailedPrecondition, Unavailable
from serving.grpc import grpc_server, polling_server


@pytest.fixture(scope="module")
def pems(tmp_path_factory):
  """Keys and certificates of two pairs, PEM texts as bytes."""
  folder = tmp_path_factory.mktemp("pems")
  key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
  for name in "ab":
    files = ("-keyout", f"{name}.key", "-out", f"{name}.pem", "-subj", "/CN=localhost")
    command = ["openssl", "req", "-x509", *key, *files]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
  return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(params=["own loop", "grpc's"])
def server(request):
  made = (
    grpc_server.make_server(threads=1)
    if request.param == "own loop"
    else grpc.server(futures.ThreadPoolExecutor(1), options=[("grpc.so_reuseport", 0)])
  )
  yield made
  made.stop(None)


@pytest.fixture
def taken():
  """An address where somebody listens."""
  with socket.create_server(("127.0.0.1", 0)) as sock:
    yield f"127.0.0.1:{sock.getsockname()[1]}"


def _credentials(key, certificate):
  return grpc.ssl_server_credentials([(key, certificate)])


@pytest.mark.parametrize("address", ["127.0.0.1:0", "localhost:0"])
@pytest.mark.parametrize(
  ("key", "certificate"), [("a.key", "b.pem"), ("no PEM", "a.pem"), ("a.key", "no PEM")]
)
def test_wrong_keys_are_no_port_conflict(server, pems, address, key, certificate):
  given = [pems.get(name, b"no PEM") for name in (key, certificate)]
  with pytest.raises(FailedPrecondition) as refused:
    grpc_server.open_port(server, address, _credentials(*given))
  assert str(refused.value) == (
    f"Cannot listen on {address} with these TLS keys: are server_key and server_cert a pair, and "
    "they and custom_ca PEM texts?"
  )


def test_an_address_in_use_is_one(server, pems, taken):
  credentials = _credentials(pems["a.key"], pems["a.pem"])
  for given in (None, credentials):
    with pytest.raises(Unavailable) as refused:
      grpc_server.open_port(server, taken, given)
    assert str(refused.value).startswith(
      f"Cannot listen on {taken} (is another server using it?): "
    )


def test_a_pair_is_taken(server, pems):
  credentials = _credentials(pems["a.key"], pems["a.pem"])
  assert grpc_server.open_port(server, "127.0.0.1:0", credentials) > 0


@pytest.mark.parametrize("with_own_loop", [True, False])
def test_what_grpc_is_told_of_the_limits(monkeypatch, with_own_loop):
  told = []
  monkeypatch.setattr(polling_server, "is_possible", lambda: with_own_loop)
  monkeypatch.setattr(polling_server, "PollingServer", lambda **given: told.append(given))
  monkeypatch.setattr(grpc, "server", lambda pool, **given: told.append(given))
  grpc_server.make_server(threads=1)
  grpc_server.make_server(
    threads=1,
    max_request_bytes=7,
    max_concurrent_requests=3,
    header_timeout_s=1.5,
    idle_timeout_s=0.25,
    channel_arguments="grpc.so_reuseport=1,a=b,c=-2",
  )
  calls = "max_concurrent_calls" if with_own_loop else "maximum_concurrent_rpcs"
  assert [given[calls] or 0 for given in told] == [0, 3]
  before, after = (dict(given["options"]) for given in told)
  assert before.pop("grpc.max_allowed_incoming_connections") > 0
  assert before == {
    "grpc.max_send_message_length": -1,
    "grpc.max_receive_message_length": -1,
    "grpc.absolute_max_metadata_size": 32_768,
    "grpc.max_concurrent_streams": 1024,
    "grpc.keepalive_time_ms": 120_000,
    "grpc.keepalive_timeout_ms": 20_000,
    "grpc.so_reuseport": 0,
  }
  assert {name: value for name, value in after.items() if value != before.get(name)} == {
    "grpc.max_receive_message_length": 7,
    "grpc.max_allowed_incoming_connections": after["grpc.max_allowed_incoming_connections"],
    "grpc.server_handshake_timeout_ms": 1500,
    "grpc.max_connection_idle_ms": 250,
    "grpc.so_reuseport": 1,
    "a": "b",
    "c": -2,
  }


@pytest.mark.parametrize(
  ("service", "code"),
  [("", None), ("PredictionService", None), ("ModelService", None), ("x", "NOT_FOUND")],
)
def test_the_health_of_a_service_that_there_is(server, service, code):
  grpc_server.add_health_service(server)
  port = server.add_insecure_port("127.0.0.1:0")
  server.start()
  with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
    check = channel.unary_unary("/grpc.health.v1.Health/Check")
    request = protos.HealthCheckRequest(service=service).SerializeToString()
    try:
      assert check(request, timeout=120) == b"\x08\x01"  # the field 1 is SERVING
      found = None
    except grpc.RpcError as err:
      found = err.code().name
  assert found == code


@pytest.mark.parametrize(
  ("message", "field"),
  [(b"\n\x03abcd", b"\n\x03abc"), (b"\n\x00", b"\n\x00"), (b"\n", b""), (b"\n\x80\x01", b"")],
)
def test_the_first_field_of_a_message(message, field):
  assert grpc_server.first_field(message) == field
