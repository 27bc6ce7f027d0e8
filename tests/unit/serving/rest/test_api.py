"""What the REST face leaves behind; what it answers is in tests/contract/serving."""

import gc

import pytest

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


def _requests():
  """How many are in memory; other tests may hold some."""
  return sum(isinstance(each, Request) for each in gc.get_objects())
