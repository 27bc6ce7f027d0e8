"""Which split a record goes to: the one its input gave it, or one drawn by hash of its content.

A hash, unlike a random draw, puts a record on the same side in every run, whatever is added beside
it, and puts equal contents on one side.
"""

from __future__ import annotations

import collections
import dataclasses
import functools
import hashlib
from collections.abc import Iterable, Sequence

from components.records import EVAL, TRAIN, VAL

_SALTS = 1000  # four records of two classes find a draw with nothing missing among these
_MAX_DRAWS = 400_000  # about a second


@dataclasses.dataclass(frozen=True, kw_only=True)
class SplitRule:
  """How records are drawn.

  Attributes:
    given: the splits that the input draws itself; nothing else is drawn into them.
    val_fraction: part of the drawn records that goes to val, unless val is given.
    eval_fraction: part of the drawn records that goes to eval, unless eval is given.
    salt: selects another draw of the same fractions.
  """

  given: tuple[str, ...] = ()
  val_fraction: float = 0.1
  eval_fraction: float = 0.1
  salt: int = 0

  @functools.cached_property
  def drawn(self) -> tuple[str, ...]:
    """The splits that records are drawn into, beside train."""
    fractions = {VAL: self.val_fraction, EVAL: self.eval_fraction}
    return tuple(s for s, part in fractions.items() if part > 0 and s not in self.given)

  def is_drawn(self, split: str | None) -> bool:
    """Whether a record with this given split takes part in the draw."""
    return split is None or (split == TRAIN and bool(self.drawn))

  def split_of(self, key: bytes, split: str | None) -> str:
    """The split of a record with the content key `key` and the given split `split`."""
    if split is not None and not self.is_drawn(split):
      return split
    if self.salt:
      key = content_key(self.salt.to_bytes(4, "big") + key)
    position = int.from_bytes(key, "big") / 2**64
    drawn = self.drawn
    bound = 0.0
    for name, part in ((EVAL, self.eval_fraction), (VAL, self.val_fraction)):
      if name in drawn:
        bound += part
        if position < bound:
          return name
    return TRAIN


def content_key(content: bytes) -> bytes:
  """Eight bytes that stand for the content."""
  return hashlib.sha256(content).digest()[:8]


def fill_small_splits(rule: SplitRule, draws: Sequence[tuple[bytes, str | None]]) -> SplitRule:
  """The rule with a salt that leaves no split empty and no label out of train, if one is found.

  With some dozens of records an unlucky draw is common; with thousands it does not happen, so the
  salt is 0 and adding records does not move the others.

  Args:
    rule: the rule without a salt.
    draws: content key and label (None without labels) of each record that takes part in the draw.
  """
  counts: collections.Counter[tuple[bytes, str | None]] = collections.Counter(draws)
  wanted = {TRAIN, *rule.drawn}
  labels = {label for _, label in counts}
  best, best_score = rule, (0, 0)
  for salt in range(min(_SALTS, _MAX_DRAWS // len(counts))):
    salted = dataclasses.replace(rule, salt=salt)
    placed = [(salted.split_of(key, None), label) for key, label in counts]
    score = _score(placed, wanted, labels)
    if score > best_score:
      best, best_score = salted, score
    if score == (len(wanted), len(labels)):
      break
  return best


def _score(
  placed: Iterable[tuple[str, str | None]], wanted: set[str], labels: set[str | None]
) -> tuple[int, int]:
  """How many splits are filled and how many labels train knows."""
  placed = list(placed)
  filled = {split for split, _ in placed} & wanted
  return len(filled), len({label for split, label in placed if split == TRAIN} & labels)
