"""Guesses the script and the language of a text by simple means: letters and stop words.

A guess that two languages share, and a text without any stop word, count as unclear: of many
rows the shares still show when another language comes. `stop_words.txt` has a language a line.
"""

from __future__ import annotations

import collections
import functools
import pathlib
from collections.abc import Mapping, Sequence

from pipeline.checks.looks.measuring import letters_by_script

UNKNOWN, NONE = "unclear", "none"
_LOOKED_AT = 400  # words
# A word's vote is divided by the languages that have it: a word of many says little.
_VOTE = 60

# Scripts that one language uses, as far as a guess goes.
_OF_SCRIPT = {
  "Greek": "el",
  "Hangul": "ko",
  "Hiragana": "ja",
  "Katakana": "ja",
  "Cjk": "zh",
  "Thai": "th",
  "Hebrew": "he",
  "Arabic": "ar",
  "Devanagari": "hi",
  "Armenian": "hy",
  "Georgian": "ka",
}


def script(text: str) -> str:
  """Returns the script that most letters of a text's beginning are of.

  >>> script("Good morning"), script("Доброе утро"), script("12:30")
  ('Latin', 'Cyrillic', 'none')
  """
  found = letters_by_script(text).most_common(1)
  return found[0][0].capitalize() if found else NONE


def language(words: Sequence[str], script_name: str) -> str:
  """Returns the language as a code of two letters; `unclear` if the words do not tell.

  >>> language("das ist nicht gut".split(), "Latin"), language(["taxi"], "Latin")
  ('de', 'unclear')

  Args:
    words: the words in lower case.
    script_name: the result of `script`.
  """
  if script_name in _OF_SCRIPT:
    return _OF_SCRIPT[script_name]
  languages = _stop_words()
  votes: collections.Counter[str] = collections.Counter()
  for word in words[:_LOOKED_AT]:
    found = languages.get(word, ())
    for each in found:
      votes[each] += _VOTE // len(found)
  best = votes.most_common(2)
  if not best or (len(best) == 2 and best[0][1] == best[1][1]):
    return UNKNOWN
  return best[0][0]


@functools.cache
def _stop_words() -> Mapping[str, tuple[str, ...]]:
  """Returns the languages of each stop word."""
  found: dict[str, tuple[str, ...]] = {}
  text = pathlib.Path(__file__).with_name("stop_words.txt").read_text("utf-8")
  for line in text.splitlines():
    code, _, words = line.partition(": ")
    for word in words.split():
      found[word] = (*found.get(word, ()), code)
  return found
