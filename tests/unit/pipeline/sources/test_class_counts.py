"""Whether there are classes: exact for small inputs, bounded for large ones."""

from __future__ import annotations

import itertools

import pytest

from components.errors import BadInputError
from components.records import Record, Rejected
from pipeline.sources import class_counts


def records(labels):
  for number, label in enumerate(labels):
    yield Record(features={"label": label}, content=b"", split=None, origin=f"row {number}")


def require(found) -> None:
  class_counts.require_classes(found, "label", source="x.csv", advice="Add rows.")


def test_two_classes_of_two_pass():
  require(records("abab"))


def test_one_class_is_refused():
  with pytest.raises(BadInputError) as caught:
    require(records("aaa"))
  assert str(caught.value) == (
    "Expected rows of at least two classes in 'x.csv'. Found: 'a'. Add rows."
  )


def test_no_class_is_refused_with_the_first_reason():
  with pytest.raises(BadInputError, match="Found: none; x.csv, row 2 cannot be used: too long"):
    require(iter([Rejected(origin="x.csv, row 2", reason="too long")]))


def test_a_class_with_one_row_is_refused():
  with pytest.raises(BadInputError, match="Found one of 'b'; add rows or remove the class"):
    require(records("aab"))


def test_reading_ends_where_enough_is_known():
  endless = records(itertools.cycle("ab"))
  require(endless)
  assert next(endless).origin == "row 5000"


def test_reading_goes_on_until_there_is_a_second_class():
  require(records("a" * 6_000 + "bb"))
