"""The rows that a report shows: mistakes of eval, the worst first, and those of each confusion."""

import pyarrow as pa
import pytest

from pipeline.problems import rows as of_problems
from pipeline.rows import SHOWN_CELLS, SHOWN_OF_CELL, chosen


def _table(*rows, metadata=None):
  names = ("split", "label", "predicted", "loss")
  columns = {name: [row[place] for row in rows] for place, name in enumerate(names)}
  columns["right"] = [row[1] == row[2] for row in rows]
  return pa.table(columns).replace_schema_metadata(metadata)


EVAL = [
  ("val", "a", "b", 99.0),
  ("eval", "a", "a", 0.1),
  ("eval", "a", "b", 2.0),
  ("eval", "a", "b", 3.0),
  ("eval", "b", "a", float("inf")),
]


def test_mistakes_of_eval_the_worst_first():
  assert chosen.mistakes(_table(*EVAL)) == [4, 3, 2]


def test_cells_of_the_matrix_the_fullest_first():
  assert chosen.cells(_table(*EVAL)) == {("a", "b"): [3, 2], ("b", "a"): [4], ("a", "a"): [1]}


def test_without_eval_all_rows_are_judged():
  assert chosen.mistakes(_table(*EVAL[:1])) == [0]


def test_few_of_many_are_shown_and_each_once():
  many = [("eval", f"l{n % 50}", "x", float(n)) for n in range(1_000)]
  table = _table(*many)
  assert chosen.mistakes(table) == list(range(999, 975, -1))
  cells = chosen.cells(table)
  assert (len(cells), {len(rows) for rows in cells.values()}) == (SHOWN_CELLS, {SHOWN_OF_CELL})
  wanted = chosen.for_report(table)
  assert len(wanted) == len(set(wanted))
  assert wanted[:2] == [999, 998]


def test_some_of_each_cell_are_explained_before_more_of_any():
  many = [("eval", f"l{n % 50}", "x", float(n)) for n in range(1_000)]
  right = [("eval", "x", "x", 0.1)] * 5
  found = chosen.to_explain(_table(*many, *right))
  assert found[:24] == chosen.mistakes(_table(*many))
  assert len(found) == len(set(found)) == chosen.EXPLAINED
  cells = list(chosen.cells(_table(*many, *right)).values())
  assert set(found) >= {number for numbers in cells for number in numbers[:2]}
  assert chosen.to_explain(_table()) == []


def test_texts_are_sampled():
  rows = [("eval", f"text {n}", "x", float(n)) for n in range(40)]
  table = _table(*rows, metadata={of_problems.SHOWN_AS: of_problems.SAMPLES})
  assert chosen.samples(table) == (list(range(12)), list(range(39, 27, -1)))
  assert chosen.to_explain(table) == [*range(12), *range(39, 27, -1)]
  assert chosen.cells(table) == {}


def test_numbers_have_no_cells():
  table = pa.table(
    {"split": ["eval"], "label": [1.0], "predicted": [2.0], "loss": [1.0], "right": [False]}
  )
  assert (chosen.cells(table), chosen.mistakes(table)) == ({}, [0])


@pytest.mark.parametrize("columns", [{}])
def test_no_rows(columns):
  assert chosen.for_report(pa.table(columns)) == []
