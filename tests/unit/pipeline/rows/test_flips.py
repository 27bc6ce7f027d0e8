"""Two models compared row by row: only rows that both judged, by their origin."""

import pyarrow as pa
import pytest

from pipeline.problems import rows as of_problems
from pipeline.rows import flips


def _table(*rows, metadata=None):
  """Returns a table of (origin, split, label, predicted, loss), the text that of the origin."""
  names = ("origin", "split", "label", "predicted", "loss")
  columns = {name: [row[place] for row in rows] for place, name in enumerate(names)}
  columns["right"] = [row[2] == row[3] for row in rows]
  columns["input"] = [row[5] if len(row) > 5 else None for row in rows]
  return pa.table(columns).replace_schema_metadata(metadata or {of_problems.MEASURE: b"score"})


def test_flips_are_counted_and_named_both_ways():
  before = _table(
    ("1", "eval", "cat", "dog", 2.0),
    ("2", "eval", "cat", "cat", 0.1),
    ("3", "eval", "dog", "dog", 0.1),
    ("4", "eval", "dog", "cat", 3.0),
    ("5", "eval", "dog", "cat", 9.0),
  )
  now = _table(
    ("5", "eval", "dog", "dog", 0.5),
    ("4", "eval", "dog", "cat", 1.0),
    ("3", "eval", "dog", "cat", 4.0),
    ("2", "eval", "cat", "cat", 0.2),
    ("1", "eval", "cat", "cat", 0.2),
  )
  found = flips.compare(now, before)
  assert (found.rows, found.of, found.by_loss) == (5, 5, False)
  assert (found.better, found.worse) == ([0, 4], [2])  # the greatest gain first
  assert found.before == {0: "cat", 4: "dog", 2: "dog"}


def test_only_eval_of_both_is_compared():
  before = _table(
    ("1", "val", "a", "b", 1.0), ("2", "eval", "a", "b", 1.0), ("9", "eval", "a", "a", 1.0)
  )
  now = _table(
    ("1", "eval", "a", "a", 0.1), ("2", "val", "a", "a", 0.1), ("3", "eval", "a", "a", 0.1)
  )
  found = flips.compare(now, before)
  assert (found.rows, found.of, found.better, found.worse) == (0, 2, [], [])


def test_a_row_with_another_label_text_or_no_name_is_not_compared():
  before = _table(
    ("1", "eval", "a", "b", 1.0), ("2", "eval", "a", "b", 1.0, "old"), ("", "eval", "a", "b", 1.0),
    ("4", "eval", "a", "b", 1.0), ("4", "eval", "a", "b", 1.0),
  )  # fmt: skip
  now = _table(
    ("1", "eval", "c", "c", 0.1), ("2", "eval", "a", "a", 0.1, "new"), ("", "eval", "a", "a", 0.1),
    ("4", "eval", "a", "a", 0.1),
  )  # fmt: skip
  found = flips.compare(now, before)
  assert (found.rows, found.relabelled, found.better) == (0, 1, [])


@pytest.mark.parametrize(
  "metadata",
  [
    {of_problems.MEASURE: b"off"},
    {of_problems.MEASURE: b"chrf", of_problems.SHOWN_AS: of_problems.SAMPLES},
  ],
)
def test_numbers_and_texts_are_compared_by_their_loss(metadata):
  before = _table(("1", "eval", "x", "y", 4.0), ("2", "eval", "x", "y", 1.0), metadata=metadata)
  now = _table(("1", "eval", "x", "z", 1.0), ("2", "eval", "x", "z", 9.0), metadata=metadata)
  found = flips.compare(now, before)
  assert (found.by_loss, found.better, found.worse) == (True, [0], [1])


def test_of_many_only_the_rows_that_are_shown_keep_the_earlier_answer():
  rows = [(str(n), "eval", "a", "b", 1.0 + n) for n in range(100)]
  now = _table(*((origin, split, label, "a", 0.1) for origin, split, label, _, _ in rows))
  found = flips.compare(now, _table(*rows))
  assert len(found.better) == 100
  better, worse = found.shown()
  assert better == list(range(99, 75, -1))
  assert set(found.before) == {*better, *worse}
