"""Checks by a sample of the input that its two sides are sentences and their translations.

Ids, numbers, language codes and constant values are not sentences. A model would learn from them
without an error, so they are refused unless the user named the column.
"""

from __future__ import annotations

import collections
import math
import re
from collections.abc import Sequence

from dlpipe.errors import BadInputError
from pipeline.sources.class_counts import names

LOOKED_AT = 2000  # pairs, from all over the input
_MOST = 0.95  # smallest share of the values that must match
_LEAST = 8  # values; fewer may be equal by chance
_LEAST_CODES = 3
_EQUAL = 0.5  # largest share of pairs with equal sides
_TURNED = -8.0  # natural logarithm of the odds that the sides are the right way round
_LEAST_TURNED = 3
_SENTENCE_WORDS = 3  # on average, if the other side has single words
_NUMBER = re.compile(r"[\d\s.,:/+-]*\d[\d\s.,:/+TZ-]*$")
_ID = re.compile(r"(?=[^\d]*\d)[A-Za-z0-9_.:/#?&=%-]+$|https?://\S+$")
_CODE = re.compile(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*$")
_CODES = 20

Pair = tuple[str, str]


def fault(values: Sequence[str]) -> str | None:
  """Describes the content of a column that has no sentences; None if it may have sentences.

  >>> fault(["1276", "1277", "1278"])
  'numbers'
  """
  filled = [value.strip() for value in values if value.strip()]
  if not filled:
    return "nothing"
  if _are(filled, _NUMBER):
    return "numbers"
  if _are(filled, _ID):
    return "ids"
  different = set(filled)
  if len(filled) >= _LEAST and len(different) == 1:
    return f"nothing but {names(different)}"
  few = len(different) <= min(_CODES, max(1, len(filled) // 4))
  if few and len(filled) >= _LEAST_CODES and _are(filled, _CODE):
    return f"codes such as {names(sorted(different)[:2])}"
  if len(different) <= len(filled) // _LEAST and not any(" " in value for value in different):
    return f"few different words such as {names(sorted(different)[:2])}"
  return None


def require(pairs: Sequence[Pair], places: Sequence[str], *, source: str, advice: str) -> None:
  """Raises `BadInputError` if a side does not hold sentences, or if both sides are equal.

  Args:
    pairs: a sample, source and target.
    places: the origin of each side, such as "column 1" and "column 2".
    source: the input, for messages.
    advice: advice for the user.

  Raises:
    BadInputError: a side does not hold sentences, or most pairs have equal sides.
  """
  for place, values in zip(places, zip(*pairs, strict=True), strict=False):
    found = fault(values)
    if found:
      raise BadInputError(
        f"Expected sentences and their translations in {source!r}. Found {found} in {place}. "
        f"{advice}"
      )
  for place, single, other in ((places[0], 0, 1), (places[1], 1, 0)):
    if len(pairs) >= _LEAST and _are_names([p[single] for p in pairs], [p[other] for p in pairs]):
      raise BadInputError(
        f"Expected sentences and their translations in {source!r}. {place[0].upper()}{place[1:]} "
        f"holds single words, such as {names([pairs[0][single]])}, beside sentences. {advice}"
      )
  equal = sum(first.strip() == second.strip() for first, second in pairs)
  if len(pairs) >= _LEAST and equal > _EQUAL * len(pairs):
    raise BadInputError(
      f"Expected sentences and their translations in {source!r}. In {equal:,} of the "
      f"{len(pairs):,} pairs looked at, {places[0]} and {places[1]} are equal. {advice}"
    )


def warnings(pairs: Sequence[Pair]) -> list[str]:
  """Returns warnings about pairs that are used nevertheless: equal and swapped sides.

  Args:
    pairs: a sample, source and target.
  """
  stripped = [(first.strip(), second.strip()) for first, second in pairs]
  different = {pair for pair in stripped if pair[0] != pair[1]}
  swapped = [pair for pair in different if pair[::-1] in different and pair[0] < pair[1]]
  equal = [pair for pair in stripped if pair[0] == pair[1]]
  found = []
  if len(equal) > 0.05 * len(stripped):
    found.append(
      f"{len(equal):,} of the {len(stripped):,} pairs looked at have equal sides, such as "
      f"{names(equal[0][:1])}"
    )
  if swapped:
    found.append(
      f"{len(swapped):,} of the {len(stripped):,} pairs looked at stand there a second time with "
      f"their sides swapped, such as {names(min(swapped))}"
    )
  turned = _turned(stripped)
  if len(turned) >= max(_LEAST_TURNED, 0.01 * len(stripped)):
    found.append(
      f"{len(turned):,} of the {len(stripped):,} pairs looked at seem to have their sides swapped, "
      f"such as {names(turned[0])}"
    )
  return found


def _turned(pairs: Sequence[Pair]) -> list[Pair]:
  """Returns the pairs whose words usually occur on the other side."""
  counts: tuple[collections.Counter[str], ...] = (collections.Counter(), collections.Counter())
  words = [tuple(set(side.casefold().split()) for side in pair) for pair in pairs]
  for both in words:
    for side, count in zip(both, counts, strict=True):
      count.update(side)
  found = []
  for pair, sides in zip(pairs, words, strict=True):
    score = 0.0
    for own, other, side in ((counts[0], counts[1], sides[0]), (counts[1], counts[0], sides[1])):
      # Leave this pair out, because its words would count for their sides.
      score += sum(math.log((own[word] - 0.5) / (other[word] + 0.5)) for word in side)
    if score < _TURNED:
      found.append(pair)
  return found


def _are(values: Sequence[str], pattern: re.Pattern[str]) -> bool:
  return sum(bool(pattern.match(value)) for value in values) >= _MOST * len(values)


def _are_names(values: Sequence[str], others: Sequence[str]) -> bool:
  """Returns whether a side of ASCII words, such as user names, is beside whole sentences."""
  words = sum(len(other.split()) for other in others) / len(others)
  single = sum(value.isascii() and len(value.split()) == 1 for value in values)
  return words >= _SENTENCE_WORDS and single >= _MOST * len(values)
