"""Bearer tokens and their roles."""

import hmac
import logging

import pytest

from serving.auth import Role, Token, Tokens, read_tokens
from serving.errors import InvalidArgument, NotFound, PermissionDenied, Unauthenticated

UNKNOWN = "The token is not one that this server knows."


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


def test_refusals_are_counted_and_written_without_flooding_the_log(tmp_path, caplog):
  tokens, told = tokens_of(tmp_path, "one"), []
  tokens.on_refused = lambda protocol, error: told.append((protocol, error.grpc_code))
  with caplog.at_level(logging.WARNING, logger="serving.auth"):
    for _ in range(20):
      tokens.refused(Unauthenticated(UNKNOWN), protocol="GRPC", peer="10.0.0.7")
  assert told == [("GRPC", "UNAUTHENTICATED")] * 20
  assert caplog.messages == [f"Refused a request over GRPC from 10.0.0.7: {UNKNOWN}"]
