"""Carries the weights of an exported model over into a new one: by name of row, not by place.

A weight is matched by its path in the model. Where its rows stand for words or classes, each goes
to the row of the same name; what is new, and every weight of another shape, keeps its first values.
So does a layer of which nobody says what its rows stand for, if it looks like one of a vocabulary
that has changed: by place, its rows would be those of other words.
"""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from dlpipe.recognition import listed
from pipeline import carried_rows
from pipeline.carried_rows import Rows
from pipeline.training.warm import weights_file
from pipeline.training.warm.weights_file import Weight, WeightsFile


@dataclasses.dataclass(frozen=True, kw_only=True)
class Kind:
  """How the rows of one kind were carried over.

  Attributes:
    carried: the number of names that both models have.
    total: the number of names of the new model.
    new: the first names that only the new model has.
    gone: the first names that only the old one has.
    lost: the number of names that only the old one has.
  """

  carried: int
  total: int
  new: tuple[str, ...] = ()
  gone: tuple[str, ...] = ()
  lost: int = 0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Carried:
  """What was carried over.

  Attributes:
    weights: the number of weights of which something was carried.
    total: the number of weights of the new model.
    numbers: the part of all numbers in them that was carried, 0 to 1.
    kinds: by kind of rows.
    anew: the first weights that begin anew.
    is_enough: whether half of the weights, or of their numbers, fit. If not, nothing was carried:
      a training that is shortened would end before it has learnt the rest.
  """

  weights: int
  total: int
  numbers: float
  kinds: dict[str, Kind] = dataclasses.field(default_factory=dict)
  anew: tuple[str, ...] = ()
  is_enough: bool = True

  def sentence(self) -> str:
    """Describes it for a person."""
    said = [f"carried {self.weights:,} of {self.total:,} weights"]
    for name, kind in self.kinds.items():
      if kind.carried == kind.total and not kind.gone:
        said.append(f"{name}: all")
        continue
      new = f", new: {listed(kind.new, kind.total - kind.carried)}" if kind.new else ""
      gone = f", gone: {listed(kind.gone, kind.lost)}" if kind.gone else ""
      said.append(f"{kind.carried:,} of {kind.total:,} {name}{new}{gone}")
    if self.anew:
      said.append(f"begin anew: {listed(self.anew, self.total - self.weights)}")
    return "; ".join(said)


_SHOWN = 5
# An embedding may have so many rows beside those of its vocabulary: padding, start, end, unknown.
_SPECIAL_ROWS = 4


def carry(
  model: keras.Model,
  model_dir: pathlib.Path,
  known: WeightsFile,
  vocabularies: Mapping[str, tuple[str, int]],
) -> Carried:
  """Sets the weights of a model as far as an exported one has them, if that is at least half.

  Args:
    model: built.
    model_dir: the exported model.
    known: the file beside it.
    vocabularies: as in the file, those of the new model.
  """
  before = {weight.name: (number, weight) for number, weight in known.each()}
  unclear = _unclear(model, known.vocabularies, vocabularies)
  plans: list[tuple[int, keras.Variable, list[_Axis]]] = []
  anew: list[str] = []
  now = weights_file.weights_of(model)
  for weight, variable in now:
    number, old = before.get(weight.name, (-1, None))
    is_known = old is not None and id(variable) not in unclear
    axes = _axes(weight, old) if is_known and old is not None else None
    if axes is None or any(not len(axis.to) for axis in axes):
      anew.append(weight.name.partition("#")[0])
    else:
      plans.append((number, variable, axes))
  total = sum(int(np.prod(weight.shape)) for weight, _ in now)
  fit = sum(int(np.prod([len(axis.to) for axis in axes])) for _, _, axes in plans)
  is_enough = bool(plans) and (2 * len(plans) >= len(now) or 2 * fit >= total)
  _fill(model, plans if is_enough else [], model_dir, known)
  return Carried(
    weights=len(plans),
    total=len(now),
    numbers=fit / max(total, 1),
    kinds=_kinds([old.axes for _, old in before.values()], [weight.axes for weight, _ in now]),
    anew=tuple(anew[:_SHOWN]),
    is_enough=is_enough,
  )


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Axis:
  """Which rows of an axis come from which: `[n]` each; `sign` is -1 for an inverted contrast."""

  to: np.ndarray
  source: np.ndarray
  sign: np.ndarray


def _fill(
  model: keras.Model,
  plans: Sequence[tuple[int, keras.Variable, Sequence[_Axis]]],
  model_dir: pathlib.Path,
  known: WeightsFile,
) -> None:
  """Sets the planned rows, and tells layers what was carried of them."""
  if not plans:
    return
  values = weights_file.values_of(model_dir, [number for number, _, _ in plans])
  some = {id(variable) for _, variable, _ in plans}
  whole = set()
  for (_, variable, axes), value in zip(plans, values, strict=True):
    _set(variable, value, axes)
    if all(len(axis.to) == size for axis, size in zip(axes, variable.shape, strict=True)):
      whole.add(id(variable))
  for name, layer in weights_file.layers_of(model):
    own = weights_file.own_weights(layer)
    if own and all(id(variable) in whole for variable in own):
      carried_rows.set_carried(layer, known.facts.get(name, {}))
    elif any(id(variable) in some for variable in own):
      for fact, said in known.facts.get(name, {}).items():
        carried_rows.keep_fact(layer, fact, said)


def _axes(new: Weight, old: Weight) -> list[_Axis] | None:
  """Returns what of each axis is carried; None if nothing can be."""
  if len(new.shape) != len(old.shape):
    return None
  found = []
  for number, (size, before) in enumerate(zip(new.shape, old.shape, strict=True)):
    rows, known = new.axes.get(number), old.axes.get(number)
    if rows is not None and known is not None:
      found.append(_by_name(rows, known))
    elif rows is not None or known is not None or size != before:
      return None
    else:
      every = np.arange(size)
      found.append(_Axis(to=every, source=every, sign=np.ones(size, "float32")))
  return found


def _by_name(new: Sequence[Rows], old: Sequence[Rows]) -> _Axis:
  known: dict[str, tuple[int, Rows]] = {}
  at = 0
  for rows in old:
    known[rows.kind] = (at, rows)
    at += rows.size
  to: list[np.ndarray] = []
  source: list[np.ndarray] = []
  sign: list[np.ndarray] = []
  at = 0
  for rows in new:
    first, before = known.get(rows.kind, (0, None))
    here, there, turned = _matched(rows, before) if before is not None else ([], [], 1.0)
    to.append(np.asarray(here, "int64") + at)
    source.append(np.asarray(there, "int64") + first)
    sign.append(np.full(len(here), turned, "float32"))
    at += rows.size
  return _Axis(to=np.concatenate(to), source=np.concatenate(source), sign=np.concatenate(sign))


def _matched(new: Rows, old: Rows) -> tuple[Sequence[int], Sequence[int], float]:
  """Returns the rows that are carried, from which, and with which sign."""
  if new.is_contrast or old.is_contrast:
    same = new.is_contrast and old.is_contrast
    if same and new.names == old.names:
      return [0], [0], 1.0
    return ([0], [0], -1.0) if same and new.names == old.names[::-1] else ([], [], 1.0)
  if new.names:
    places = {name: place for place, name in enumerate(old.names)}
    here = [place for place, name in enumerate(new.names) if name in places]
    return here, [places[new.names[place]] for place in here], 1.0
  every = range(new.size if new.same == old.same and not old.names else 0)
  return every, every, 1.0


def _set(variable: keras.Variable, value: np.ndarray, axes: Sequence[_Axis]) -> None:
  """Writes the carried rows."""
  if not axes:
    variable.assign(value)
    return
  part = value[np.ix_(*(axis.source for axis in axes))]
  for number, axis in enumerate(axes):
    if (axis.sign != 1).any():
      part = part * np.expand_dims(axis.sign, [at for at in range(part.ndim) if at != number])
  if part.shape == tuple(variable.shape) and all(
    (axis.to == np.arange(len(axis.to))).all() for axis in axes
  ):
    variable.assign(part)
  else:
    whole = np.array(variable)
    whole[np.ix_(*(axis.to for axis in axes))] = part
    variable.assign(whole)


def _names(axes: Sequence[Any]) -> dict[str, tuple[str, ...]]:
  found: dict[str, tuple[str, ...]] = {}
  for of_weight in axes:
    for some in of_weight.values():
      found.update({rows.kind: rows.names for rows in some if rows.names})
  return found


def _kinds(old: Sequence[Any], new: Sequence[Any]) -> dict[str, Kind]:
  before = _names(old)
  found = {}
  for kind, names in _names(new).items():
    known, here = set(before.get(kind, ())), set(names)
    added = [name for name in names if name not in known]
    gone = [name for name in before.get(kind, ()) if name not in here]
    found[kind] = Kind(
      carried=len(names) - len(added),
      total=len(names),
      new=tuple(added[:_SHOWN]),
      gone=tuple(gone[:_SHOWN]),
      lost=len(gone),
    )
  return found


def _unclear(
  model: keras.Model,
  before: Mapping[str, tuple[str, int]],
  now: Mapping[str, tuple[str, int]],
) -> set[int]:
  """Returns the variables of layers that may belong to a vocabulary that is another now."""
  sizes = {
    size
    for name in {*before, *now}
    if before.get(name) != now.get(name)
    for _, size in (before.get(name, ("", 0)), now.get(name, ("", 0)))
  }
  found: set[int] = set()
  for layer in model._flatten_layers(include_self=False):
    if carried_rows.rows_of(layer):
      continue
    is_output = isinstance(layer, keras.layers.Dense) and layer.units in sizes
    is_input = isinstance(layer, keras.layers.Embedding) and any(
      0 <= layer.input_dim - size <= _SPECIAL_ROWS for size in sizes
    )
    if is_output or is_input:
      found |= {id(variable) for variable in weights_file.own_weights(layer)}
  return found
