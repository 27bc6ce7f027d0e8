"""Reads a body that holds only one tensor of numbers to an array, without an object for each.

A small body is read at once. A large one is read in pieces, so that it takes little more memory
than its text and its array, and can be given up between two pieces.
"""

from __future__ import annotations

import dataclasses
import math
import re
import threading
from typing import Any

import numpy as np
import simdjson

from serving.tensor_json.budget import Budget
from serving.tensor_json.dtypes import Array

REFUSALS = (ValueError, RuntimeError)  # simdjson's errors, its UnicodeDecodeError included
_NOT_STRUCTURE = bytes(set(range(256)) - set(b"[],"))
# Largest body of a parser that is kept: its buffers stay as large as the largest body it read.
_KEPT_BYTES = 1 << 20
_PIECE_BYTES = 1 << 20
_SPACE = b" \t\r\n"
_BRACKETS_TO_SPACE = bytes.maketrans(b"[]", b"  ")
_NUMBERS_TO_ZERO = bytes.maketrans(b"123456789+-.eE", b"0" * 14)
# Bytes of memory for each number: as float64, in the model's type, and three times its comma.
_NUMBER_COST = 24


class _Parsers(threading.local):
  """One simdjson parser for each thread: buffers are reused, no result outlives a call here."""

  def __init__(self) -> None:
    self.parser = simdjson.Parser()


_parsers = _Parsers()


def parser_for(body: bytes) -> Any:
  """This thread's parser, or a new one for a large body."""
  return _parsers.parser if len(body) <= _KEPT_BYTES else simdjson.Parser()


@dataclasses.dataclass(slots=True)
class Numbers:
  """A body that is one tensor of numbers.

  Attributes:
    key: `instances` or `inputs`.
    signature_name: as given; "" if it is not.
    array: `float64`, or `int64` if no number has a fraction or an exponent.
  """

  key: str
  signature_name: str
  array: Array


def read_numbers(body: bytes, budget: Budget | None = None) -> Numbers | None:
  """Returns the one tensor of numbers that the body holds; None if it holds anything else.

  Args:
    body: the request's.
    budget: what that may cost; None is no limit.

  Raises:
    TooLarge, DeadlineExceeded: reading costs more.
  """
  quotes = body.count(b'"')
  # Two: the key alone. Six: beside it `signature_name` and its value.
  if quotes not in (2, 6) or body.count(b"{") != 1 or b"\\" in body:
    return None
  if len(body) > _PIECE_BYTES:
    return _in_pieces(body, quotes == 6, budget or Budget())
  try:
    return _numbers(parser_for(body).parse(body), body, named=quotes == 6)
  except REFUSALS:
    return None


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
  except (*REFUSALS, TypeError):
    return None
  if not flat.size or flat.size != math.prod(shape) or len(shape) > 32:
    return None
  return Numbers(key, signature_name, flat.reshape(shape))


def _regular_shape(brackets: bytes) -> tuple[int, ...] | None:
  """Returns the shape of nested lists, reduced to `[`, `]` and `,`; None if they are ragged.

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
    # `join` needs eighty bytes more for each block.
    block = b"".join((b"[", (block + b",") * (count - 1), block, b"]"))
    sizes.append(count)
  return tuple(reversed(sizes)) if block == brackets else None


def _in_pieces(body: bytes, named: bool, budget: Budget) -> Numbers | None:
  """Reads as `_numbers` does, but a piece of the numbers at a time."""
  start, end = body.find(b"["), body.rfind(b"]") + 1
  if not 0 <= start < end:
    return None
  skeleton = body[:start] + b"[0]" + body[end:]
  if len(skeleton) > _PIECE_BYTES:
    return None
  try:
    found = _numbers(simdjson.Parser().parse(skeleton), skeleton, named=named)
  except REFUSALS:
    return None
  if found is None:
    return None
  count = body.count(b",", start, end) + 1
  budget.read(_NUMBER_COST * count + body.count(b"[") + 16 * _PIECE_BYTES)
  shape = _regular_shape(body[start:end].translate(None, _NOT_STRUCTURE).strip(b","))
  if shape is None or math.prod(shape) != count or len(shape) > 32:
    return None
  is_whole = not any(body.find(mark, start, end) >= 0 for mark in (b".", b"e", b"E"))
  array = np.empty(count, np.int64 if is_whole else np.float64)
  parser, at, filled = simdjson.Parser(), start, 0
  while at < end:
    budget.check()
    comma = body.find(b",", at + _PIECE_BYTES, end)
    piece = body[at : comma if comma >= 0 else end]
    at += len(piece) + 1
    if len(piece) > 2 * _PIECE_BYTES:  # long white space, or a number of a million digits
      piece = _without_long_space(piece)
      if len(piece) > 2 * _PIECE_BYTES:
        return None
    try:
      values = _piece(parser, piece, is_whole)
    except (*REFUSALS, TypeError):
      return None
    if values is None or filled + values.size > count:
      return None
    array[filled : filled + values.size] = values
    filled += values.size
    del values  # the result is in the parser's memory
  if filled != count:
    return None
  return Numbers(found.key, found.signature_name, array.reshape(shape))


def _without_long_space(piece: bytes) -> bytes:
  # `split` treats these as white space, and JSON does not.
  return piece if b"\v" in piece or b"\f" in piece else b" ".join(piece.split())


def _piece(parser: Any, piece: bytes, is_whole: bool) -> Array | None:
  """Returns the numbers between two commas; None if one is before `[` or after `]`."""
  marks = piece.translate(_NUMBERS_TO_ZERO, _SPACE)
  if b"0[" in marks or b"]0" in marks:
    return None
  numbers = parser.parse(b"[" + piece.translate(_BRACKETS_TO_SPACE) + b"]")
  buffer = numbers.as_buffer(of_type="i" if is_whole else "d")
  return np.frombuffer(buffer, np.int64 if is_whole else np.float64)
