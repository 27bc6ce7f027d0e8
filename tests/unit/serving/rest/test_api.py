"""What the REST face leaves behind; what it answers is in tests/contract/serving."""

import gc

import pytest

from serving.auth import Token, Tokens
from serving.errors import Unauthenticated
from serving.lifecycle import Loader, ModelManager
from serving.rest.api import RestApi
from serving.rest.messages import Request
from serving.serving_core import ServingCore


@pytest.mark.parametrize(
  ("target", "body", "status"),
  [
    ("/v1/models/m:predict", b'{"instances": [1]}', 404),
    ("/v1/models/m:predict", b'{"instances": [1, ]}', 400),
    ("/v1/models/m:unknown", b"", 400),
  ],
)
def test_refused_requests_are_freed_without_the_collector(target, body, status):
  api = RestApi(ServingCore(ModelManager(Loader()), None))
  api.handle(Request("POST", target, {}, body))
  gc.collect()
  gc.disable()
  before = _requests()
  try:
    for _ in range(20):
      assert api.handle(Request("POST", target, {}, body)).status == status
    assert _requests() - before < 3
  finally:
    gc.enable()


@pytest.mark.parametrize(
  ("method", "headers", "is_refused"),
  [
    ("OPTIONS", {}, False),
    ("OPTIONS", {b"content-length": b"0"}, False),
    ("OPTIONS", {b"content-length": b"1"}, True),
    ("OPTIONS", {b"transfer-encoding": b"chunked"}, True),
    ("OPTIONS", {b"content-length": b"1", b"authorization": b"Bearer one"}, False),
    ("GET", {}, True),
  ],
)
def test_who_asks_without_a_token_brings_no_body(method, headers, is_refused):
  tokens = Tokens([Token.of("one")])
  api = RestApi(ServingCore(ModelManager(Loader()), None), tokens=tokens)
  error = api.admit(Request(method, "/v1/models/m:predict", headers))
  assert isinstance(error, Unauthenticated) == is_refused
  assert is_refused or error is None


def _requests():
  """How many are in memory; other tests may hold some."""
  return sum(isinstance(each, Request) for each in gc.get_objects())
