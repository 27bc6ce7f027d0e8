"""Writes the sample reviews: made-up short texts, half of them positive.

Single words say little about the label: judgements are negated ("far from dull"), outweighed
("beautiful, but dull") or quoted from somebody else. The label follows from the construction of the
text, so no label is wrong. Every machine writes the same rows. README.md gives the provenance.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Iterator, Sequence
from typing import TextIO, TypeVar

from data.sample_file import write_once
from data.sentiment import vocabulary
from data.sentiment.vocabulary import Domain

HEADER = ("text", "label")
LABELS = ("negative", "positive")
MAX_WORDS = 60
_MIN_WORDS = 3
_ROWS = 6_000
_SEED = 20

_T = TypeVar("_T")


def write_reviews(target: str) -> str:
  """Writes the CSV `target`, with the columns text and label, if it does not exist.

  Args:
    target: path of the file; it is created complete or not at all.

  Returns:
    `target`.

  Raises:
    OSError: the file cannot be written.
  """

  def write(file: TextIO) -> None:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(HEADER)
    writer.writerows(reviews())

  return write_once(target, write)


def reviews(rows: int = _ROWS, seed: int = _SEED) -> Iterator[tuple[str, str]]:
  """Yields distinct pairs of text and label; the two labels alternate."""
  author = _Author(random.Random(seed))
  seen: set[str] = set()
  while len(seen) < rows:
    positive = len(seen) % 2 == 1
    text = author.review(positive)
    if text not in seen and _MIN_WORDS <= len(text.split()) <= MAX_WORDS:
      seen.add(text)
      yield text, LABELS[positive]


class _Author:
  """Composes texts; `rng` is the only source of randomness."""

  def __init__(self, rng: random.Random):
    self._rng = rng

  def review(self, positive: bool) -> str:
    """Returns one review of one item."""
    domain = self._pick(vocabulary.DOMAINS)
    subjects = self._shuffled((*domain.aspects, f"this {self._pick(domain.items)}"))
    kind = self._rng.random()
    if kind < 0.2:
      opening = self._pick(("all in all ", "well, ", "in short: "))
      sentences = [_sentence(opening + self._judgement(domain, positive))]
    elif kind < 0.65:
      sentences = [_sentence(self._opinion(domain, subjects[: self._pick((1, 1, 2))], positive))]
    else:
      decides = self._opinion(domain, subjects[:1], positive)
      loses = self._opinion(domain, subjects[1 : self._pick((2, 2, 3))], not positive)
      sentences = [_sentence(self._pick(vocabulary.CONTRASTS).format(loses, decides))]
    if self._chance(0.15):
      sentences.append(self._pick(vocabulary.PRAISE if positive else vocabulary.BLAME))
    longest = self._pick((0, 0, 12, 20, 30, 45, MAX_WORDS))
    for aside in self._asides(domain):
      if sum(len(s.split()) for s in (*sentences, aside)) > longest:
        break
      sentences.insert(int(self._rng.random() * (len(sentences) + 1)), aside)
    return " ".join(sentences)

  def _opinion(self, domain: Domain, subjects: Sequence[str], positive: bool) -> str:
    """Returns one clause for each subject, all with the same opinion."""
    return " and ".join(
      f"{subject} {self._pick(('is', 'was', 'turned out to be'))} "
      + self._judgement(domain, positive)
      for subject in subjects
    )

  def _judgement(self, domain: Domain, positive: bool) -> str:
    way = self._rng.random()
    if way < 0.25:
      pattern = self._pick(vocabulary.NEGATIONS)
      return pattern.format(self._pick(domain.adjectives(not positive)))
    adjectives = domain.adjectives(positive)
    if way < 0.35:
      return self._pick(vocabulary.FALSE_NEGATIONS).format(*self._shuffled(adjectives)[:2])
    return self._pick(vocabulary.INTENSIFIERS) + self._pick(adjectives)

  def _asides(self, domain: Domain) -> list[str]:
    """Returns sentences that do not affect the label, in random order."""
    name = "".join(self._pick(vocabulary.SYLLABLES) for _ in range(3)).capitalize()
    hearsay = [
      sentence.format(self._pick(domain.adjectives(self._chance(0.5))))
      for sentence in self._shuffled(vocabulary.HEARSAY)[:1]
    ]
    return self._shuffled([*hearsay, *domain.neutral, f"It is called {name}."])

  def _shuffled(self, items: Sequence[_T]) -> list[_T]:
    return [item for _, item in sorted(((self._rng.random(), i) for i in items), key=_first)]

  def _pick(self, options: Sequence[_T]) -> _T:
    # Python guarantees the same numbers in every version for random() only.
    return options[int(self._rng.random() * len(options))]

  def _chance(self, probability: float) -> bool:
    return self._rng.random() < probability


def _first(pair: tuple[float, object]) -> float:
  return pair[0]


def _sentence(text: str) -> str:
  return f"{text[0].upper()}{text[1:]}."
