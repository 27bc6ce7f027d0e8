"""Measures inputs for how they look: light, contrast and sharpness of pictures, scripts of texts.

Sharpness is the steepest change of brightness between neighbours, as a part of the contrast: a
picture with one sharp edge is sharp, whatever is blurred behind it.
"""

from __future__ import annotations

import collections
import functools
import itertools
import unicodedata
from collections.abc import Sequence

import numpy as np

BRIGHTNESS, CONTRAST, SHARPNESS = "brightness", "contrast", "sharpness"
_LOOKED_AT = 400  # letters
_FREQUENT, _LEARNT_FROM = 100, 2_000  # words, and texts by which they are chosen
_LEAST = 0.01  # of the texts have a frequent word
_MIN_WORDS = 8
UNKNOWN = -1.0

# Names of letters in Unicode begin with the script; these belong to one way of writing.
_TOGETHER = {"HIRAGANA": "CJK", "KATAKANA": "CJK", "CJK": "CJK", "FULLWIDTH": "LATIN"}


def of_picture(grey: np.ndarray) -> dict[str, float]:
  """Measures a picture.

  Args:
    grey: `[height, width]` uint8.

  Returns:
    `brightness`, the mean, and `contrast`, the range without the extremes, both 0 to 255;
    `sharpness`, 0 to about 4, `UNKNOWN` for a picture of one colour or of two pixels.
  """
  low, high = (float(np.percentile(grey, part)) for part in (1, 99))
  contrast = high - low
  sharpness = UNKNOWN
  if contrast >= 1 and min(grey.shape) >= 3:
    wide = grey.astype(np.int16)
    middle = 4 * wide[1:-1, 1:-1]
    around = wide[:-2, 1:-1] + wide[2:, 1:-1] + wide[1:-1, :-2] + wide[1:-1, 2:]
    sharpness = float(np.percentile(np.abs(middle - around), 99)) / contrast
  return {BRIGHTNESS: float(grey.mean()), CONTRAST: contrast, SHARPNESS: sharpness}


def script_of(text: str) -> str:
  """Returns the script of most letters, such as `LATIN` or `CJK`; empty without letters.

  >>> [script_of(text) for text in ("Das war gut.", "Это хорошо.", "とても良い", "1:0!")]
  ['LATIN', 'CYRILLIC', 'CJK', '']
  """
  counts: collections.Counter[str] = collections.Counter()
  for script, count in letters_by_script(text).items():
    counts[_TOGETHER.get(script, script)] += count
  return max(counts, key=counts.__getitem__, default="")


def letters_by_script(text: str) -> collections.Counter[str]:
  """Counts the first letters of a text by the script that Unicode's name for them begins with.

  >>> letters_by_script("東京へ, ok")["CJK"]
  2
  """
  letters = "".join(itertools.islice(filter(str.isalpha, text), _LOOKED_AT))
  if letters.isascii():  # most texts, in less than half of the time
    return collections.Counter({"LATIN": len(letters)} if letters else {})
  return collections.Counter(map(_script, letters))


@functools.lru_cache(maxsize=10_000)
def _script(letter: str) -> str:
  return unicodedata.name(letter, "OTHER").split(" ")[0].split("-")[0]


class Familiarity:
  """Scores texts by the words that are frequent in the data; another language has few of them.

  The frequent words are those of the first texts, which come in arbitrary order.
  """

  def __init__(self) -> None:
    self._waiting: list[np.ndarray] = []
    self._known: np.ndarray | None = None
    self._scores: list[float] = []

  def add(self, words: Sequence[int] | np.ndarray) -> None:
    """Takes the words of the next text, as numbers."""
    numbers = np.asarray(words, np.uint32)
    if self._known is not None:
      self._scores.append(self._score(numbers))
      return
    self._waiting.append(numbers)
    if len(self._waiting) >= _LEARNT_FROM:
      self._learn()

  def scores(self) -> np.ndarray:
    """Returns `[texts]` float32: the part of frequent words; `UNKNOWN` for a short text."""
    if self._known is None:
      self._learn()
    return np.array(self._scores, np.float32)

  def _learn(self) -> None:
    # A text counts a word once, so that no single text decides.
    each = [np.unique(words) for words in self._waiting]
    words, counts = np.unique(np.concatenate(each or [np.empty(0, np.uint32)]), return_counts=True)
    words, counts = words[counts > _LEAST * len(each)], counts[counts > _LEAST * len(each)]
    self._known = np.sort(words[np.argsort(-counts, kind="stable")[:_FREQUENT]])
    self._scores = [self._score(words) for words in self._waiting]
    self._waiting = []

  def _score(self, words: np.ndarray) -> float:
    known = self._known
    if len(words) < _MIN_WORDS or known is None:
      return UNKNOWN
    return float(np.isin(words, known).mean())
