"""Measures a text: its length, its script and language, its words."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from pipeline.drift.measures import features, languages

# The letters of scripts without spaces are words of their own.
_WORD = re.compile(r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff]|[^\W\d_]+(?:['\u2019][^\W\d_]+)*")
_MOST_CHARACTERS = 20_000  # of a text that are looked at, beside its length


def words_of(text: str) -> list[str]:
  """Returns the words of a text in lower case.

  >>> words_of("It's 5 o'clock, said Ana.")
  ["it's", "o'clock", 'said', 'ana']
  """
  return [word.replace("\u2019", "'") for word in _WORD.findall(text[:_MOST_CHARACTERS].casefold())]


def words_in(value: bytes | None) -> list[str]:
  """Returns the words of a text in UTF-8."""
  return words_of((value or b"").decode("utf-8", "replace"))


def measure(text: str, words: Sequence[str]) -> dict[str, float | str]:
  """Returns the features of a text that need no other text.

  Args:
    text: the text.
    words: the result of `words_of`.
  """
  script = languages.script(text)
  return {
    features.SCRIPT: script,
    features.LANGUAGE: languages.language(words, script),
    features.WORDS: len(text.split()),
    features.CHARACTERS: len(text),
  }


def unknown(words: Sequence[str], known: Collection[str]) -> dict[str, float]:
  """Returns the share of words that are not among the known ones; nothing for no words."""
  if not words:
    return {}
  return {features.UNKNOWN: sum(word not in known for word in words) / len(words)}
