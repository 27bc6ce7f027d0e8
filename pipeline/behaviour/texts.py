"""Changes of texts: each keeps what the text says, or changes it in a known way."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping

from pipeline.behaviour.suite import Change

_FINAL_MARKS = ".!?\u2026\u3002\uff01\uff1f"
_WORD = re.compile(r"[^\W\d_]{4,}")  # a letter of the middle can move


def changed(text: str, change: Change, *, strength: int, rng: random.Random) -> str:
  """Returns the text after a change; the text itself where the change finds nothing to do."""
  return _CHANGES[change.name](text, change, strength, rng)


def words_of(text: str) -> set[str]:
  """Returns the words of a text in small letters."""
  return {word.casefold() for word in re.findall(r"\w+", text)}


def _upper_case(text: str, change: Change, strength: int, rng: random.Random) -> str:
  return "".join(_other_case(letter, letter.upper()) for letter in text)


def _lower_case(text: str, change: Change, strength: int, rng: random.Random) -> str:
  return "".join(_other_case(letter, letter.lower()) for letter in text)


def _title_case(text: str, change: Change, strength: int, rng: random.Random) -> str:
  return re.sub(r"(?<![\w'])\w", lambda found: _other_case(found[0], found[0].upper()), text)


def _other_case(letter: str, other: str) -> str:
  """Returns the letter in the other case, where that is one letter with the same two cases.

  It is none for the German sharp s, whose capitals are two, and for the Turkish dotless i.
  """
  is_same = len(other) == 1 and {other.lower(), other.upper()} == {letter.lower(), letter.upper()}
  return other if is_same else letter


def _spaces(text: str, change: Change, strength: int, rng: random.Random) -> str:
  return f" {text.replace(' ', '  ')} "


def _typos(text: str, change: Change, strength: int, rng: random.Random) -> str:
  """Swaps two letters inside of some words, neither the first nor the last one."""
  words = [found.span() for found in _WORD.finditer(text)]
  letters = list(text)
  for first, end in rng.sample(words, min(strength, len(words))):
    places = [n for n in range(first + 1, end - 2) if letters[n] != letters[n + 1]]
    if places:
      place = rng.choice(places)
      letters[place], letters[place + 1] = letters[place + 1], letters[place]
  return "".join(letters)


def _no_final_mark(text: str, change: Change, strength: int, rng: random.Random) -> str:
  return text.rstrip().rstrip(_FINAL_MARKS).rstrip()


def _append(text: str, change: Change, strength: int, rng: random.Random) -> str:
  return text + rng.choice(change.to)


def _prepend(text: str, change: Change, strength: int, rng: random.Random) -> str:
  return rng.choice(change.to) + text


def _replace(text: str, change: Change, strength: int, rng: random.Random) -> str:
  chosen = {word: rng.choice(others) for word, others in change.words.items()}
  # At once: where two words change places, the first must not be changed back. Longest first: "New
  # York" is not "New".
  words = "|".join(map(re.escape, sorted(chosen, key=len, reverse=True)))
  return re.sub(rf"(?<!\w)(?:{words})(?!\w)", lambda found: chosen[found[0]], text)


_Function = Callable[[str, Change, int, random.Random], str]
_CHANGES: Mapping[str, _Function] = {
  "upper_case": _upper_case,
  "lower_case": _lower_case,
  "title_case": _title_case,
  "spaces": _spaces,
  "typos": _typos,
  "no_final_mark": _no_final_mark,
  "append": _append,
  "prepend": _prepend,
  "replace": _replace,
}
