"""Finds numbers and names in a text, which a translation should copy."""

from __future__ import annotations

import re

_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
# With a capital, a name, or the first word of a sentence: a test takes only those that the right
# answer has, too.
_WORD = re.compile(r"(?<!\w)[^\W\d_]{3,}(?!\w)")


def tokens(text: str, what: str) -> list[str]:
  """Returns the `numbers` or `names` in a text, each once.

  >>> tokens("Tom paid 1,250 euros to Anna, not 12.", "numbers")
  ['1,250', '12']
  >>> tokens("Tom paid 1,250 euros to Anna, not 12.", "names")
  ['Tom', 'Anna']
  """
  if what == "numbers":
    return list(dict.fromkeys(_NUMBER.findall(text)))
  return list(dict.fromkeys(word for word in _WORD.findall(text) if word[0].isupper()))


def holds(text: str, token: str) -> bool:
  """Returns whether a text holds a number or a name as a whole; a unit may follow a number.

  >>> [holds("Run 5km with 1,250 others.", number) for number in ("5", "1,250", "1")]
  [True, True, False]
  """
  if _NUMBER.fullmatch(token):
    return token in _NUMBER.findall(text)
  return re.search(rf"(?<!\w){re.escape(token)}(?!\w)", text) is not None
