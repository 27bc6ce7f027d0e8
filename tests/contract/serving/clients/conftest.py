"""A server that clients ask."""

from __future__ import annotations

import contextlib

import pytest

from serving import flags as server_flags
from serving.server import ModelServer


@contextlib.contextmanager
def _serve(ports, *flags):
  found, unknown = server_flags.parse([
    f"--port={ports[0]}", f"--rest_api_port={ports[1]}", "--max_num_load_retries=0", *flags,
  ])  # fmt: skip
  assert unknown == []
  server = ModelServer(found)
  server.start()
  try:
    yield {"rest": f"http://127.0.0.1:{ports[1]}", "grpc": f"grpc://127.0.0.1:{ports[0]}"}
  finally:
    server.stop()


@pytest.fixture(scope="session")
def serve():
  """A context that runs a server with flags and yields its endpoints, by "rest" and "grpc"."""
  return _serve
