"""Functions that all sources of texts share: usable texts, equal texts, lengths."""

from __future__ import annotations

import bisect
import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from dlpipe.errors import BadInputError
from pipeline.sources.encoding import UndecodableError, decode, escaped


def max_chars(options: Mapping[str, Any], default: int) -> int:
  """Returns the option `max_chars`, the largest number of characters of a usable text.

  Raises:
    BadInputError: it is not a positive number.
  """
  value = options.get("max_chars")
  value = default if value is None else value
  if isinstance(value, bool) or not isinstance(value, int) or value < 1:
    raise BadInputError(f"data.max_chars must be a positive int. Received: max_chars={value!r}")
  return value


def usable(value: Any, what: str, limit: int) -> str:
  """Returns the text unchanged if it is valid.

  The graph of every exported model applies the same rule with the same messages
  (`pipeline.text.servable`); a test compares the two.

  Args:
    value: str, UTF-8 bytes, or an invalid value of another type.
    what: name of the text in messages, such as "the text".
    limit: largest number of characters.

  Raises:
    ValueError: the value is empty, too long or not a text; the quarantine stores the message.
  """
  try:
    written = decode(as_bytes(value, what))
  except UndecodableError as err:
    raise ValueError(f"{what} is {err}") from err
  if is_blank(written):
    raise ValueError(empty(what))
  if len(written) > limit:
    raise ValueError(too_long(what, limit))
  return written


def as_bytes(value: Any, what: str) -> bytes:
  """Returns the bytes to send to a model for a cell, a line or an argument; empty if missing.

  Raises:
    ValueError: the value is not a text, for example a number.
  """
  if isinstance(value, bytes):
    return value
  if isinstance(value, str):
    try:
      # Python decodes invalid bytes of an argument to surrogates; this restores the bytes.
      return value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
      return value.encode("utf-8", "surrogatepass")
  if value is None or (isinstance(value, float) and value != value):
    return b""
  raise ValueError(f"{what} is no string, but of type {type(value).__name__}")


def shown(text: str) -> str:
  """Returns the text for people and files, with invalid bytes and characters escaped."""
  return escaped(as_bytes(text, "the text"))


def empty(what: str) -> str:
  """Returns the message for an empty or invisible text."""
  return f"{what} is empty"


def too_long(what: str, limit: int) -> str:
  """Returns the message for a text with more characters."""
  return f"{what} has more characters than data.max_chars = {limit}"


# Invisible characters: spaces, controls, format marks and private ones. They are listed, because
# Python's and the graph's Unicode tables are of different years; a character newer than this list
# counts as visible.
INVISIBLE = (
  "\\x00-\\x20\\x7f-\xa0\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u1680\u180e"
  "\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ue000-\uf8ff\ufeff\ufff9-\ufffb"
  "\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
  "\U000e0001\U000e0020-\U000e007f\U000f0000-\U000ffffd\U00100000-\U0010fffd"
)
_VISIBLE = re.compile(f"[^{INVISIBLE}]")


def is_blank(text: str) -> bool:
  """Returns whether the text has only blanks, controls and zero-width characters."""
  return _VISIBLE.search(text) is None


def content(text: str) -> bytes:
  """Returns a key for the split, equal for texts that differ only in case, blanks or punctuation.

  The key is the text after NFKC and case folding, without punctuation and invisible characters,
  with one space between words. A text of punctuation only keeps it: ":)" and ":(" differ.

  >>> content("Not bad!") == content("not  bad"), content(":)") == content(":(")
  (True, False)
  """
  folded = unicodedata.normalize("NFKC", text).casefold()
  words = folded.translate(_WITHOUT_MARKS).split() or folded.split()
  return " ".join(words).encode("utf-8")


def length_bucket(text: str, bounds: Sequence[int]) -> str:
  """Returns the range of the number of words, split at blanks, such as "011-020 words".

  Args:
    text: the text.
    bounds: largest number of words of each range except the last. All numbers are padded to equal
      length, so that the ranges sort.
  """
  count = max(1, len(text.split()))
  width = len(str(bounds[-1]))
  index = bisect.bisect_left(bounds, count)
  if index == len(bounds):
    return f"{bounds[-1] + 1:0{width}}+ words"
  least = bounds[index - 1] + 1 if index else 1
  return f"{least:0{width}}-{bounds[index]:0{width}} words"


class _Translation(dict[int, "int | None"]):
  """The table of `str.translate`, filled as needed: keeps a character, or removes a mark."""

  def __missing__(self, code: int) -> int | None:
    category = unicodedata.category(chr(code))
    self[code] = None if category[0] == "P" or category == "Cf" else code
    return self[code]


_WITHOUT_MARKS = _Translation()
