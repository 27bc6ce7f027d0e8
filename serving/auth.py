"""Bearer tokens: who may ask, over both protocols. Not in TensorFlow Serving; off by default."""

from __future__ import annotations

import hmac
import pathlib
from collections.abc import Callable
from typing import Any

import grpc

from serving.errors import InvalidArgument, NotFound, Unauthenticated

_SCHEME = "bearer "
_OPEN_SERVICE = "/grpc.health.v1.Health/"  # probes carry no token


class Tokens:
  """The tokens that let a request in."""

  def __init__(self, tokens: list[str]):
    """Args: the tokens."""
    self._tokens = [token.encode() for token in tokens]

  def check(self, authorization: str | None) -> None:
    """Looks at an `Authorization` header.

    Raises:
      Unauthenticated: it is missing, or bears no known token.
    """
    if authorization is None:
      raise Unauthenticated(
        "This server needs a token: send the header 'Authorization: Bearer <token>'."
      )
    token = authorization[len(_SCHEME) :].strip().encode("utf-8", "replace")
    # Every token is compared, in a time that does not depend on how much of it is right.
    matches = [hmac.compare_digest(token, known) for known in self._tokens]
    if not authorization.lower().startswith(_SCHEME) or not any(matches):
      raise Unauthenticated("The token is not one that this server knows.")


def read_tokens(path: str) -> Tokens:
  """The tokens of a file, one a line; empty lines and lines that begin with `#` are none.

  Raises:
    NotFound: the file cannot be read.
    InvalidArgument: it holds no token.
  """
  try:
    lines = pathlib.Path(path).read_text(encoding="utf-8").splitlines()
  except OSError as err:
    raise NotFound(f"{path}; {err.strerror}") from err
  tokens = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
  if not tokens:
    raise InvalidArgument(f"{path} holds no token.")
  return Tokens(tokens)


class TokenInterceptor(grpc.ServerInterceptor):
  """Refuses gRPC calls without a token, whatever the method; health checks need none."""

  def __init__(self, tokens: Tokens):
    """Args: the tokens."""
    self._tokens = tokens

  def intercept_service(self, continuation: Callable[[Any], Any], details: Any) -> Any:
    if details.method.startswith(_OPEN_SERVICE):
      return continuation(details)
    # Of several, none: which one counts would be a guess.
    given = [value for name, value in details.invocation_metadata if name == "authorization"]
    try:
      self._tokens.check(given[0] if len(given) == 1 else None)
    except Unauthenticated as err:
      message = err.message

      def refuse(request: Any, context: Any) -> None:
        context.abort(grpc.StatusCode.UNAUTHENTICATED, message)

      return grpc.unary_unary_rpc_method_handler(refuse)
    return continuation(details)
