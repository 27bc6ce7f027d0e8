"""The kind `labels`: which cells hold which labels, what is refused, what is said."""

import math
import re

import pytest

from dlpipe.errors import BadInputError
from dlpipe.records import Rejected
from pipeline.problems.labels import MOST, PROBLEM, read_label, require


@pytest.mark.parametrize(
  ("cell", "separator", "labels"),
  [
    ("red|round", "|", ["red", "round"]),
    (" round | red ", "|", ["red", "round"]),
    ("red|red", "|", ["red"]),
    ("red", "|", ["red"]),
    ("a, b", ",", ["a", "b"]),
    ("a|b", ";", ["a|b"]),
    (b"x||y", "||", ["x", "y"]),
    (["b", 3.0], "|", ["3", "b"]),
    (["a|b", "c"], ";", ["a|b", "c"]),
    (7, "|", ["7"]),
    ("", "|", []),
    ("  ", "|", []),
    (None, "|", []),
    (math.nan, "|", []),
    ([], "|", []),
  ],
)
def test_the_labels_of_a_cell_each_once_by_name(cell, separator, labels):
  assert read_label(cell, {"label_separator": separator}) == labels


@pytest.mark.parametrize(
  ("cell", "reason"),
  [
    ("red||round", "the label is empty"),
    ("red|", "the label is empty"),
    ("|".join(map(str, range(MOST + 1))), "the row has 101 labels, and 100 are the most"),
    ([{"a": 1}], "the label is no single value, but a dict"),
    (["red", "a|b"], "the label 'a|b' holds '|', which stands between labels; write it without"),
  ],
)
def test_a_cell_that_holds_none_is_told_why(cell, reason):
  with pytest.raises(ValueError, match=re.escape(reason)):
    read_label(cell, {})


@pytest.mark.parametrize("separator", ["", None, 3])
def test_a_separator_that_is_none_is_bad_input(separator):
  with pytest.raises(BadInputError, match="data.label_separator must be what stands between two"):
    read_label("a", {"label_separator": separator})


def _require(answers, separator="|"):
  options = {"label_separator": separator}
  require(iter(answers), source="t.csv", advice="Add rows.", options=options)


def test_a_label_that_some_rows_have_and_others_lack_is_enough():
  _require([["a"], ["a"], [], Rejected(origin="row 4", reason="no")])


@pytest.mark.parametrize("answers", [[[], []], [["a"], ["a"]], [["a"], ["b"]]])
def test_labels_that_tell_nothing_apart_are_refused(answers):
  with pytest.raises(BadInputError, match="Expected a label in 't.csv' that two rows have and"):
    _require(answers)


def test_what_lists_alone_cannot_say_is_refused_before_it_is_read():
  with pytest.raises(BadInputError, match="holds '|', which stands between labels"):
    _require([Rejected(origin="row 2", reason="the label 'a|b' holds '|', which stands between")])


def test_another_separator_is_found_and_asked_for():
  with pytest.raises(BadInputError, match="say so with --set data.label_separator=','; if each"):
    _require([["a,b"], ["a,b"], ["a"], []])
  # What the user says, or some row shows, is taken for what it is.
  _require([["a,b"], ["a,b"], ["a", "c"], []])
  _require([["a|b"], ["a|b"], ["a", "c"], []], separator=";")


def test_the_terminal_shows_the_labels_by_score_or_the_nearest():
  outputs = {"label": "a|c", "labels": ["a", "b", "c"], "scores": [0.6, 0.1, 0.9]}
  assert PROBLEM.words(outputs) == ["c 0.9000", "a 0.6000"]
  none = {"label": "", "labels": ["a", "b"], "scores": [0.2, 0.4]}
  assert PROBLEM.words(none) == ["no label (the nearest is b 0.4000)"]
