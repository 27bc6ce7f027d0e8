"""Paths to calls, where the contract tests do not look."""

import pytest

from serving.errors import InvalidArgument
from serving.models.servable import ModelSpec
from serving.rest.routes import Route, find_route, is_api


@pytest.mark.parametrize(
  ("method", "target", "route"),
  [
    ("GET", "/v1/models/a%2Fb", Route("status", ModelSpec("a/b"))),
    ("GET", "/v1/models/a%3Ab/metadata", Route("metadata", ModelSpec("a:b"))),
    ("GET", "/v1/models/metadata", Route("status", ModelSpec("metadata"))),
    ("GET", "/v1/models/m/versions/007", Route("status", ModelSpec("m", 7))),
    (
      "GET",
      f"/v1/models/m/versions/{2**63 - 1}/metadata",
      Route("metadata", ModelSpec("m", 2**63 - 1)),
    ),
    ("POST", "/v1/models/m/labels/a%20b:regress", Route("regress", ModelSpec("m", None, "a b"))),
    ("POST", "/v1/models/%C3%A9:predict", Route("predict", ModelSpec("é"))),
  ],
)
def test_routes(method, target, route):
  assert find_route(method, target) == route


@pytest.mark.parametrize(
  "target",
  [
    "/v1/models/m/versions/x:predict",
    "/v1/models/m/versions/-1:predict",
    "/v1/models/m/versions/:predict",
    "/v1/models/m/versions/١:predict",  # noqa: RUF001
    "/v1/models/m:predict ",
    "/v1/models/m:predict/",
    "/v1/models/:predict",
    "/v1/models/m/n:predict",
    "/v1/models/m:predict:predict",
  ],
)
def test_what_is_no_call(target):
  with pytest.raises(InvalidArgument) as refused:
    find_route("POST", target)
  assert str(refused.value) == f"Malformed request: POST {target}"


@pytest.mark.parametrize(
  ("target", "is_one"),
  [("/v1/", True), ("/V1/x\ny", True), ("/v1", False), ("/v10/models", False), ("v1/", False)],
)
def test_what_belongs_to_the_api(target, is_one):
  assert is_api(target) is is_one


def test_a_version_that_no_number_of_64_bits_holds():
  with pytest.raises(InvalidArgument) as refused:
    find_route("GET", f"/v1/models/m/versions/{2**63}")
  assert str(refused.value) == "Failed to convert version: 9223372036854775808 to numeric."
