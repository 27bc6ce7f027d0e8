"""What sources of texts share: which texts are usable, alike, and how long."""

from __future__ import annotations

import bisect
import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from dlpipe.errors import BadInputError
from pipeline.sources.encoding import UndecodableError, decode, escaped


def max_chars(options: Mapping[str, Any], default: int) -> int:
  """Returns the option `max_chars`, the most characters of a text that is used.

  Raises:
    BadInputError: it is no positive number.
  """
  value = options.get("max_chars")
  value = default if value is None else value
  if isinstance(value, bool) or not isinstance(value, int) or value < 1:
    raise BadInputError(f"data.max_chars must be a positive int. Received: max_chars={value!r}")
  return value


def usable(value: Any, what: str, limit: int) -> str:
  """Returns the text as it was written, if models answer it.

  What a text may be is the same in the graph of every exported model (`pipeline.text.servable`),
  which is made of the same words and characters; a test holds the two together.

  Args:
    value: str, UTF-8 bytes, or what else an input may hold instead.
    what: what to call it in messages, such as "the text".
    limit: the most characters.

  Raises:
    ValueError: it is empty, too long or no text; the message is fit for the quarantine.
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
  """What a model is sent for a cell of a table, a line or an argument: what is missing is empty.

  Raises:
    ValueError: it is no text at all, such as a number; the message says so.
  """
  if isinstance(value, bytes):
    return value
  if isinstance(value, str):
    try:
      # Bytes of an argument that are no UTF-8 come as the halves that this turns back.
      return value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
      return value.encode("utf-8", "surrogatepass")
  if value is None or (isinstance(value, float) and value != value):
    return b""
  raise ValueError(f"{what} is no string, but of type {type(value).__name__}")


def shown(text: str) -> str:
  """Returns the text for people and files: bytes and characters that are no text are escaped."""
  return escaped(as_bytes(text, "the text"))


def empty(what: str) -> str:
  """Returns why a text of which nothing is seen is not used."""
  return f"{what} is empty"


def too_long(what: str, limit: int) -> str:
  """Returns why a text of more characters is not used."""
  return f"{what} has more characters than data.max_chars = {limit}"


# The characters of which nothing is seen: spaces, controls, format marks and private ones. Written
# out, because Python's and the graph's tables of Unicode are of different years; a character that
# is newer than this list is one that is seen.
INVISIBLE = (
  "\\x00-\\x20\\x7f-\xa0\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u1680\u180e"
  "\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ue000-\uf8ff\ufeff\ufff9-\ufffb"
  "\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
  "\U000e0001\U000e0020-\U000e007f\U000f0000-\U000ffffd\U00100000-\U0010fffd"
)
_VISIBLE = re.compile(f"[^{INVISIBLE}]")


def is_blank(text: str) -> bool:
  """Returns whether nothing of the text is seen: blanks, controls and zero-width characters alone."""
  return _VISIBLE.search(text) is None


def content(text: str) -> bytes:
  """What texts that differ in case, blanks or punctuation alone have in common, for their split.

  NFKC, case folded, punctuation and invisible characters dropped, one space between words. A text
  of nothing but punctuation keeps it: ":)" and ":(" are not alike.
  """
  folded = unicodedata.normalize("NFKC", text).casefold()
  words = folded.translate(_WITHOUT_MARKS).split() or folded.split()
  return " ".join(words).encode("utf-8")


def length_bucket(text: str, bounds: Sequence[int]) -> str:
  """Returns the range of the number of words, told apart by blanks, such as "011-020 words".

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
