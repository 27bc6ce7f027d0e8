"""The error table: TensorFlow Serving's pairs of HTTP and gRPC codes."""

import grpc
import pytest

from serving.errors import (
  CODE_NUMBERS,
  HeadersTooLarge,
  InvalidArgument,
  ServingError,
  TargetTooLong,
  TooLarge,
  TooSlow,
  error_of_code,
)


def test_every_error_has_the_pair_of_codes_that_tensorflow_serving_gives():
  found = {c.__name__: (c.http_status, c.grpc_code) for c in ServingError.__subclasses__()}
  assert found == {
    "Cancelled": (499, "CANCELLED"),
    "InvalidArgument": (400, "INVALID_ARGUMENT"),
    "FailedPrecondition": (400, "FAILED_PRECONDITION"),
    "OutOfRange": (400, "OUT_OF_RANGE"),
    "Unauthenticated": (401, "UNAUTHENTICATED"),
    "PermissionDenied": (403, "PERMISSION_DENIED"),
    "NotFound": (404, "NOT_FOUND"),
    "AlreadyExists": (409, "ALREADY_EXISTS"),
    "Aborted": (409, "ABORTED"),
    "ResourceExhausted": (429, "RESOURCE_EXHAUSTED"),
    "Unknown": (500, "UNKNOWN"),
    "DataLoss": (500, "DATA_LOSS"),
    "Internal": (500, "INTERNAL"),
    "Unimplemented": (501, "UNIMPLEMENTED"),
    "Unavailable": (503, "UNAVAILABLE"),
    "DeadlineExceeded": (504, "DEADLINE_EXCEEDED"),
  }


@pytest.mark.parametrize("error", ServingError.__subclasses__(), ids=lambda e: e.__name__)
def test_errors_are_found_by_name_and_by_number(error):
  assert type(error_of_code(CODE_NUMBERS[error.grpc_code], "why")) is error
  made = error_of_code(error.grpc_code, "why")
  assert type(made) is error
  assert str(made) == "why"


def test_a_code_without_a_class_is_a_serving_error_of_unknown_kind():
  made = error_of_code("NO_SUCH_CODE", "why")
  assert type(made) is ServingError
  assert (made.http_status, made.grpc_code) == (500, "UNKNOWN")


def test_all_are_caught_as_one():
  with pytest.raises(ServingError, match="no"):
    raise InvalidArgument("no")


def test_what_http_alone_tells_apart_has_a_status_of_its_own():
  found = {c: (c.http_status, c.grpc_code) for c in (TooLarge, TargetTooLong, HeadersTooLarge)}
  assert found == {
    TooLarge: (413, "RESOURCE_EXHAUSTED"),
    TargetTooLong: (414, "RESOURCE_EXHAUSTED"),
    HeadersTooLarge: (431, "RESOURCE_EXHAUSTED"),
  }
  assert (TooSlow.http_status, TooSlow.grpc_code) == (408, "DEADLINE_EXCEEDED")


def test_codes_have_the_numbers_that_grpc_gives_them():
  assert {code.name: code.value[0] for code in grpc.StatusCode} == CODE_NUMBERS
