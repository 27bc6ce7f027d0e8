"""What the REST face leaves behind; what it answers is in tests/contract/serving."""

import gc
import json
import math
import types

import pytest

from serving.auth import Token, Tokens
from serving.errors import (
  InvalidArgument,
  NotFound,
  PermissionDenied,
  TooLarge,
  Unauthenticated,
)
from serving.models.lifecycle import Loader, ModelManager
from serving.models.serving_core import ServingCore
from serving.rest.api import RestApi, RestOptions
from serving.rest.messages import Request


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


def _api(tokens=None, **options):
  core = ServingCore(ModelManager(Loader()), None)
  return RestApi(core, options=RestOptions(**options), tokens=tokens)


def test_a_refusal_is_an_object_with_one_message():
  response = _api().refusal(NotFound('no "m"'))
  assert (response.status, response.body) == (404, b'{\n    "error": "no \\"m\\""\n}')
  assert (response.content_type, response.headers) == ("application/json", ())


@pytest.mark.parametrize(("length", "end"), [(131_072, "x"), (131_073, "x...")])
def test_a_message_of_a_callers_own_words_has_an_end(length, end):
  message = json.loads(_api().refusal(InvalidArgument("x" * length)).body)["error"]
  assert message == "x" * 131_071 + end


def test_only_who_brings_no_known_token_is_told_how_to_bring_one():
  assert _api().refusal(Unauthenticated("no")).headers == (
    ("WWW-Authenticate", 'Bearer realm="models"'),
  )
  assert _api().refusal(PermissionDenied("no")).headers == ()


@pytest.mark.parametrize(
  ("origin", "status"), [(b"http://a", 200), (b"https://a", 200), (b"null", 400), (b"", 400)]
)
def test_a_page_of_the_web_may_ask_what_it_may_send(origin, status):
  request = Request("OPTIONS", "/v1/models/m", {b"origin": origin})
  assert _api(with_cors=True).handle(request).status == status


@pytest.mark.parametrize(
  ("method", "target", "status"),
  [("GET", "/metrics", 200), ("POST", "/metrics", 400), ("GET", "/metrics?x=1", 400)],
)
def test_metrics_are_read_and_nothing_else(method, target, status):
  assert _api(metrics_path="/metrics").handle(Request(method, target, {})).status == status


@pytest.mark.parametrize(
  ("ends_at", "left_s"), [(10.1, 11), (40.0, 30.0), (0.25, 0.25), (-1.0, 0), (math.inf, 30.0)]
)
def test_a_run_has_the_time_that_its_caller_has_left(monkeypatch, ends_at, left_s):
  monkeypatch.setattr("serving.rest.api.time", types.SimpleNamespace(monotonic=lambda: 0.0))
  request = Request("POST", "/v1/models/m:predict", {}, ends_at=ends_at)
  assert _api(timeout_s=30.0)._time_left_s(request) == left_s


def test_half_of_the_memory_is_for_reading():
  budget = _api(max_bytes_in_flight=4 << 20)._budget(Request("POST", "/", {}))
  budget.read(2 << 20)
  with pytest.raises(TooLarge, match="more than 2097152 bytes"):
    budget.read((2 << 20) + 1)
