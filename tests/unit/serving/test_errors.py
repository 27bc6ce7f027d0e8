"""The error table: TensorFlow Serving's pairs of HTTP and gRPC codes."""

import pytest

from serving.errors import InvalidArgument, ServingError, error_of_code


def test_every_error_has_the_pair_of_codes_that_tensorflow_serving_gives():
  found = {c.__name__: (c.http_status, c.grpc_code) for c in ServingError.__subclasses__()}
  assert found == {
    "InvalidArgument": (400, "INVALID_ARGUMENT"),
    "FailedPrecondition": (400, "FAILED_PRECONDITION"),
    "NotFound": (404, "NOT_FOUND"),
    "ResourceExhausted": (429, "RESOURCE_EXHAUSTED"),
    "Internal": (500, "INTERNAL"),
    "Unimplemented": (501, "UNIMPLEMENTED"),
    "Unavailable": (503, "UNAVAILABLE"),
    "DeadlineExceeded": (504, "DEADLINE_EXCEEDED"),
  }


@pytest.mark.parametrize("error", ServingError.__subclasses__(), ids=lambda e: e.__name__)
def test_errors_are_found_by_code(error):
  made = error_of_code(error.grpc_code, "why")
  assert type(made) is error
  assert str(made) == "why"


def test_a_code_without_a_class_is_a_serving_error_of_unknown_kind():
  made = error_of_code("ABORTED", "why")
  assert type(made) is ServingError
  assert (made.http_status, made.grpc_code) == (500, "UNKNOWN")


def test_all_are_caught_as_one():
  with pytest.raises(ServingError, match="no"):
    raise InvalidArgument("no")
