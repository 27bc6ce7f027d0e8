"""Whether there are classes: exact for small inputs, bounded for large ones."""

from __future__ import annotations

import itertools

import pytest

from dlpipe.errors import BadInputError
from dlpipe.records import Record, Rejected
from pipeline.sources import class_counts, encoding


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


@pytest.mark.parametrize(
  ("data", "codec"), [(b"sch\xf6n", "CP1252"), ("schön".encode("utf-16"), "UTF-16")]
)
def test_where_the_encoding_is_the_reason_so_is_the_remedy(data, codec):
  with pytest.raises(encoding.UndecodableError) as fault:
    encoding.decode(data)
  rejected = Rejected(origin="x.csv, row 2", reason=f"{fault.value} in column 'text'")
  remedy = (
    f" {fault.value} in column 'text'. Save the file as UTF-8, a CSV for example with "
    f"`iconv -f {codec} -t UTF-8 old.csv > new.csv`."
  )
  with pytest.raises(BadInputError) as caught:
    require(iter([rejected]))
  assert str(caught.value).endswith(f"Found: none; x.csv, row 2 cannot be used:{remedy}")
  with pytest.raises(BadInputError) as caught:
    require(itertools.chain([rejected], records("aa")))
  assert str(caught.value).endswith(f"'a'; x.csv, row 2 cannot be used:{remedy} Add rows.")
  with pytest.raises(BadInputError) as caught:
    require(itertools.chain([rejected], records("aab")))
  assert str(caught.value).endswith(f"one of 'b'; x.csv, row 2 cannot be used:{remedy}")


def test_long_classes_are_cut():
  with pytest.raises(BadInputError) as caught:
    require(records(f"{n} {'a whole review ' * 400}" for n in range(7)))
  assert str(caught.value) == (
    "Expected at least two classes with two rows or more in 'x.csv'. Found one of "
    + ", ".join(f"'{n} a whole review a whole review a whole…'" for n in range(5))
    + " and 2 more; add rows."
  )
  assert class_counts.names(["x" * 40, "x" * 41]) == f"'{'x' * 40}', '{'x' * 39}…'"


def test_a_class_with_one_row_passes_beside_two_others():
  require(records("aabbc"))
  with pytest.raises(BadInputError, match="two classes with two rows or more .* one of 'b'; add"):
    require(records("aab"))


def test_reading_ends_where_enough_is_known():
  endless = records(itertools.cycle("ab"))
  require(endless)
  assert next(endless).origin == "row 5000"


def test_reading_goes_on_until_there_is_a_second_class():
  require(records("a" * 6_000 + "bb"))
