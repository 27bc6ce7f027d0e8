"""A server that echoes, and clients that speak to it byte by byte."""

import contextlib
import json
import socket
import threading
import time

import pytest

from serving.errors import ServingError, Unauthenticated
from serving.rest.http_server import HttpServer
from serving.rest.limits import Limits
from serving.rest.messages import Response


class Echo:
  """Answers with the request; `/wait` waits for `gate`."""

  def __init__(self):
    self.gate = threading.Event()
    self._threads = {}

  def thread(self, target):
    """The one that answered a request for it last, or is about to."""
    return self._threads[target]

  def handle(self, request):
    self._threads[request.target] = threading.current_thread()
    if request.target == "/wait":
      assert self.gate.wait(120)
    if request.target == "/large":
      return Response(200, b"x" * 5_000_000)
    found = {"method": request.method, "target": request.target, "body": request.body.decode()}
    return Response(200, json.dumps(found).encode())

  def admit(self, request):
    return Unauthenticated("no") if request.headers.get(b"authorization") == b"bad" else None

  def refusal(self, error: ServingError):
    return Response(error.http_status, str(error).encode())


class Wire(socket.socket):
  """A client's connection, which reads HTTP."""

  @classmethod
  def to(cls, port):
    plain = socket.create_connection(("127.0.0.1", port), timeout=120)
    wire = cls(fileno=plain.detach())
    wire.settimeout(120)
    return wire

  def answers(self, count=1):
    """Status and body of so many responses; b"" for the body of the last where there is none."""
    file, found = self.makefile("rb"), []
    for _ in range(count):
      status = int(file.readline().split()[1])
      length, line = 0, b""
      while (line := file.readline()) != b"\r\n":
        if line.lower().startswith(b"content-length:"):
          length = int(line.split(b":")[1])
      found.append((status, file.read(length)))
    return found

  def targets(self, count=1):
    """The targets of the requests that the next so many responses echo."""
    return [json.loads(body)["target"] for status, body in self.answers(count) if status == 200]

  def is_closed(self):
    return self.recv(1) == b""


@pytest.fixture
def api():
  return Echo()


@pytest.fixture
def serve(api):
  """Returns a function that starts a server and connects to it."""
  with contextlib.ExitStack() as stack:

    def started(*, timeout_s=30.0, max_concurrent_requests=0, answers_at_once=True, **limits):
      server = HttpServer(
        api,
        port=0,
        threads=4,
        timeout_s=timeout_s,
        max_concurrent_requests=max_concurrent_requests,
        answers_at_once=answers_at_once,
        limits=Limits(**limits),
      )
      port = server.start()
      stack.callback(server.stop, 5)
      stack.callback(api.gate.set)

      def connect():
        return stack.enter_context(Wire.to(port))

      return server, connect

    yield started


@pytest.fixture
def until():
  """Returns a function that waits until a claim holds."""

  def wait(is_so):
    deadline = time.monotonic() + 120
    while not is_so():
      assert time.monotonic() < deadline
      time.sleep(0.01)

  return wait
