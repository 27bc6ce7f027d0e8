"""Keeps a draw by hash from losing a class: which contents go elsewhere than their hash says.

Of a class whose contents were all drawn into val or eval, the one nearest to train goes to train:
no label of our own val or eval is unknown to train. A drawn split that came out empty, or with one
class where there are more, is given the nearest contents of train that their classes can spare.

All of it depends on the set of contents and labels alone, not on their order or their shards. What
stays where it is when records are added, and why no rule keeps all: docs/decisions/0024.
"""

from __future__ import annotations

import bisect
import collections
import dataclasses
from collections.abc import Iterable, Iterator, Mapping

from components.source_example_gen.splits import SplitRule
from dlpipe.records import TRAIN

# At most two contents are moved into each of two splits; of a class that has a third one known,
# one always stays.
_KEPT = 3
_CLASSES_TO_JUDGE_BY = 2


@dataclasses.dataclass(frozen=True, kw_only=True)
class Moves:
  """The contents that go to another split than their hash says.

  Attributes:
    to_train: content keys that would have been held out; without them a class has none in train.
    held_out: content keys of train to the split that would have been empty or of one class.
  """

  to_train: frozenset[bytes] = frozenset()
  held_out: Mapping[bytes, str] = dataclasses.field(default_factory=dict)

  def __bool__(self) -> bool:
    return bool(self.to_train or self.held_out)

  @property
  def splits(self) -> dict[bytes, str]:
    """The new split of every moved content key."""
    return {**dict.fromkeys(self.to_train, TRAIN), **self.held_out}


class Draw:
  """By label and split of the hash, the three contents nearest to the bound of train.

  A content's key is its place between 0 and 1, and train lies above all held-out splits: nearest
  are the greatest keys of val and eval and the smallest ones of train. Memory grows with the number
  of classes, not of records.
  """

  def __init__(self) -> None:
    self._nearest: dict[str | None, dict[str, list[bytes]]] = {}

  def add(self, label: str | None, split: str, key: bytes) -> None:
    """Takes a record that was drawn, once for each of its labels; None for one without."""
    by_split = self._nearest.get(label)
    if by_split is None:
      by_split = self._nearest[label] = {}
    keys = by_split.get(split)
    if keys is None:
      by_split[split] = [key]
      return
    if len(keys) == _KEPT and (key >= keys[-1] if split == TRAIN else key <= keys[0]):
      return
    if key in keys:
      return
    bisect.insort(keys, key)
    if len(keys) > _KEPT:
      del keys[-1 if split == TRAIN else 0]

  def to_json(self) -> list[list]:
    """Returns rows of label, split and hexadecimal keys."""
    return [
      [label, split, [key.hex() for key in keys]]
      for label, by_split in self._nearest.items()
      for split, keys in by_split.items()
    ]

  def add_json(self, rows: Iterable[list]) -> None:
    """Adds the JSON of another draw, such as that of another shard."""
    for label, split, keys in rows:
      for key in keys:
        self.add(label, split, bytes.fromhex(key))

  def moves(self, rule: SplitRule) -> Moves:
    """Returns the moves without which a class would be lost.

    Args:
      rule: the rule that drew, which moves nothing itself.
    """
    to_train = frozenset(self._saved())
    return Moves(to_train=to_train, held_out=self._filled(rule, to_train))

  def _saved(self) -> Iterator[bytes]:
    for by_split in self._nearest.values():
      if TRAIN not in by_split:
        yield max(keys[-1] for keys in by_split.values())

  def _filled(self, rule: SplitRule, to_train: frozenset[bytes]) -> dict[bytes, str]:
    wanted = min(_CLASSES_TO_JUDGE_BY, len(self._nearest))
    present = {split: self._present(split, to_train, wanted) for split in rule.drawn}
    if all(len(labels) >= wanted for labels in present.values()):
      return {}
    of_train = [(by_split.get(TRAIN, []), label) for label, by_split in self._nearest.items()]
    holders: dict[bytes, list[list[bytes]]] = collections.defaultdict(list)
    for keys, _ in of_train:
      for key in keys:
        holders[key].append(keys)
    candidates = [(key, label) for keys, label in of_train for key in keys]
    candidates.sort(key=lambda each: (each[0], str(each[1])))
    moved: dict[bytes, str] = {}
    for split, labels in present.items():
      for key, label in candidates:
        if len(labels) >= wanted:
          break
        if label in labels or key in moved:
          continue
        if all(any(k != key and k not in moved for k in keys) for keys in holders[key]):
          moved[key] = split
          labels.add(label)
    return moved

  def _present(self, split: str, to_train: frozenset[bytes], wanted: int) -> set[str | None]:
    """Returns labels that stay in a held-out split, as many as are wanted."""
    found: set[str | None] = set()
    for label, by_split in self._nearest.items():
      if any(key not in to_train for key in by_split.get(split, ())):
        found.add(label)
        if len(found) >= wanted:
          break
    return found
