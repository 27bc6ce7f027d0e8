"""Bearer tokens."""

import pytest

from serving.auth import Tokens, read_tokens
from serving.errors import InvalidArgument, NotFound, Unauthenticated


@pytest.mark.parametrize("header", ["Bearer one", "bearer  two ", "BEARER ünï"])
def test_known_tokens(header):
  Tokens(["one", "two", "ünï"]).check(header)


@pytest.mark.parametrize(
  ("header", "message"),
  [
    (None, "This server needs a token: send the header 'Authorization: Bearer <token>'."),
    ("Bearer ", "The token is not one that this server knows."),
    ("Bearer on", "The token is not one that this server knows."),
    ("one", "The token is not one that this server knows."),
    ("Basic one", "The token is not one that this server knows."),
  ],
)
def test_others(header, message):
  with pytest.raises(Unauthenticated) as refused:
    Tokens(["one"]).check(header)
  assert str(refused.value) == message


def test_a_file(tmp_path):
  (tmp_path / "tokens").write_text("# who\n one \n\ntwo\n")
  read_tokens(str(tmp_path / "tokens")).check("Bearer one")
  (tmp_path / "tokens").write_text("# nobody\n")
  with pytest.raises(InvalidArgument, match="holds no token"):
    read_tokens(str(tmp_path / "tokens"))
  with pytest.raises(NotFound, match="none; No such file or directory"):
    read_tokens(str(tmp_path / "none"))
