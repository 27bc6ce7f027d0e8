"""What sources of texts share: which texts are usable, alike, and how long."""

from __future__ import annotations

import bisect
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from components.errors import BadInputError
from pipeline.sources.encoding import UndecodableError, decode, is_encodable


def max_chars(options: Mapping[str, Any], default: int) -> int:
  """The option `max_chars`, the most characters of a text that is used.

  Raises:
    BadInputError: it is no positive number.
  """
  value = options.get("max_chars")
  value = default if value is None else value
  if isinstance(value, bool) or not isinstance(value, int) or value < 1:
    raise BadInputError(f"data.max_chars must be a positive int. Received: max_chars={value!r}")
  return value


def usable(value: Any, what: str, limit: int) -> str:
  """The text as it was written.

  Args:
    value: str, UTF-8 bytes, or what else an input may hold instead.
    what: what to call it in messages, such as "the text".
    limit: the most characters.

  Raises:
    ValueError: it is empty, too long or no text; the message is fit for the quarantine.
  """
  if isinstance(value, bytes):
    try:
      value = decode(value)
    except UndecodableError as err:
      raise ValueError(f"{what} is {err}") from err
  if value is None or (isinstance(value, float) and value != value):
    raise ValueError(f"{what} is empty")
  if not isinstance(value, str):
    raise ValueError(f"{what} is no string, but a {type(value).__name__}")
  if len(value) > limit:
    raise ValueError(too_long(what, limit))
  if is_blank(value):
    raise ValueError(f"{what} is empty")
  if "\0" in value or not is_encodable(value):
    raise ValueError(f"{what} holds a character that is none: NUL or half a surrogate pair")
  return value


def too_long(what: str, limit: int) -> str:
  """Why a text of more characters is not used."""
  return f"{what} has more characters than data.max_chars = {limit}"


def is_blank(text: str) -> bool:
  """Whether nothing of the text is seen: blanks, controls and zero-width characters alone."""
  return not any(c.isprintable() and not c.isspace() for c in text)


def content(text: str) -> bytes:
  """What texts that differ in case, blanks or punctuation alone have in common, for their split.

  NFKC, case folded, punctuation and invisible characters dropped, one space between words. A text
  of nothing but punctuation keeps it: ":)" and ":(" are not alike.
  """
  folded = unicodedata.normalize("NFKC", text).casefold()
  words = folded.translate(_WITHOUT_MARKS).split() or folded.split()
  return " ".join(words).encode("utf-8")


def length_bucket(text: str, bounds: Sequence[int]) -> str:
  """The range of the number of words, told apart by blanks, such as "011-020 words".

  Args:
    text: the text.
    bounds: the greatest number of words of each range but the last. All numbers have as many digits
      as the greatest, so that the ranges sort.
  """
  count = max(1, len(text.split()))
  width = len(str(bounds[-1]))
  index = bisect.bisect_left(bounds, count)
  if index == len(bounds):
    return f"{bounds[-1] + 1:0{width}}+ words"
  least = bounds[index - 1] + 1 if index else 1
  return f"{least:0{width}}-{bounds[index]:0{width}} words"


class _Translation(dict[int, "int | None"]):
  """What `str.translate` puts for a character: itself, or nothing for a mark; filled as needed."""

  def __missing__(self, code: int) -> int | None:
    category = unicodedata.category(chr(code))
    self[code] = None if category[0] == "P" or category == "Cf" else code
    return self[code]


_WITHOUT_MARKS = _Translation()
