"""gRPC methods by role."""

import collections

import pytest

from serving.auth import Tokens, read_tokens
from serving.grpc.token_interceptor import TokenInterceptor

PREDICT = "/tensorflow.serving.PredictionService/Predict"
STATUS = "/tensorflow.serving.ModelService/GetModelStatus"
RELOAD = "/tensorflow.serving.ModelService/HandleReloadConfigRequest"
PROFILE = "/tensorflow.ProfilerService/Profile"
Details = collections.namedtuple("Details", "method invocation_metadata")


def tokens_of(folder, text) -> Tokens:
  (folder / "tokens").write_text(text, encoding="utf-8")
  return read_tokens(str(folder / "tokens"))


class _RefusedError(Exception):
  pass


class _Context:
  def peer(self):
    return "ipv4:10.0.0.7:1"

  def abort(self, code, message):
    raise _RefusedError(code.name, message)


def called(tokens, method, metadata, handler="handler"):
  """The handler that a call gets, or the code it is refused with."""
  found = TokenInterceptor(tokens).intercept_service(
    lambda details: handler, Details(method, metadata)
  )
  if found is handler:
    return found
  try:
    found.unary_unary(b"", _Context())
  except _RefusedError as err:
    return err.args[0]
  raise AssertionError("It was not refused.")


@pytest.mark.parametrize(
  ("method", "predict", "admin"),
  [
    (PREDICT, "handler", "handler"),
    (STATUS, "handler", "handler"),
    (RELOAD, "PERMISSION_DENIED", "handler"),
    (PROFILE, "PERMISSION_DENIED", "handler"),
    (STATUS + "es", "PERMISSION_DENIED", "handler"),
    ("/x/grpc.health.v1.Health/Check", "PERMISSION_DENIED", "handler"),
  ],
)
def test_what_a_role_may_call(tmp_path, method, predict, admin):
  tokens = tokens_of(tmp_path, "one\nboss admin")
  assert called(tokens, method, [("authorization", "Bearer one")]) == predict
  assert called(tokens, method, [("authorization", "Bearer boss")]) == admin
  assert called(tokens, method, []) == "UNAUTHENTICATED"
  assert called(tokens, method, [("authorization", "Bearer two")]) == "UNAUTHENTICATED"
  both = [("authorization", "Bearer boss"), ("authorization", "Bearer boss")]
  assert called(tokens, method, both) == "UNAUTHENTICATED"


def test_methods_that_need_no_token_or_do_not_exist(tmp_path):
  tokens = tokens_of(tmp_path, "one")
  assert called(tokens, "/grpc.health.v1.Health/Check", []) == "handler"
  assert called(tokens, "/a/b", [("authorization", "Bearer one")], handler=None) is None
  assert called(tokens, "/a/b", [], handler=None) == "UNAUTHENTICATED"


def test_a_refused_call_is_told_with_who_made_it(tmp_path, caplog):
  tokens, told = tokens_of(tmp_path, "one"), []
  tokens.on_refused = lambda protocol, error: told.append((protocol, error.grpc_code))
  assert called(tokens, RELOAD, [("authorization", "Bearer one")]) == "PERMISSION_DENIED"
  assert told == [("GRPC", "PERMISSION_DENIED")]
  assert "over GRPC from ipv4:10.0.0.7:1: This needs a token with the role admin" in caplog.text
