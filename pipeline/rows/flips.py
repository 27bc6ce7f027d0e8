"""Compares the predictions of two models row by row: what flipped, both ways."""

from __future__ import annotations

import dataclasses

import numpy as np
import pyarrow as pa

from pipeline.problems.rows import MEASURE
from pipeline.rows import chosen

_SHOWN = 24  # each way


@dataclasses.dataclass(frozen=True, kw_only=True)
class Flips:
  """What a model answers better or worse than the one before, on rows that both judged.

  Attributes:
    rows: how many rows of eval both judged, with the same label.
    of: how many rows eval has now.
    relabelled: rows of eval that both judged, but with another label; they are not compared.
    by_loss: whether better and worse mean a smaller and a greater loss, because answers of this
      kind are rarely right or wrong.
    better: numbers of the rows that are better now, the greatest gain first; all of them.
    worse: likewise, of those that are worse.
    before: the earlier prediction by the number of a row, of those that `shown` names.
  """

  rows: int
  of: int
  relabelled: int
  by_loss: bool
  better: list[int]
  worse: list[int]
  before: dict[int, str | float]

  def shown(self) -> tuple[list[int], list[int]]:
    """Returns the rows that a report shows: better ones and worse ones."""
    return self.better[:_SHOWN], self.worse[:_SHOWN]


def compare(now: pa.Table, before: pa.Table) -> Flips:
  """Compares by the origin of each row of eval; a row without an origin is left out.

  Args:
    now: the predictions of a model.
    before: those of the model before it. Its val and train rows are not compared with: it was
      chosen by them, or has learnt them.
  """
  numbers = chosen.judged(now)
  earlier = _by_name(before)
  names = _names(now, numbers)
  pairs = np.array(
    [
      (number, earlier[name])
      for number, name in zip(numbers, names, strict=True)
      if name in earlier
    ],
    np.int64,
  ).reshape(-1, 2)
  labels = [table["label"].take(pa.array(pairs[:, n])) for n, table in enumerate((now, before))]
  same = np.array(
    [a == b for a, b in zip(*(each.to_pylist() for each in labels), strict=True)], bool
  )
  kept = pairs[same]
  loss_now, loss_before = (
    np.nan_to_num(table["loss"].to_numpy()[kept[:, n]], nan=np.inf, posinf=1e30)
    for n, table in enumerate((now, before))
  )
  by_loss = chosen.is_sampled(now) or (now.schema.metadata or {}).get(MEASURE) == b"off"
  if by_loss:
    gained, lost = loss_now < loss_before, loss_now > loss_before
  else:
    right_now, right_before = (
      table["right"].to_numpy().astype(bool)[kept[:, n]] for n, table in enumerate((now, before))
    )
    gained, lost = right_now & ~right_before, ~right_now & right_before
  gain = loss_before - loss_now
  better, worse = (
    kept[rows][np.argsort(order[rows], kind="stable")]
    for rows, order in ((gained, -gain), (lost, gain))
  )
  shown = np.concatenate([better[:_SHOWN], worse[:_SHOWN]])
  predicted = before["predicted"].take(pa.array(shown[:, 1])).to_pylist()
  return Flips(
    rows=len(kept),
    of=len(numbers),
    relabelled=int((~same).sum()),
    by_loss=bool(by_loss),
    better=better[:, 0].tolist(),
    worse=worse[:, 0].tolist(),
    before=dict(zip(shown[:, 0].tolist(), predicted, strict=True)),
  )


def _by_name(table: pa.Table) -> dict[tuple[str, str | None], int]:
  """Returns the numbers of the rows of eval by name; none of a name that several rows have."""
  numbers = chosen.judged(table).tolist()
  found: dict[tuple[str, str | None], int] = {}
  several = set()
  for number, name in zip(numbers, _names(table, numbers), strict=True):
    if name in found:
      several.add(name)
    found[name] = number
  return {name: number for name, number in found.items() if name[0] and name not in several}


def _names(table: pa.Table, numbers: np.ndarray | list[int]) -> list[tuple[str, str | None]]:
  """Returns origin and text of each row: a row that was edited is another one."""
  places = pa.array(np.asarray(numbers, np.int64))
  origins, texts = (table[name].take(places).to_pylist() for name in ("origin", "input"))
  return list(zip(origins, texts, strict=True))
