"""Turns a label, however the input holds it, into the text that names the class."""

from __future__ import annotations

import collections
import decimal
import math
import re
import unicodedata
from collections.abc import Iterable
from typing import Any

from pipeline.sources.encoding import UndecodableError, decode

# A bound on the exponent, because nobody means 1e999999999 as a number.
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d{1,4})?", re.ASCII)
# Blanks, control characters, and characters such as U+200B and U+00AD that format others.
_UNSEEN_CATEGORIES = frozenset({"Zs", "Zl", "Zp", "Cc", "Cf"})
# Further ones that Unicode calls default ignorable: joiners, Hangul fillers, variation selectors.
_UNSEEN = re.compile(
  "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\U000e0100-\U000e01ef]"
)


def label_text(value: Any) -> str:
  """The label as text: 3 and 3.0 are "3", a truth value is "true" or "false".

  Raises:
    ValueError: it is empty or no single value; the message is fit for the quarantine.
  """
  if isinstance(value, bytes):
    try:
      value = decode(value)
    except UndecodableError as err:
      raise ValueError(f"the label is {err}") from err
  if isinstance(value, bool):
    return "true" if value else "false"
  if isinstance(value, float):
    # Tables of numbers and missing values hold the numbers as floats, and nan for what is missing.
    value = None if math.isnan(value) else int(value) if value.is_integer() else value
  if value is None or value == "":
    raise ValueError("the label is empty")
  if isinstance(value, (int, float)):
    return str(value)
  if not isinstance(value, str):
    raise ValueError(f"the label is no single value, but a {type(value).__name__}")
  text = value.strip()
  if not text:
    raise ValueError("the label is empty")
  return text


def alike_labels(labels: Iterable[str]) -> list[tuple[str, ...]]:
  """The labels that a person takes for one another, in groups of two or more.

  They are the same but for case, blanks, characters that are not seen, composed or decomposed
  accents, full or half width, or how a number is written.

      >>> alike_labels(["cat", "Cat ", "dog", "1", "1.0", "2"])
      [('1', '1.0'), ('Cat ', 'cat')]
  """
  groups: dict[Any, set[str]] = collections.defaultdict(set)
  for label in labels:
    groups[_likeness(label)].add(label)
  return sorted(tuple(sorted(group)) for group in groups.values() if len(group) > 1)


def _likeness(label: str) -> Any:
  """What alike labels have in common: their number, or their text without what is not seen."""
  # Folding the case can decompose, and composing can give what folds: twice is enough.
  folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", label).casefold()).casefold()
  seen = "".join(
    c for c in _UNSEEN.sub("", folded) if unicodedata.category(c) not in _UNSEEN_CATEGORIES
  )
  if _NUMBER.fullmatch(seen):
    # Exact, whatever the number of digits; an int would refuse thousands of them.
    sign, digits, exponent = decimal.Decimal(seen).as_tuple()
    text = "".join(map(str, digits)).lstrip("0")
    cut = text.rstrip("0")
    return (sign, cut, int(exponent) + len(text) - len(cut)) if cut else (0, "", 0)
  # A label of nothing but unseen characters is only like itself.
  return seen or label
