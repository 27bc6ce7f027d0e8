"""What a call can fail with; the same for REST and gRPC. The tree is drawn in `dlpipe_client`.

A server's message is kept as it is. Imports nothing.
"""

from __future__ import annotations


class ServingClientError(Exception):
  """A call that gave no answer.

  >>> try:
  ...   client.status(version=9)
  ... except ServingClientError as err:
  ...   print(type(err).__name__, err.code, err.message)
  NotFound NOT_FOUND Model sentiment has no version 9

  Attributes:
    code: the name of the gRPC status; for REST, of the first one with that HTTP status.
    message: the server's words, or the client's where no server answered.
  """

  code = "UNKNOWN"
  http_statuses: tuple[int, ...] = ()
  grpc_codes: tuple[str, ...] = ()

  def __init__(self, message: str, code: str | None = None):
    """Takes what went wrong, and the status if the class has several."""
    super().__init__(message)
    self.message = message
    self.code = code or (self.grpc_codes[0] if self.grpc_codes else type(self).code)


class InvalidInput(ServingClientError, ValueError):
  """The client cannot send these arguments; no server was asked."""

  code = "INVALID_ARGUMENT"


class InvalidResponse(ServingClientError):
  """The answer is not one of TensorFlow Serving's."""

  code = "INTERNAL"


class BadRequest(ServingClientError):
  """The request is not one that this model takes."""

  http_statuses = (400,)
  grpc_codes = ("INVALID_ARGUMENT", "FAILED_PRECONDITION", "OUT_OF_RANGE")


class Unauthenticated(ServingClientError):
  """The server refused the request: the token is missing or unknown."""

  http_statuses = (401,)
  grpc_codes = ("UNAUTHENTICATED",)


class PermissionDenied(ServingClientError):
  """The server knows the caller and refuses."""

  http_statuses = (403,)
  grpc_codes = ("PERMISSION_DENIED",)


class NotFound(ServingClientError):
  """The server does not have the model or the version."""

  http_statuses = (404,)
  grpc_codes = ("NOT_FOUND",)


class Conflict(ServingClientError):
  """The request met another one."""

  http_statuses = (409,)
  grpc_codes = ("ABORTED", "ALREADY_EXISTS")


class ResourceExhausted(ServingClientError):
  """The server has too much to do, or the request is too large."""

  http_statuses = (429, 413)
  grpc_codes = ("RESOURCE_EXHAUSTED",)


class Cancelled(ServingClientError):
  """The call was cancelled."""

  http_statuses = (499,)
  grpc_codes = ("CANCELLED",)


class ServerFailed(ServingClientError):
  """The model or the server failed."""

  http_statuses = (500,)
  grpc_codes = ("INTERNAL", "UNKNOWN", "DATA_LOSS")


class Unimplemented(ServingClientError):
  """The server does not have the method, or the model an operation."""

  http_statuses = (501,)
  grpc_codes = ("UNIMPLEMENTED",)


class Unavailable(ServingClientError):
  """No server could be reached, or it cannot answer now."""

  http_statuses = (503, 502)
  grpc_codes = ("UNAVAILABLE",)


class DeadlineExceeded(ServingClientError):
  """There was no answer in the time given."""

  http_statuses = (504, 408)
  grpc_codes = ("DEADLINE_EXCEEDED",)


def error_of_http(status: int, message: str) -> ServingClientError:
  """Returns the error of an HTTP status; `ServerFailed` or `BadRequest` if none has just that."""
  for error in ServingClientError.__subclasses__():
    if status in error.http_statuses:
      return error(message)
  return ServerFailed(message) if status >= 500 else BadRequest(message)


def error_of_grpc(code: str, message: str) -> ServingClientError:
  """Returns the error of a gRPC status."""
  for error in ServingClientError.__subclasses__():
    if code in error.grpc_codes:
      return error(message, code)
  return ServerFailed(message, code)
