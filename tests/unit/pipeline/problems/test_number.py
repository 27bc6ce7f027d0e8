"""The kind `number`: which cells are numbers, what is refused, what is said."""

import decimal
import math
import re

import pytest

from dlpipe.errors import BadInputError
from dlpipe.records import Rejected
from pipeline.problems.number import PROBLEM, read_label, require


@pytest.mark.parametrize(
  ("cell", "value"),
  [
    (3, 3.0),
    ("2.50", 2.5),
    (b" -1e3 ", -1000.0),
    (decimal.Decimal("0.5"), 0.5),
    ("+7", 7.0),
    ("0", 0.0),
    (0.1, 0.10000000149011612),
  ],
)
def test_what_is_a_number(cell, value):
  assert read_label(cell, {}) == value


@pytest.mark.parametrize(
  ("cell", "reason"),
  [
    (None, "the number is missing"),
    ("  ", "the number is missing"),
    (math.nan, "the number is missing"),
    ("12 EUR", "'12 EUR' is no number"),
    ("1,5", "'1,5' is no number; write it with a point"),
    ("1,234.50", "'1,234.50' is no number; write it with a point and without marks"),
    ("1.234.567", "'1.234.567' is no number; write it with a point and without marks"),
    ("1_000", "'1_000' is no number"),
    ("12,5 EUR", "'12,5 EUR' is no number; write the number alone, without a unit"),
    ("$7", "'$7' is no number; write the number alone, without a unit"),
    ("45 years", "'45 years' is no number; write the number alone, without a unit"),
    ("nan", "'nan' is no number"),
    ("inf", "'inf' is no finite number"),
    (1e39, "'1e+39' is no finite number that float32 can hold"),
    (True, "the label is no number, but of type bool"),
    ([1.0], "the label is no number, but of type list"),
  ],
)
def test_what_is_none_is_told_why(cell, reason):
  with pytest.raises(ValueError, match=re.escape(reason)):
    read_label(cell, {})


@pytest.mark.parametrize("cell", ["two rooms, quiet", "n/a", "room 5, no 7, quiet", "0x10"])
def test_a_text_is_given_no_advice_on_how_to_write_numbers(cell):
  with pytest.raises(ValueError, match="is no number$"):
    read_label(cell, {})


def _require(answers):
  require(iter(answers), source="t.csv", advice="Add rows.", options={})


def test_two_different_numbers_are_enough_and_no_more_is_read():
  def answers():
    yield Rejected(origin="row 1", reason="no")
    yield 1.0
    yield 1.0
    yield 2.0
    raise AssertionError("read on")

  _require(answers())


def test_a_constant_is_nothing_to_learn():
  with pytest.raises(BadInputError, match=r"two different numbers in 't.csv'. Found: 2.5 alone. A"):
    _require([2.5, 2.5])


def test_no_number_at_all_names_the_first_row_that_has_none():
  with pytest.raises(BadInputError, match="Found: none; row 3 cannot be used: 'a' is no number"):
    _require([Rejected(origin="row 3", reason="'a' is no number")])


def test_the_terminal_shows_as_many_digits_as_mean_something():
  assert PROBLEM.words({"value": 1234.56789}) == ["value 1234.57"]
