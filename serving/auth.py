"""Bearer tokens of both protocols: which requests a caller may make. Off by default.

TensorFlow Serving has no tokens. Each token has a role. `predict` allows to ask models:
PredictionService, GetModelStatus, the REST API. `admin` allows everything else as well, such as to
reload the configuration or to profile the server.
Source of the header and of its answers: RFC 6750.
"""

from __future__ import annotations

import enum
import hashlib
import hmac
import logging
import pathlib
import re
import threading
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from serving.errors import (
  InvalidArgument,
  NotFound,
  PermissionDenied,
  ServingError,
  Unauthenticated,
)

_LOG = logging.getLogger(__name__)
_SCHEME = "bearer"
_TOKEN = re.compile(r"[!-~]+")  # the characters that a header can hold
_QUIET_S = 10.0


class Role(enum.IntEnum):
  """What a token allows; each role includes those before it."""

  PREDICT = 1
  ADMIN = 2


class Token(NamedTuple):
  """One token of a file.

  Attributes:
    digest: the token's SHA-256; the token itself is not kept.
    role: what the token allows.
    line: its line in the file, by which the log names it.
  """

  digest: bytes
  role: Role
  line: int

  @classmethod
  def of(cls, token: str, role: Role = Role.PREDICT, line: int = 0) -> Token:
    """Returns the record that is kept of a token."""
    return cls(_digest(token), role, line)


class Tokens:
  """The known tokens, and the count of refused requests."""

  def __init__(
    self,
    tokens: Sequence[Token],
    on_refused: Callable[[str, ServingError], None] = lambda protocol, error: None,
  ):
    """Takes over the tokens.

    Args:
      tokens: those that let a request in.
      on_refused: told of each refusal: `REST` or `GRPC`, and the error.
    """
    self._tokens = tuple(tokens)
    self.on_refused = on_refused
    self._refusals = _Refusals()

  def check(self, authorization: str | None, needs: Role = Role.PREDICT) -> Token:
    """Checks an `Authorization` header. A caller that refuses the request then calls `refused`.

    Args:
      authorization: the header; None if there is none.
      needs: the role that the request needs.

    Returns:
      The token.

    Raises:
      Unauthenticated: the header is missing or has no known token.
      PermissionDenied: the token's role does not allow it.
    """
    if authorization is None:
      raise Unauthenticated(
        "This server needs a token: send the header 'Authorization: Bearer <token>'."
      )
    scheme, _, token = authorization.partition(" ")
    digest = _digest(token.strip(" "))
    # Every token is compared, and the time does not tell how much of it is right.
    found = [known for known in self._tokens if hmac.compare_digest(digest, known.digest)]
    if scheme.lower() != _SCHEME or not found:
      raise Unauthenticated("The token is not one that this server knows.")
    if found[0].role < needs:
      raise PermissionDenied(
        f"This needs a token with the role {needs.name.lower()}. "
        f"The request's has the role {found[0].role.name.lower()}."
      )
    return found[0]

  def refused(self, error: ServingError, *, protocol: str, peer: str) -> None:
    """Counts a request that was refused for its token, and writes it to the log.

    Args:
      error: the reason.
      protocol: `REST` or `GRPC`.
      peer: the caller's address; empty if unknown.
    """
    self._refusals.add(protocol, peer, error)
    self.on_refused(protocol, error)


class _Refusals:
  """Logs refusals: the first one at once, later ones as a number at intervals."""

  def __init__(self) -> None:
    self._lock = threading.Lock()
    self._count = 0
    self._quiet_until = 0.0

  def add(self, protocol: str, peer: str, error: ServingError) -> None:
    with self._lock:
      self._count += 1
      now = time.monotonic()
      if now < self._quiet_until:
        return
      count, self._count = self._count, 0
      self._quiet_until = now + _QUIET_S
    asked_by = f" from {peer}" if peer else ""
    more = f" ({count - 1} more since the last such line)" if count > 1 else ""
    _LOG.warning("Refused a request over %s%s: %s%s", protocol, asked_by, error, more)


def read_tokens(path: str) -> Tokens:
  """Reads a file of tokens: `TOKEN` or `TOKEN ROLE` in each line; the default role is `predict`.

  Empty lines and lines that begin with `#` are skipped.

  Raises:
    NotFound: the file cannot be read.
    InvalidArgument: the file is no text, has another kind of line, or has no token.
  """
  try:
    text = pathlib.Path(path).read_text(encoding="utf-8-sig")
  except OSError as err:
    raise NotFound(f"{path}; {err.strerror}") from err
  except UnicodeDecodeError as err:
    raise InvalidArgument(f"{path} is no UTF-8 text: {err.reason} at byte {err.start}.") from err
  tokens: dict[bytes, Token] = {}
  for number, line in enumerate(text.splitlines(), 1):
    words = line.split()
    if not words or words[0].startswith("#"):
      continue
    token = Token.of(words[0], _role(path, number, words), number)
    other = tokens.setdefault(token.digest, token)
    if other.role != token.role:
      raise InvalidArgument(f"{path}: lines {other.line} and {number} give a token two roles.")
  if not tokens:
    raise InvalidArgument(f"{path} holds no token.")
  return Tokens(list(tokens.values()))


def _role(path: str, number: int, words: Sequence[str]) -> Role:
  """Returns the role of a line. Messages never show words that may be a token."""
  roles = {role.name.lower(): role for role in Role}
  if not _TOKEN.fullmatch(words[0]):
    raise InvalidArgument(
      f"{path}, line {number}: a token may hold visible ASCII characters only, as a header does."
    )
  if len(words) == 1:
    return Role.PREDICT
  if len(words) > 2 or words[1] not in roles:
    raise InvalidArgument(
      f"{path}, line {number}: expected a token, and behind it nothing, {' or '.join(roles)}. "
      f"Received {len(words)} words{'' if len(words) > 2 else ', the second of which is no role'}."
    )
  return roles[words[1]]


def _digest(token: str) -> bytes:
  return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
