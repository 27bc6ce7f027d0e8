"""Holds gRPC calls to the tokens of `serving.auth`."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Sequence
from typing import Any

import grpc

from serving.auth import Role, Tokens
from serving.errors import ServingError
from serving.grpc.unary_call import Refusing

_LOG = logging.getLogger(__name__)
_OPEN_SERVICE = "/grpc.health.v1.Health/"  # probes carry no token
# All that the role predict may call: a method that is added later is closed to it until it is here.
_PREDICT_METHODS = (
  "/tensorflow.serving.PredictionService/",
  "/tensorflow.serving.ModelService/GetModelStatus",
)


class TokenInterceptor(grpc.ServerInterceptor):
  """Refuses gRPC calls whose token does not allow them; health checks need none."""

  def __init__(self, tokens: Tokens):
    """Takes over the tokens.

    Args:
      tokens: those that let a call in.
    """
    self._tokens = tokens

  def intercept_service(self, continuation: Callable[[Any], Any], details: Any) -> Any:
    handler = continuation(details)
    if details.method.startswith(_OPEN_SERVICE):
      return handler
    is_known = handler is not None
    needs = Role.ADMIN if is_known and not _is_for_predict(details.method) else Role.PREDICT
    try:
      token = self._tokens.check(_authorization(details.invocation_metadata), needs)
    except ServingError as err:
      return self._refusing(err)
    if needs is Role.ADMIN:
      _LOG.info("%s is called with the token of line %d", details.method, token.line)
    return handler

  def _refusing(self, error: ServingError) -> Any:
    code, message = getattr(grpc.StatusCode, error.grpc_code), error.message
    tell = functools.partial(self._tokens.refused, error.with_traceback(None), protocol="GRPC")

    def refuse(request: Any, context: grpc.ServicerContext) -> None:
      tell(peer=context.peer())
      context.abort(code, message)

    return Refusing(refuse)


def _is_for_predict(method: str) -> bool:
  service, one_method = _PREDICT_METHODS
  return method.startswith(service) or method == one_method


def _authorization(metadata: Sequence[tuple[str, Any]]) -> str | None:
  """Returns the header. If it is given twice, the result can be no token, so neither counts."""
  values = [value for name, value in metadata if name == "authorization"]
  return ", ".join(values) if values else None
