"""Chooses the rows of `predictions.parquet` that a report shows."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from dlpipe.records import EVAL
from pipeline.problems import rows as of_problems
from pipeline.rows import SHOWN_CELLS, SHOWN_OF_CELL, SHOWN_OF_RIGHT, SHOWN_RIGHT

SHOWN = 24  # mistakes
SAMPLES = 12  # of each kind: as they come, and the worst
EXPLAINED = 120
_COLUMNS = ("split", "label", "predicted", "loss", "right")
_LISTS = (of_problems.LABEL_LIST, of_problems.PREDICTED_LIST)


def columns(table: pa.Table) -> pa.Table:
  """Returns the columns that the functions here and a cheap model's comparison read."""
  return table.select([*_COLUMNS, *(name for name in _LISTS if name in table.column_names)])


def for_report(table: pa.Table) -> list[int]:
  """Returns the numbers of all rows that a report shows, the most important first."""
  if not table.num_rows:
    return []
  first, worst = samples(table) if is_sampled(table) else ([], mistakes(table))
  by_cell = [number for numbers in cells(table).values() for number in numbers]
  return list(dict.fromkeys([*first, *worst, *by_cell]))


def to_explain(table: pa.Table) -> list[int]:
  """Returns the numbers of those rows whose answers are explained, up to 120.

  They are the mistakes, or samples, and then the worst row of each cell, the second of each, ...
  """
  if not table.num_rows:
    return []
  found = [*itertools.chain(*samples(table))] if is_sampled(table) else mistakes(table)
  for of_each in itertools.zip_longest(*cells(table).values()):
    found += [number for number in of_each if number is not None]
  return list(dict.fromkeys(found))[:EXPLAINED]


def is_sampled(table: pa.Table) -> bool:
  """Returns whether a report shows samples, because no answer is simply wrong, and not mistakes."""
  metadata = table.schema.metadata or {}
  return metadata.get(of_problems.SHOWN_AS) == of_problems.SAMPLES


def judged(table: pa.Table) -> np.ndarray:
  """Returns the numbers of the rows of eval; of all rows if eval is empty."""
  split = table["split"].to_numpy()
  found = np.flatnonzero(split == EVAL)
  return found if len(found) else np.arange(table.num_rows)


def mistakes(table: pa.Table) -> list[int]:
  """Returns the worst wrong rows, by loss."""
  numbers = judged(table)
  wrong = numbers[~table["right"].to_numpy().astype(bool)[numbers]]
  return _worst(table, wrong)[:SHOWN]


def samples(table: pa.Table) -> tuple[list[int], list[int]]:
  """Returns the first rows, which are in arbitrary order, and the worst of the others."""
  numbers = judged(table)
  return numbers[:SAMPLES].tolist(), _worst(table, numbers[SAMPLES:])[:SAMPLES]


def cells(table: pa.Table) -> dict[tuple[str, str], list[int]]:
  """Returns the worst rows of the fullest cells: (label, predicted) to numbers.

  Confusions come first; then classes, with the rows that are right, but least surely.

  Empty if labels are no texts, or a report shows samples.
  """
  if not table.num_rows or is_sampled(table) or not pa.types.is_string(table["label"].type):
    return {}
  label, predicted = (table[name].to_pylist() for name in ("label", "predicted"))
  right = table["right"].to_numpy().astype(bool)
  wrong_cells: dict[tuple[str, str], list[int]] = {}
  right_cells: dict[tuple[str, str], list[int]] = {}
  for number in judged(table).tolist():
    cells_of = right_cells if right[number] else wrong_cells
    cells_of.setdefault((label[number], predicted[number]), []).append(number)
  return {
    cell: _worst(table, numbers)[:most]
    for found, most_cells, most in (
      (wrong_cells, SHOWN_CELLS, SHOWN_OF_CELL),
      (right_cells, SHOWN_RIGHT, SHOWN_OF_RIGHT),
    )
    for cell, numbers in _fullest(found)[:most_cells]
  }


def _fullest(found: dict[tuple[str, str], list[int]]) -> list[tuple[tuple[str, str], list[int]]]:
  return sorted(found.items(), key=lambda each: (-len(each[1]), each[0]))


def _worst(table: pa.Table, numbers: np.ndarray | Sequence[int]) -> list[int]:
  chosen = np.asarray(numbers, np.int64)
  loss = table["loss"].to_numpy()[chosen]
  order = np.argsort(-np.nan_to_num(loss, nan=-np.inf, posinf=np.inf), kind="stable")
  return chosen[order].tolist()
