"""Converts a label of any type to the text that names the class."""

from __future__ import annotations

import datetime
import decimal
import functools
import math
import re
import unicodedata
from collections.abc import Iterable
from typing import Any

from pipeline.sources.encoding import UndecodableError, decode

# Invisible format characters: soft hyphens, zero-width spaces, byte order marks, direction marks.
# Joiners are kept, because scripts and emoji need them.
_DROPPED = dict.fromkeys(
  (
    0xAD,
    0x61C,
    0x180E,
    0x200B,
    0x200E,
    0x200F,
    *range(0x202A, 0x202F),
    *range(0x2060, 0x2070),
    0xFEFF,
  )
)
_BLANKS = "".join(c for c in map(chr, range(0x3001)) if c.isspace()) + "\u200c\u200d"
_TRUTH_VALUES = ("true", "false")
_WHOLE_NUMBER = re.compile(r"(-?(?:0|[1-9]\d*))\.0+", re.ASCII)

# The exponent is bounded, because a text such as 1e999999999 is not meant as a number.
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d{1,4})?", re.ASCII)
# Letters that are drawn like Latin ones: Cyrillic small and capital, Greek small and capital.
_DRAWN = str.maketrans(
  "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456\u0458\u0455\u04bb\u0501\u051b\u051d"
  "\u0410\u0412\u0415\u041a\u041c\u041d\u041e\u0420\u0421"
  "\u0422\u0423\u0425\u0406\u0408\u0405\u050c\u051a\u051c"
  "\u03bf\u03bd\u0391\u0392\u0395\u0396\u0397\u0399\u039a"
  "\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7",
  "aeopcyxijshdqwABEKMHOPCTYXIJSGQWovABEZHIKMNOPTYX",
)
# Blanks, control characters, and format characters such as U+200B and U+00AD.
_UNSEEN_CATEGORIES = frozenset({"Zs", "Zl", "Zp", "Cc", "Cf"})
# Further default-ignorable characters of Unicode: joiners, Hangul fillers, variation selectors.
_UNSEEN = re.compile(
  "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\U000e0100-\U000e01ef]"
)


def label_text(value: Any) -> str:
  """Returns the label as text, by rules that depend on this value only.

  A number without a fraction is written without a point, and a boolean in lower case, whether the
  input holds a value or text. Accents are composed, and format characters and blanks at either end
  are removed. Everything else is unchanged.

      >>> [label_text(v) for v in (3, 3.0, "3.0", True, "TRUE", "007", " NaN ")]
      ['3', '3', '3', 'true', 'true', '007', 'NaN']

  Raises:
    ValueError: the label is empty, not a single value, or not a line of text; the quarantine stores
      the message.
  """
  if isinstance(value, bytes):
    try:
      value = decode(value)
    except UndecodableError as err:
      raise ValueError(f"the label is {err}") from err
  return _class_name(value if isinstance(value, str) else _written(value))


def alike_labels(labels: Iterable[str]) -> list[tuple[str, ...]]:
  """Returns groups of two or more labels that look alike to a person.

  Labels of a group differ only in case, blanks, invisible characters, composed or decomposed
  accents, full or half width, the notation of a number, or letters of other alphabets that are
  drawn like Latin ones.

      >>> alike_labels(["cat", "Cat ", "dog", "1", "1.0", "2"])
      [('1', '1.0'), ('Cat ', 'cat')]
  """
  groups: dict[Any, set[str]] = {}
  for label in labels:
    # "KOT" is drawn alike in Latin and Cyrillic, "kot" is not: a label joins groups of both kinds.
    keys = _likeness(label), _likeness(drawn(label))
    group = {label}.union(*(groups.get(key, ()) for key in keys))
    for each in group:
      groups[_likeness(each)] = groups[_likeness(drawn(each))] = group
  found = {tuple(sorted(group)) for group in groups.values()}
  return sorted(group for group in found if len(group) > 1)


def drawn(label: str) -> str:
  """Returns a label in the Latin letters that look like those it has."""
  return label.translate(_DRAWN)


@functools.lru_cache(maxsize=4096)  # a table has few labels and many rows
def _class_name(written: str) -> str:
  text = unicodedata.normalize("NFC", written.translate(_DROPPED)).strip(_BLANKS)
  if not text:
    raise ValueError("the label is empty")
  fault = next((c for c in text if _is_fault(c)), None)
  if fault:
    raise ValueError(f"the label holds {_name(fault)}; a class is called by one line of text")
  if text.lower() in _TRUTH_VALUES:
    return text.lower()
  whole = _WHOLE_NUMBER.fullmatch(text)
  if whole:
    return "0" if whole[1] == "-0" else whole[1]
  return text


def _written(value: Any) -> str:
  """Converts a value that is not a text to text; a missing value becomes empty."""
  if value is None or (isinstance(value, float) and math.isnan(value)):
    return ""  # numeric tables mark a missing value by nan
  if isinstance(value, bool):
    return str(value)
  if isinstance(value, float):
    if math.isinf(value):
      raise ValueError(f"the label is {value}, no finite number")
    # Without an exponent such as 1e+16, because other tables write the integer in full.
    return str(int(value)) if value.is_integer() else str(value)
  if isinstance(value, decimal.Decimal) and value.is_finite():
    written = format(value or abs(value), "f")  # without the sign of -0.00
    return written.rstrip("0").rstrip(".") if "." in written else written
  if isinstance(value, (int, datetime.date, datetime.time)):
    return str(value)
  raise ValueError(
    f"the label is no single value, but a {type(value).__name__}; cast the column to text or to a "
    "number"
  )


def _is_fault(character: str) -> bool:
  """Returns whether a label may not contain a character: line ends, controls and lone surrogates.

  TensorFlow Transform's vocabularies drop entries with LF or CR.
  """
  return character != "\t" and unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")


def _name(character: str) -> str:
  if len(("." + character + ".").splitlines()) > 1:
    what = "a line break"
  elif unicodedata.category(character) == "Cs":
    what = "half a surrogate pair"
  else:
    what = "a control character" if ord(character) else "a NUL"
  return f"{what} (U+{ord(character):04X})"


def _likeness(label: str) -> Any:
  """Returns a key that alike labels share: their number, or their text without invisible parts."""
  # Case folding can decompose, and composing can give characters that fold: twice is enough.
  folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", label).casefold()).casefold()
  seen = "".join(
    c for c in _UNSEEN.sub("", folded) if unicodedata.category(c) not in _UNSEEN_CATEGORIES
  )
  if _NUMBER.fullmatch(seen):
    # Exact for any number of digits; an int refuses thousands of digits.
    sign, digits, exponent = decimal.Decimal(seen).as_tuple()
    text = "".join(map(str, digits)).lstrip("0")
    cut = text.rstrip("0")
    return (sign, cut, int(exponent) + len(text) - len(cut)) if cut else (0, "", 0)
  # A label of invisible characters only is alike to no other.
  return seen or label
