"""Request bodies to values: by simdjson if it surely reads what RapidJSON reads.

There are three ways, the fastest first: a body that holds only one tensor of numbers becomes an
array without a Python object for each (`numbers.py`); any other regular JSON becomes dicts and
lists; JSON that simdjson refuses, or would read in another way, goes to `reader.py`.
"""

from __future__ import annotations

import re
from typing import Any

import simdjson

from serving.tensor_json.budget import Budget
from serving.tensor_json.numbers import REFUSALS, parser_for
from serving.tensor_json.reader import read_document

_MEMBER = re.compile(rb'"[ \t\r\n]*:')
# Bytes of memory at most for each of these characters, and for each byte of the body (its copy for
# simdjson, simdjson's strings, Python's strings), as `tests/unit/serving/tensor_json/
# test_budget.py` measures them.
_COSTS = ((b",", 56), (b"[", 110), (b"{", 250), (b":", 220))
_BYTE_COST = 3


def read_values(body: bytes, budget: Budget | None = None) -> Any:
  """Returns the body's first JSON value.

  Args:
    body: the request's.
    budget: what that may cost; None is no limit.

  Raises:
    InvalidArgument: it is not JSON.
    TooLarge, DeadlineExceeded: reading costs more.
  """
  budget = budget or Budget()
  cost = _BYTE_COST * len(body) + sum(body.count(what) * each for what, each in _COSTS)
  budget.read(cost)
  try:
    value = _python(parser_for(body).parse(body))
  except REFUSALS:
    return _read_exactly(body, budget, cost)
  # simdjson keeps the last of two members of one name, RapidJSON finds the first.
  members = _count_members(value)
  if members == body.count(b":") or members == len(_MEMBER.findall(body)):
    return value
  del value
  return _read_exactly(body, budget, cost)


def _read_exactly(body: bytes, budget: Budget, cost: int) -> Any:
  budget.read(cost + len(body))
  return read_document(body, budget)


def _python(value: Any) -> Any:
  if isinstance(value, simdjson.Object):
    return value.as_dict()
  return value.as_list() if isinstance(value, simdjson.Array) else value


def _count_members(value: Any) -> int:
  count, rest = 0, [value]
  while rest:
    item = rest.pop()
    if isinstance(item, dict):
      count += len(item)
      item = item.values()
    elif not isinstance(item, list):
      continue
    types = set(map(type, item))
    if list in types or dict in types:
      rest.extend(item)
  return count
