"""Ports: an address in use and keys that cannot be used are told apart."""

from __future__ import annotations

import socket
import subprocess
from concurrent import futures

import grpc
import pytest

from serving import grpc_server
from serving.errors import FailedPrecondition, Unavailable


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
