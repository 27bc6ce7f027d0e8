"""Finds the call that a verb and a path stand for.

Source: tensorflow_serving/model_servers/{http_server,http_rest_api_util,http_rest_api_handler}.cc.
"""

from __future__ import annotations

import dataclasses
import functools
import re
from urllib.parse import unquote

from serving.errors import InvalidArgument
from serving.models.servable import ModelSpec

_API = re.compile(r"(?i)/v1/.*", re.ASCII | re.DOTALL)
_WHICH = r"(?:(?:/versions/([0-9]+))|(?:/labels/([^/:]+)))?"
_POST = re.compile(rf"(?i)/v1/models/([^/:]+){_WHICH}:(classify|regress|predict)", re.ASCII)
_GET = re.compile(rf"(?i)/v1/models(?:/([^/:]+))?{_WHICH}(?:/(metadata))?", re.ASCII)
_CALLS = ("classify", "regress", "predict")
_INT64_MAX = 2**63 - 1

STATUS, METADATA = "status", "metadata"


@dataclasses.dataclass(frozen=True)
class Route:
  """A call and the model that it is for."""

  call: str
  spec: ModelSpec


def is_api(target: str) -> bool:
  """Returns whether a path is the API's at all; others are 404."""
  return _API.fullmatch(target) is not None


# Callers ask for the same few paths again and again; refusals are not cached.
@functools.lru_cache(maxsize=256)
def find_route(method: str, target: str) -> Route:
  """Returns the call that a request makes.

  Args:
    method: the verb.
    target: path and query as they were sent. The query is part of what must match, and names are
      percent-decoded after the match.

  Raises:
    InvalidArgument: there is no such call, or the version is too large.
  """
  if method == "POST":
    match = _POST.fullmatch(target)
    if match and match[4] in _CALLS:
      return Route(match[4], _spec(match[1], match[2], match[3]))
  elif method == "GET":
    match = _GET.fullmatch(target)
    if match:
      if not match[1]:
        raise InvalidArgument("Missing model name in request.")
      return Route(METADATA if match[4] else STATUS, _spec(match[1], match[2], match[3]))
  raise InvalidArgument(f"Malformed request: {method} {target}")


def _spec(name: str, version: str | None, label: str | None) -> ModelSpec:
  number = None
  if version:
    number = int(version[:4000])
    if number > _INT64_MAX:
      raise InvalidArgument(f"Failed to convert version: {version} to numeric.")
  return ModelSpec(unquote(name), number, unquote(label) if label else None)
