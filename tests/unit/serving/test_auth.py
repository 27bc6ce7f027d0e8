"""Bearer tokens and their roles."""

import collections
import hmac
import logging

import pytest

from serving.auth import Role, Token, TokenInterceptor, Tokens, read_tokens
from serving.errors import InvalidArgument, NotFound, PermissionDenied, Unauthenticated

UNKNOWN = "The token is not one that this server knows."
PREDICT = "/tensorflow.serving.PredictionService/Predict"
STATUS = "/tensorflow.serving.ModelService/GetModelStatus"
RELOAD = "/tensorflow.serving.ModelService/HandleReloadConfigRequest"
PROFILE = "/tensorflow.ProfilerService/Profile"
Details = collections.namedtuple("Details", "method invocation_metadata")


def tokens_of(folder, text) -> Tokens:
  (folder / "tokens").write_text(text, encoding="utf-8")
  return read_tokens(str(folder / "tokens"))


@pytest.mark.parametrize("header", ["Bearer one", "bearer  two ", "BEARER two"])
def test_known_tokens(tmp_path, header):
  tokens_of(tmp_path, "one\ntwo").check(header)


@pytest.mark.parametrize(
  ("header", "message"),
  [
    (None, "This server needs a token: send the header 'Authorization: Bearer <token>'."),
    ("Bearer ", UNKNOWN),
    ("Bearer on", UNKNOWN),
    ("Bearer one two", UNKNOWN),
    ("Bearer one, Bearer one", UNKNOWN),
    ("Bearerone", UNKNOWN),
    ("one", UNKNOWN),
    # Schemes as long as `bearer`, and ones that begin with it.
    ("Digest one", UNKNOWN),
    ("Basics one", UNKNOWN),
    ("Bearers one", UNKNOWN),
    ("Basic one", UNKNOWN),
    ("Bearer\tone", UNKNOWN),
    ("Bearer \udcff", UNKNOWN),
  ],
)
def test_others(tmp_path, header, message):
  with pytest.raises(Unauthenticated) as refused:
    tokens_of(tmp_path, "one").check(header)
  assert str(refused.value) == message


def test_every_token_is_compared_in_a_time_that_tells_nothing(tmp_path, monkeypatch):
  compared, compare = [], hmac.compare_digest
  monkeypatch.setattr(hmac, "compare_digest", lambda a, b: compared.append(b) or compare(a, b))
  tokens = tokens_of(tmp_path, "one\ntwo\nthree")
  assert tokens.check("Bearer one").line == 1
  assert compared == [Token.of(name).digest for name in ("one", "two", "three")]


def test_a_file(tmp_path):
  tokens = tokens_of(tmp_path, "\ufeff# who\n one \n\ntwo\tadmin\r\nthree predict\n # four\n")
  assert [tokens.check(f"Bearer {name}").role for name in ("one", "two", "three")] == [
    Role.PREDICT,
    Role.ADMIN,
    Role.PREDICT,
  ]
  assert tokens.check("Bearer two").line == 4
  with pytest.raises(Unauthenticated):
    tokens.check("Bearer four")


@pytest.mark.parametrize(
  ("text", "message"),
  [
    ("# nobody\n", "holds no token"),
    (
      "good\nsecret boss\n",
      "line 2: expected a token, and behind it nothing, predict or admin. Received 2 words",
    ),
    ("secret admin x", "line 1: expected a token, .* Received 3 words."),
    ("sécret", "line 1: a token may hold visible ASCII characters only"),
    ("one\ntwo\none admin", "lines 1 and 3 give a token two roles"),
  ],
)
def test_files_that_are_refused_and_do_not_show_a_token(tmp_path, text, message):
  with pytest.raises(InvalidArgument, match=message) as refused:
    tokens_of(tmp_path, text)
  assert "secret" not in str(refused.value)


def test_files_that_cannot_be_read(tmp_path):
  with pytest.raises(NotFound, match="none; No such file or directory"):
    read_tokens(str(tmp_path / "none"))
  (tmp_path / "latin").write_bytes(b"t\xf6ken")
  with pytest.raises(InvalidArgument, match=r"latin is no UTF-8 text: .* at byte 1\."):
    read_tokens(str(tmp_path / "latin"))


def test_a_role_that_is_too_small(tmp_path):
  tokens = tokens_of(tmp_path, "one\nboss admin")
  tokens.check("Bearer boss", needs=Role.ADMIN)
  with pytest.raises(PermissionDenied) as refused:
    tokens.check("Bearer one", needs=Role.ADMIN)
  assert str(refused.value) == (
    "This needs a token with the role admin. The request's has the role predict."
  )


def test_a_refused_call_is_told_with_who_made_it(tmp_path, caplog):
  tokens, told = tokens_of(tmp_path, "one"), []
  tokens.on_refused = lambda protocol, error: told.append((protocol, error.grpc_code))
  assert called(tokens, RELOAD, [("authorization", "Bearer one")]) == "PERMISSION_DENIED"
  assert told == [("GRPC", "PERMISSION_DENIED")]
  assert "over GRPC from ipv4:10.0.0.7:1: This needs a token with the role admin" in caplog.text


def test_refusals_are_counted_and_written_without_flooding_the_log(tmp_path, caplog):
  tokens, told = tokens_of(tmp_path, "one"), []
  tokens.on_refused = lambda protocol, error: told.append((protocol, error.grpc_code))
  with caplog.at_level(logging.WARNING, logger="serving.auth"):
    for _ in range(20):
      tokens.refused(Unauthenticated(UNKNOWN), protocol="GRPC", peer="10.0.0.7")
  assert told == [("GRPC", "UNAUTHENTICATED")] * 20
  assert caplog.messages == [f"Refused a request over GRPC from 10.0.0.7: {UNKNOWN}"]


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
