"""The errors that refuse a request, with their codes in both protocols.

    ServingError              HTTP  gRPC
    +-- Cancelled             499   CANCELLED            the caller went away
    +-- InvalidArgument       400   INVALID_ARGUMENT     the request cannot be right for this model
    +-- FailedPrecondition    400   FAILED_PRECONDITION  this model has no such signature
    +-- OutOfRange            400   OUT_OF_RANGE         an index or a range beyond the data
    +-- Unauthenticated       401   UNAUTHENTICATED      no token, or not one that is known
    +-- PermissionDenied      403   PERMISSION_DENIED    known, and not allowed
    +-- NotFound              404   NOT_FOUND            no such model or version
    +-- AlreadyExists         409   ALREADY_EXISTS       there is one of that name
    +-- Aborted               409   ABORTED              lost to somebody else's change
    +-- ResourceExhausted     429   RESOURCE_EXHAUSTED   no room now, or waited too long in a queue
    |   +-- TooLarge          413   RESOURCE_EXHAUSTED   the request or what it becomes
    |   +-- TargetTooLong     414   RESOURCE_EXHAUSTED   path and query
    |   +-- HeadersTooLarge   431   RESOURCE_EXHAUSTED   headers or trailers
    +-- Unknown               500   UNKNOWN              failed, nobody knows why
    +-- Internal              500   INTERNAL             the model failed, or cannot be loaded
    +-- DataLoss              500   DATA_LOSS            a file is damaged
    +-- Unimplemented         501   UNIMPLEMENTED        a method or an op that is not there
    +-- Unavailable           503   UNAVAILABLE          not now; try again
    +-- DeadlineExceeded      504   DEADLINE_EXCEEDED    not in the time the caller gave
        +-- TooSlow           408   DEADLINE_EXCEEDED    the caller did not send it in time

Each class has both codes, so that no two tables have to agree. The pairs are TensorFlow Serving's
(Source: tensorflow_serving/model_servers/http_server.cc), but for the four that are subclasses of
another error: HTTP has separate statuses for requests that are refused before they are read.
Imports nothing but logging.
"""

from __future__ import annotations

import logging


class ServingError(Exception):
  """A request was refused or failed; the message is for the caller."""

  http_status = 500
  grpc_code = "UNKNOWN"

  @property
  def message(self) -> str:
    """The text for the caller."""
    return str(self)


class Cancelled(ServingError):
  """The caller went away before the answer was ready."""

  http_status = 499
  grpc_code = "CANCELLED"


class InvalidArgument(ServingError):
  """The inputs have names, shapes or types that the model does not take."""

  http_status = 400
  grpc_code = "INVALID_ARGUMENT"


class FailedPrecondition(ServingError):
  """The request is valid, but not for this model."""

  http_status = 400
  grpc_code = "FAILED_PRECONDITION"


class OutOfRange(ServingError):
  """An index or a range lies beyond the data."""

  http_status = 400
  grpc_code = "OUT_OF_RANGE"


class Unauthenticated(ServingError):
  """The request has no known token."""

  http_status = 401
  grpc_code = "UNAUTHENTICATED"


class PermissionDenied(ServingError):
  """The caller is known and may not do this."""

  http_status = 403
  grpc_code = "PERMISSION_DENIED"


class NotFound(ServingError):
  """There is no such model or version."""

  http_status = 404
  grpc_code = "NOT_FOUND"


class AlreadyExists(ServingError):
  """Something of that name exists already."""

  http_status = 409
  grpc_code = "ALREADY_EXISTS"


class Aborted(ServingError):
  """Another change came first."""

  http_status = 409
  grpc_code = "ABORTED"


class ResourceExhausted(ServingError):
  """The request needs more memory, or more room in a queue, than there is."""

  http_status = 429
  grpc_code = "RESOURCE_EXHAUSTED"


class TooLarge(ResourceExhausted):
  """The request is larger than the server takes, as sent or inflated or parsed."""

  http_status = 413


class TargetTooLong(ResourceExhausted):
  """Path and query are longer than the server takes."""

  http_status = 414


class HeadersTooLarge(ResourceExhausted):
  """Headers or trailers are larger than the server takes."""

  http_status = 431


class Unknown(ServingError):
  """The request failed, and no code says how."""

  http_status = 500
  grpc_code = "UNKNOWN"


class Internal(ServingError):
  """The model or the server failed; the request may well be right."""

  http_status = 500
  grpc_code = "INTERNAL"


class DataLoss(ServingError):
  """A file is damaged."""

  http_status = 500
  grpc_code = "DATA_LOSS"


class Unimplemented(ServingError):
  """The method, or an op of the model, is not there."""

  http_status = 501
  grpc_code = "UNIMPLEMENTED"


class Unavailable(ServingError):
  """The server cannot answer now and may later."""

  http_status = 503
  grpc_code = "UNAVAILABLE"


class DeadlineExceeded(ServingError):
  """The caller's deadline passed before the answer was ready."""

  http_status = 504
  grpc_code = "DEADLINE_EXCEEDED"


class TooSlow(DeadlineExceeded):
  """The caller did not send the request in the time that the server gives it."""

  http_status = 408


# TensorFlow numbers its errors as gRPC numbers its statuses.
CODE_NUMBERS = {
  "OK": 0,
  "CANCELLED": 1,
  "UNKNOWN": 2,
  "INVALID_ARGUMENT": 3,
  "DEADLINE_EXCEEDED": 4,
  "NOT_FOUND": 5,
  "ALREADY_EXISTS": 6,
  "PERMISSION_DENIED": 7,
  "RESOURCE_EXHAUSTED": 8,
  "FAILED_PRECONDITION": 9,
  "ABORTED": 10,
  "OUT_OF_RANGE": 11,
  "UNIMPLEMENTED": 12,
  "INTERNAL": 13,
  "UNAVAILABLE": 14,
  "DATA_LOSS": 15,
  "UNAUTHENTICATED": 16,
}
_CLASSES = {c.grpc_code: c for c in ServingError.__subclasses__()}
_NAMES = {number: name for name, number in CODE_NUMBERS.items()}


def for_the_caller(error: Exception, log: logging.Logger) -> ServingError:
  """Returns what the caller is told; an error that nobody foresaw is logged with its traceback."""
  if isinstance(error, ServingError):
    return error
  log.error("A request failed", exc_info=error)
  return Internal(f"{type(error).__name__}: {error}")


def error_of_code(grpc_code: str | int, message: str) -> ServingError:
  """Returns the error of a gRPC status, by name or number; a `ServingError` for an unknown one."""
  name = _NAMES.get(grpc_code, "") if isinstance(grpc_code, int) else grpc_code
  return _CLASSES.get(name, ServingError)(message)
