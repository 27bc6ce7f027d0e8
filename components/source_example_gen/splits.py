"""Which split a record goes to: the one its input gave it, or one drawn by hash of its content.

A hash, unlike a random draw, puts a record on the same side in every run, whatever is added beside
it, and puts equal contents on one side. `draws` says which few contents are moved from there.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections.abc import Mapping

from dlpipe.records import EVAL, TRAIN, VAL


@dataclasses.dataclass(frozen=True, kw_only=True)
class SplitRule:
  """How records are drawn.

  Attributes:
    given: the splits that the input draws itself; nothing else is drawn into them.
    val_fraction: part of the drawn records that goes to val, unless val is given.
    eval_fraction: part of the drawn records that goes to eval, unless eval is given.
    moved: content keys to splits, of contents that go elsewhere than their hash says.
  """

  given: tuple[str, ...] = ()
  val_fraction: float = 0.1
  eval_fraction: float = 0.1
  moved: Mapping[bytes, str] = dataclasses.field(default_factory=dict)

  @functools.cached_property
  def drawn(self) -> tuple[str, ...]:
    """The splits that records are drawn into, beside train; the one to judge by comes first."""
    fractions = {EVAL: self.eval_fraction, VAL: self.val_fraction}
    return tuple(s for s, part in fractions.items() if part > 0 and s not in self.given)

  def is_drawn(self, split: str | None) -> bool:
    """Returns whether a record with this given split takes part in the draw."""
    return split is None or (split == TRAIN and bool(self.drawn))

  def split_of(self, key: bytes, split: str | None) -> str:
    """Returns the split of a record with the content key `key` and the given split `split`.

    >>> SplitRule().split_of(content_key(b"a review"), None)
    'train'
    >>> SplitRule(given=("train", "eval")).split_of(content_key(b"a review"), "eval")
    'eval'
    """
    if split is not None and not self.is_drawn(split):
      return split
    return self.moved.get(key) or self._by_hash(key)

  def _by_hash(self, key: bytes) -> str:
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
  """Returns eight bytes that stand for the content."""
  return hashlib.sha256(content).digest()[:8]
