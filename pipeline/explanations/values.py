"""What the signature `explain` gives for a row, as Python values. Imports no framework."""

from __future__ import annotations

import collections
from collections.abc import Mapping, Sequence
from typing import Any

from dlpipe.words import one_line

EXPLAIN = "explain"
MAP_PNG = "map_png_bytes"
WITHOUT = (
  "it was exported before there was one, or its network offers no way, which its run told. "
  "`dlpipe run` exports a new one"
)
# An output of names, and those that have a number for each name, by axis.
_BY_NAME = {
  "tokens": (("contributions", 0),),
  "terms": (("term_contributions", 0),),
  "source_tokens": (("alignment", 1),),
  "target_tokens": (("alignment", 0),),
}
_ALIGNED, _LEAST_ALIGNED = 3, 0.1
_LONGEST_WORD = 24


def trimmed(outputs: Mapping[str, Any]) -> dict[str, Any]:
  """Cuts the outputs of one row to its own length.

  >>> trimmed({"tokens": ["good", ""], "contributions": [0.5, 0.0], "explained": 0.5})
  {'tokens': ['good'], 'contributions': [0.5], 'explained': 0.5}

  Args:
    outputs: output name to value, padded as long as the batch needed.
  """
  found = dict(outputs)
  for names, numbers in _BY_NAME.items():
    if names not in found:
      continue
    size = len(found[names])
    while size and not found[names][size - 1]:
      size -= 1
    found[names] = found[names][:size]
    for name, axis in numbers:
      if name in found:
        rows = found[name]
        found[name] = [row[:size] for row in rows] if axis else rows[:size]
  return found


def by_word(tokens: Sequence[str], contributions: Sequence[float]) -> list[tuple[str, float]]:
  """Adds up the parts of equal words, the strongest first.

  >>> by_word(["good", "bad", "good"], [0.5, -0.75, 0.5])
  [('good', 1.0), ('bad', -0.75)]
  """
  found: collections.defaultdict[str, float] = collections.defaultdict(float)
  for token, part in zip(tokens, contributions, strict=True):
    found[token] += part
  return sorted(found.items(), key=lambda each: -abs(each[1]))


def attended(shares: Sequence[float], sources: Sequence[str]) -> list[tuple[str, float]]:
  """Returns the source words that a target word attends to: up to three, each with its share.

  >>> attended([0.05, 0.25, 0.7], ["la", "casa", "verde"])
  [('verde', 0.7), ('casa', 0.25)]
  """
  ranked = sorted(zip(sources, shares, strict=True), key=lambda each: -each[1])[:_ALIGNED]
  return [(word, share) for word, share in ranked if share >= _LEAST_ALIGNED]


def short_word(word: str) -> str:
  """Returns a word as people can read it: on one line, and not longer than 24 characters."""
  shown = one_line(word)
  return shown if len(shown) <= _LONGEST_WORD else shown[: _LONGEST_WORD - 3] + "..."
