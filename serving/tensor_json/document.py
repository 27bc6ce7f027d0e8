"""Request bodies to values: simdjson where it is certain to read what RapidJSON reads.

Three ways, the fastest first: a body that holds nothing but one tensor of numbers becomes an array
without a Python object for each; any other regular JSON becomes dicts and lists; what simdjson
refuses, or would read otherwise, goes to `reader.py`.
"""

from __future__ import annotations

import dataclasses
import math
import re
import threading
from typing import Any

import numpy as np
import simdjson

from serving.tensor_json.dtypes import Array
from serving.tensor_json.reader import read_document

_NOT_STRUCTURE = bytes(set(range(256)) - set(b"[],"))
_MEMBER = re.compile(rb'"[ \t\r\n]*:')
_REFUSALS = (ValueError, RuntimeError)  # what simdjson raises, its UnicodeDecodeError included


class _Parsers(threading.local):
  """One simdjson parser a thread: its buffers are reused, and no result outlives a call here."""

  def __init__(self) -> None:
    self.parser = simdjson.Parser()


_parsers = _Parsers()


@dataclasses.dataclass(frozen=True)
class Numbers:
  """A body that is one tensor of numbers.

  Attributes:
    key: `instances` or `inputs`.
    signature_name: as given; "" where it is not.
    array: `float64`, or `int64` where no number has a fraction or an exponent.
  """

  key: str
  signature_name: str
  array: Array


def read_numbers(body: bytes) -> Numbers | None:
  """The one tensor of numbers that the body is; None where it is anything else."""
  quotes = body.count(b'"')
  # Two: the key alone. Six: beside it `signature_name` and its value.
  if quotes not in (2, 6) or body.count(b"{") != 1 or b"\\" in body:
    return None
  try:
    root = _parsers.parser.parse(body)
  except _REFUSALS:
    return None
  return _numbers(root, body, named=quotes == 6)


def _numbers(root: Any, body: bytes, *, named: bool) -> Numbers | None:
  if not isinstance(root, simdjson.Object):
    return None
  keys = set(root)
  signature_name: Any = ""
  if named:
    signature_name = root["signature_name"] if "signature_name" in keys else None
    if not isinstance(signature_name, str) or set(signature_name) & set("[],{:"):
      return None
  key = next((name for name in ("instances", "inputs") if name in keys), None)
  if key is None or len(keys) != (2 if named else 1):
    return None
  values = root[key]
  if not isinstance(values, simdjson.Array):
    return None
  shape = _regular_shape(body.translate(None, _NOT_STRUCTURE).strip(b","))
  if shape is None:
    return None
  # `e` and `E` would also be in the names.
  is_whole = b"." not in body and not re.search(rb"[0-9][eE]", body)
  try:
    flat = np.frombuffer(
      values.as_buffer(of_type="i" if is_whole else "d"), np.int64 if is_whole else np.float64
    )
  except (*_REFUSALS, TypeError):
    return None
  if not flat.size or flat.size != math.prod(shape) or len(shape) > 32:
    return None
  return Numbers(key, signature_name, flat.reshape(shape))


def _regular_shape(brackets: bytes) -> tuple[int, ...] | None:
  """The shape of nested lists, of which only `[`, `]` and `,` are left; None where ragged.

  A list of one element looks like an empty one: the caller compares the number of elements.
  """
  rank = len(brackets) - len(brackets.lstrip(b"["))
  if not rank or rank > 32:
    return None
  end = brackets.find(b"]")
  sizes = [end - rank + 1]
  block = brackets[rank - 1 : end + 1]
  for level in range(rank - 2, -1, -1):
    depth = rank - level
    end = brackets.find(b"]" * depth) + depth - 1
    count = (end - level) // (len(block) + 1)
    if count < 1 or count * len(block) > len(brackets):
      return None
    block = b"[" + b",".join([block] * count) + b"]"
    sizes.append(count)
  return tuple(reversed(sizes)) if block == brackets else None


def read_values(body: bytes) -> Any:
  """The body's first JSON value.

  Raises:
    InvalidArgument: it is not JSON.
  """
  try:
    value = _python(_parsers.parser.parse(body))
  except _REFUSALS:
    return read_document(body)
  # simdjson keeps the last of two members of one name, RapidJSON finds the first.
  members = _count_members(value)
  if members == body.count(b":") or members == len(_MEMBER.findall(body)):
    return value
  return read_document(body)


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
