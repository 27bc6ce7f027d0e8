"""What the rows of a model's weights stand for, so that a later training can carry them over.

A vocabulary changes with the data, and with it which row belongs to which word or class. A model
names the rows of its weights here; `pipeline.training.warm` carries them over by these names.
Weights that nobody names are carried as a whole, or not at all. Imports only the standard library.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

_Layer = TypeVar("_Layer")
# Set past Keras, which would track them.
_NAMES, _FACTS, _CARRIED = "_carried_rows", "_carried_facts", "_is_carried"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rows:
  """Some rows of one axis, one after another.

  Attributes:
    kind: what they stand for, such as `words`.
    names: a name for each row; empty if they have none.
    count: the number of rows without names.
    same: rows without names are carried, by their place, where this is the same.
    is_contrast: whether the one row stands for the second of two names against the first.
  """

  kind: str
  names: tuple[str, ...] = ()
  count: int = 0
  same: str = ""
  is_contrast: bool = False

  @property
  def size(self) -> int:
    """The number of rows."""
    if self.is_contrast:
      return 1
    return len(self.names) or self.count


def named(kind: str, names: Iterable[str | bytes]) -> Rows:
  """Returns rows with names, such as the words of a vocabulary.

  >>> named("words", [b"good", "bad"]).size
  2
  """
  return Rows(kind=kind, names=tuple(_text(name) for name in names))


def placed(kind: str, count: int, *same: object) -> Rows:
  """Returns rows that stand for the same while `same` is, such as the buckets of a hash."""
  said = hashlib.sha256(repr(same).encode("utf-8", "backslashreplace")).hexdigest()[:16]
  return Rows(kind=kind, count=count, same=f"{count}-{said}")


def contrast(kind: str, names: Iterable[str | bytes]) -> Rows:
  """Returns the one row for the second of two classes, whose negative is that for the first."""
  first, second = (_text(name) for name in names)
  return Rows(kind=kind, names=(first, second), is_contrast=True)


def name_rows(layer: _Layer, weight: str, axis: int, rows: Sequence[Rows]) -> _Layer:
  """Says what the rows of a weight stand for; returns the layer.

  Args:
    layer: of the model.
    weight: the weight's name, such as `kernel`.
    axis: its axis, from 0; negative ones count from the end.
    rows: all rows of this axis.
  """
  known: dict[str, dict[int, tuple[Rows, ...]]] = getattr(layer, _NAMES, {})
  object.__setattr__(layer, _NAMES, {**known, weight: {**known.get(weight, {}), axis: tuple(rows)}})
  return layer


def name_outputs(layer: _Layer, labels: Iterable[str | bytes]) -> _Layer:
  """Says that a layer like Dense has an output for each label; returns the layer."""
  rows = [named("classes", labels)]
  name_rows(layer, "kernel", -1, rows)
  return name_rows(layer, "bias", -1, rows)


def rows_of(layer: Any) -> dict[str, dict[int, tuple[Rows, ...]]]:
  """Returns by weight and axis what was said of a layer."""
  found: dict[str, dict[int, tuple[Rows, ...]]] = getattr(layer, _NAMES, {})
  return found


def keep_fact(layer: Any, name: str, value: float | bool | str) -> None:
  """Keeps what a layer learnt beside its weights, for a training that begins from them."""
  object.__setattr__(layer, _FACTS, {**facts_of(layer), name: value})


def facts_of(layer: Any) -> dict[str, Any]:
  """Returns what a layer keeps beside its weights."""
  found: dict[str, Any] = getattr(layer, _FACTS, {})
  return found


def set_carried(layer: Any, facts: dict[str, Any]) -> None:
  """Says that all weights of a layer were carried over, with these facts."""
  object.__setattr__(layer, _CARRIED, True)
  object.__setattr__(layer, _FACTS, dict(facts))


def is_carried(layer: Any) -> bool:
  """Returns whether the layer has its weights from an earlier model."""
  return bool(getattr(layer, _CARRIED, False))


def _text(name: str | bytes) -> str:
  return name.decode("utf-8", "backslashreplace") if isinstance(name, bytes) else name
