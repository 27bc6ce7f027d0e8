r"""Reads any JSON that TensorFlow Serving reads, as exactly as RapidJSON does, errors included.

This is the slow way to parse, for JSON that simdjson refuses: NaN and Infinity, strings that are
not UTF-8, deep nesting, numbers beyond 64 bits, trailing bytes, syntax errors. Nothing recurses, so
500,000 nested lists are one more document.

Values are dict, list, str, int, float, bool and None. A string that is not UTF-8 is `bytes`. Whole
numbers beyond 64 bits are floats, as in RapidJSON. An object with a name given twice is a
`Repeated`.

Source: RapidJSON's reader.h (`IterativeParse`, with `kParseNanAndInfFlag` and
`kParseStopWhenDoneFlag`) and error/en.h.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

import simdjson

from serving.errors import InvalidArgument
from serving.tensor_json.budget import Budget

EMPTY = "The document is empty."
INVALID = "Invalid value."
MISSING_NAME = "Missing a name for object member."
MISSING_COLON = "Missing a colon after a name of object member."
MISSING_COMMA_IN_OBJECT = "Missing a comma or } after an object member."
MISSING_COMMA_IN_ARRAY = "Missing a comma or ] after an array element."
BAD_HEX = "Incorrect hex digit after \\u escape in string."
BAD_SURROGATE = "The surrogate pair in string is invalid."
BAD_ESCAPE = "Invalid escape character in string."
MISSING_QUOTE = "Missing a closing quotation mark in string."
BAD_ENCODING = "Invalid encoding in string."
TOO_BIG = "Number too big to be stored in double."
MISSING_FRACTION = "Miss fraction part in number."
MISSING_EXPONENT = "Miss exponent in number."

_BOM = b"\xef\xbb\xbf"
_SPACE = re.compile(rb"[ \t\r\n]*")
_NUMBER = re.compile(rb"(-?(?:0|[1-9][0-9]*))(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_PLAIN = re.compile(rb'[^"\\\x00-\x1f]*')
_HEX = re.compile(rb"[0-9a-fA-F]{4}")
_FLAT = re.compile(rb"\[[-+.0-9eENaIinfty, \t\r\n]{200,}\]")
_ESCAPES = {
  ord('"'): b'"',
  ord("\\"): b"\\",
  ord("/"): b"/",
  ord("b"): b"\b",
  ord("f"): b"\f",
  ord("n"): b"\n",
  ord("r"): b"\r",
  ord("t"): b"\t",
}
_LITERALS = {ord("n"): (b"null", None), ord("t"): (b"true", True), ord("f"): (b"false", False)}
_OPENS_NO_DOCUMENT = frozenset(b"\0}],:")


class Repeated(dict[Any, Any]):
  """An object with a repeated name. Look-up finds the first; `members` has them all, in order."""

  def __init__(self, members: list[tuple[str | bytes, Any]]):
    """Takes over the members.

    Args:
      members: name and value of every member.
    """
    super().__init__(reversed(members))
    self.members = members


def members_of(value: dict[Any, Any]) -> list[tuple[str | bytes, Any]]:
  """Returns every member of an object in order, repeated ones included."""
  return value.members if isinstance(value, Repeated) else list(value.items())


def read_document(body: bytes, budget: Budget | None = None) -> Any:
  """Returns the first JSON value of `body`; what follows it is ignored.

  Args:
    body: the request's.
    budget: what that may cost in time; None means no limit. The caller has asked for the memory.

  Raises:
    InvalidArgument: it is not JSON; `JSON Parse error: <what> at offset: <byte>`.
    TooLarge, DeadlineExceeded: it costs more.
  """
  budget = budget or Budget()
  # The zero byte ends the document, as in RapidJSON, so that no look ahead needs a bound.
  text = body + b"\0"
  at = _after_space(text, len(_BOM) if body.startswith(_BOM) else 0)
  if text[at] in _OPENS_NO_DOCUMENT:
    raise _error(EMPTY, at)
  containers: list[list[Any]] = []
  names: list[str | bytes | None] = []  # of the member being read; None within a list
  value: Any
  while True:
    budget.step()
    first = text[at]
    if first == 0x7B:  # {
      at = _after_space(text, at + 1)
      if text[at] != 0x7D:
        name, at = _name(text, at, budget)
        containers.append([])
        names.append(name)
        continue
      value, at = {}, at + 1
    elif first == 0x5B:  # [
      flat = _flat_numbers(text, at)
      if flat is not None:
        value, at = flat
      else:
        at = _after_space(text, at + 1)
        if text[at] != 0x5D:
          containers.append([])
          names.append(None)
          continue
        value, at = [], at + 1
    else:
      value, at = _scalar(text, at, budget)
    while True:
      if not containers:
        return value
      at = _after_space(text, at)
      after, container, member = text[at], containers[-1], names[-1]
      if member is None:
        container.append(value)
        if after == 0x2C:
          at = _after_space(text, at + 1)
          break
        if after != 0x5D:
          raise _error(MISSING_COMMA_IN_ARRAY, at)
        value = container
      else:
        container.append((member, value))
        if after == 0x2C:
          names[-1], at = _name(text, _after_space(text, at + 1), budget)
          break
        if after != 0x7D:
          raise _error(MISSING_COMMA_IN_OBJECT, at)
        value = _object(container)
      at += 1
      containers.pop()
      names.pop()


def _error(what: str, offset: int) -> InvalidArgument:
  return InvalidArgument(f"JSON Parse error: {what} at offset: {offset}")


def _after_space(text: bytes, at: int) -> int:
  if text[at] > 0x20:
    return at
  match = _SPACE.match(text, at)
  return match.end() if match else at


def _object(members: list[tuple[str | bytes, Any]]) -> dict[Any, Any]:
  found = dict(members)
  return found if len(found) == len(members) else Repeated(members)


def _name(text: bytes, at: int, budget: Budget) -> tuple[str | bytes, int]:
  if text[at] != 0x22:
    raise _error(MISSING_NAME, at)
  name, at = _string(text, at, budget)
  at = _after_space(text, at)
  if text[at] != 0x3A:
    raise _error(MISSING_COLON, at)
  return name, _after_space(text, at + 1)


def _flat_numbers(text: bytes, at: int) -> tuple[list[Any], int] | None:
  """Returns a long list of numbers, read at once; None if it is no such list."""
  match = _FLAT.match(text, at)
  if match is None:
    return None
  try:
    numbers: Any = simdjson.Parser().parse(match[0]).as_list()  # type: ignore[union-attr]
  except (ValueError, RuntimeError):
    numbers = _with_constants(match[0])
  return None if numbers is None else (numbers, match.end())


def _with_constants(text: bytes) -> list[Any] | None:
  """Returns a list with NaN or Infinity; None if only the reader can read or refuse it."""
  if b"N" not in text and b"I" not in text:
    return None
  try:
    numbers = json.loads(text)
  except ValueError:
    return None
  infinite = sum(map(math.isinf, numbers))  # if there are more than are written, one is too big for
  # a double
  whole = [number for number in numbers if isinstance(number, int)]
  if infinite != text.count(b"Infinity") or any(not -(2**63) <= n < 2**64 for n in whole):
    return None
  return numbers


def _scalar(text: bytes, at: int, budget: Budget) -> tuple[Any, int]:
  first = text[at]
  if first == 0x22:
    return _string(text, at, budget)
  if first in _LITERALS:
    word, value = _LITERALS[first]
    return value, _consumed(text, at, word)
  return _number(text, at)


def _consumed(text: bytes, at: int, word: bytes) -> int:
  """Returns the offset after `word`, which must stand at `at`."""
  for index, expected in enumerate(word):
    if text[at + index] != expected:
      raise _error(INVALID, at + index)
  return at + len(word)


def _number(text: bytes, at: int) -> tuple[int | float, int]:
  match = _NUMBER.match(text, at)
  if match is None:
    return _not_finite(text, at)
  end = match.end()
  if match[3] is None and text[end] in b"eE":
    raise _error(MISSING_EXPONENT, end + 1 + (text[end + 1] in b"+-"))
  if match[2] is None and match[3] is None:
    if text[end] == 0x2E:
      raise _error(MISSING_FRACTION, end + 1)
    if len(match[0]) <= 20:
      whole = int(match[0])
      if -(2**63) <= whole < 2**64:
        return whole, end
  number = float(match[0])
  if number in (float("inf"), float("-inf")):
    raise _error(TOO_BIG, at)
  return number, end


def _not_finite(text: bytes, at: int) -> tuple[float, int]:
  minus = text[at] == 0x2D
  at += minus
  if text[at] == 0x4E:
    return float("nan"), _consumed(text, at, b"NaN")
  if text[at] != 0x49:
    raise _error(INVALID, at)
  at = _consumed(text, at, b"Inf")
  if text[at] == 0x69:
    at = _consumed(text, at, b"inity")
  return float("-inf" if minus else "inf"), at


def _string(text: bytes, at: int, budget: Budget) -> tuple[str | bytes, int]:
  found = bytearray()
  at += 1
  while True:
    match = _PLAIN.match(text, at)
    if match is not None:
      found += match[0]
      at = match.end()
    byte = text[at]
    if byte == 0x22:
      return _decoded(found), at + 1
    if byte != 0x5C:
      raise _error(BAD_ENCODING if byte else MISSING_QUOTE, at)
    budget.step()
    escape = text[at + 1]
    if escape in _ESCAPES:
      found += _ESCAPES[escape]
      at += 2
    elif escape == 0x75:
      piece, at = _unicode(text, at)
      found += piece
    else:
      raise _error(BAD_ESCAPE, at)


def _unicode(text: bytes, at: int) -> tuple[bytes, int]:
  """Returns the character of the escape at `at`, as UTF-8, and the offset after it."""
  code, end = _hex(text, at + 2, at), at + 6
  if 0xD800 <= code <= 0xDFFF:
    if code > 0xDBFF or text[end : end + 2] != b"\\u":
      raise _error(BAD_SURROGATE, at)
    low, end = _hex(text, end + 2, at), end + 6
    if not 0xDC00 <= low <= 0xDFFF:
      raise _error(BAD_SURROGATE, at)
    code = 0x10000 + ((code - 0xD800) << 10 | (low - 0xDC00))
  return chr(code).encode(), end


def _hex(text: bytes, at: int, escape_at: int) -> int:
  match = _HEX.match(text, at)
  if match is None:
    raise _error(BAD_HEX, escape_at)
  return int(match[0], 16)


def _decoded(raw: bytearray) -> str | bytes:
  try:
    return raw.decode("utf-8")
  except UnicodeDecodeError:
    return bytes(raw)
