"""Everything a request can be refused with, and what each protocol calls it.

    ServingError              HTTP  gRPC
    +-- InvalidArgument       400   INVALID_ARGUMENT     the request cannot be right for this model
    +-- FailedPrecondition    400   FAILED_PRECONDITION  this model has no such signature
    +-- NotFound              404   NOT_FOUND            no such model or version
    +-- ResourceExhausted     429   RESOURCE_EXHAUSTED   too large, or waited too long in a queue
    +-- Internal              500   INTERNAL             the model failed, or cannot be loaded
    +-- Unimplemented         501   UNIMPLEMENTED        a method or an op that is not there
    +-- Unavailable           503   UNAVAILABLE          not now; try again
    +-- DeadlineExceeded      504   DEADLINE_EXCEEDED    not in the time the caller gave

The class carries both codes, so no two tables have to agree. The pairs are TensorFlow Serving's.
Imports nothing.
"""

from __future__ import annotations


class ServingError(Exception):
  """A request that gets no prediction; the message is for the caller."""

  http_status = 500
  grpc_code = "UNKNOWN"


class InvalidArgument(ServingError):
  """The request names, shapes or types its inputs as the model does not take them."""

  http_status = 400
  grpc_code = "INVALID_ARGUMENT"


class FailedPrecondition(ServingError):
  """The request is sound but not for this model."""

  http_status = 400
  grpc_code = "FAILED_PRECONDITION"


class NotFound(ServingError):
  """There is no such model or version."""

  http_status = 404
  grpc_code = "NOT_FOUND"


class ResourceExhausted(ServingError):
  """The request needs more memory or queue than there is."""

  http_status = 429
  grpc_code = "RESOURCE_EXHAUSTED"


class Internal(ServingError):
  """The model or the server failed; the request may well be right."""

  http_status = 500
  grpc_code = "INTERNAL"


class Unimplemented(ServingError):
  """The method, or an op of the model, is not there."""

  http_status = 501
  grpc_code = "UNIMPLEMENTED"


class Unavailable(ServingError):
  """The server cannot answer now and may later."""

  http_status = 503
  grpc_code = "UNAVAILABLE"


class DeadlineExceeded(ServingError):
  """The caller's time was over before the answer was ready."""

  http_status = 504
  grpc_code = "DEADLINE_EXCEEDED"


def error_of_code(grpc_code: str, message: str) -> ServingError:
  """The error of a gRPC status; a code without a class of its own is a plain `ServingError`."""
  classes = {c.grpc_code: c for c in ServingError.__subclasses__()}
  return classes.get(grpc_code, ServingError)(message)
