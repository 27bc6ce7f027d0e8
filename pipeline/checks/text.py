"""Describes a text for the data check; tasks of texts name `describe` in their declaration."""

from __future__ import annotations

import re
import unicodedata
import zlib
from collections.abc import Collection

import numpy as np

from pipeline.checks.description import Description, IndescribableError
from pipeline.checks.looks.measuring import script_of

_EXCERPT_CHARACTERS = 100
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")
# With fewer parts, one different word hides a near-copy, and unrelated texts agree by chance.
_MIN_PARTS = 8
_RUN_CHARACTERS = 5
# If words are longer than this on average, the script has no spaces.
_LONG_WORD_CHARACTERS = _MIN_PARTS + _RUN_CHARACTERS - 1
_KNOWN_WORDS = 1_000_000
_MOST_WORDS = 1_000  # of a text, by which its language is compared with the others
# Odd, so that the same two words in another order give another number.
_FIRST, _SECOND = np.uint32(0x9E3779B1), np.uint32(0x85EBCA6B)


class _Words(dict):
  """Maps words to 32-bit hashes; caches them up to a limit."""

  def __missing__(self, word: str) -> int:
    if len(self) >= _KNOWN_WORDS:
      self.clear()
    number = self[word] = zlib.crc32(word.encode("utf-8", "surrogatepass"))
    return number


_WORDS = _Words()


def describe(text: bytes) -> Description:
  """Describes a text.

  The key omits case, width, punctuation and space. The parts are pairs of neighbouring words, or
  runs of five characters if the script has no spaces.

  Raises:
    IndescribableError: `text` is not UTF-8.
  """
  try:
    decoded = text.decode("utf-8")
  except UnicodeDecodeError as err:
    raise IndescribableError(f"not UTF-8: {err.reason} at byte {err.start}") from err
  normal = unicodedata.normalize("NFKC", decoded).casefold().replace("\u2019", "'")
  words = _WORD.findall(normal)
  key = " ".join(words)
  return Description(
    excerpt=excerpt(decoded),
    lengths={"characters": len(decoded), "words": len(decoded.split())},
    key=key.encode("utf-8"),
    parts=_parts(words, key),
    script=script_of(decoded),
    words=[_WORDS[word] for word in words[:_MOST_WORDS]],
  )


def excerpt(text: str) -> str:
  """Returns the text as one printable line of up to 100 characters."""
  short = text[: 4 * _EXCERPT_CHARACTERS]
  line = " ".join("".join(c if c.isprintable() else " " for c in short).split())
  if len(line) <= _EXCERPT_CHARACTERS and len(short) == len(text):
    return line
  return line[: _EXCERPT_CHARACTERS - 1].rstrip() + "…"


def _parts(words: list[str], key: str) -> Collection[int]:
  if len(words) > _MIN_PARTS:
    numbers = np.array([_WORDS[word] for word in words], np.uint32)
    return numbers[:-1] * _FIRST ^ numbers[1:] * _SECOND
  if len(key) >= _LONG_WORD_CHARACTERS * max(len(words), 1):
    runs = range(len(key) - _RUN_CHARACTERS + 1)
    return tuple(zlib.crc32(key[i : i + _RUN_CHARACTERS].encode("utf-8")) for i in runs)
  return ()
