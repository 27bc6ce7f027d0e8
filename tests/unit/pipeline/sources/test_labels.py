"""Labels of any kind become the text that names the class."""

from __future__ import annotations

import math

import pytest

from pipeline.sources.labels import alike_labels, label_text


@pytest.mark.parametrize(
  ("value", "text"),
  [
    (" pos ", "pos"),
    ("Bär".encode(), "Bär"),
    (0, "0"),
    (-1, "-1"),
    (3.0, "3"),
    (0.5, "0.5"),
    (True, "true"),
    (False, "false"),
  ],
)
def test_labels_become_text(value, text):
  assert label_text(value) == text


@pytest.mark.parametrize("value", [None, "", "  ", b"", math.nan])
def test_no_label_is_refused(value):
  with pytest.raises(ValueError, match="^the label is empty$"):
    label_text(value)


def test_what_is_no_label_is_refused():
  with pytest.raises(ValueError, match="the label is no single value, but a list"):
    label_text([1])
  with pytest.raises(ValueError, match="the label is no valid UTF-8: byte 0xFF"):
    label_text(b"\xff")


@pytest.mark.parametrize(
  "group",
  [
    ("Cat", "cat"),
    ("cat", "cat "),
    ("New York", "New  York", "new york"),
    ("1", "1.0", "1.00", "+1", "1e0"),
    ("0", "-0.0"),
    ("0.5", ".5", "0.50"),
    ("007", "7"),
    ("TRUE", "True", "true"),
    ("caf\u00e9", "cafe\u0301"),
    ("pos", "pos\u200b", "\ufeffpos", "p\u00ados", "\u200epos\u200f"),
    ("\uff21", "A"),
    ("\u2764", "\u2764\ufe0f"),
    ("a\u00a0b", "a b", "a\tb"),
    ("STRASSE", "stra\u00dfe"),
  ],
)
def test_labels_that_a_person_takes_for_one_are_alike(group):
  assert alike_labels([*group, "other", *group]) == [tuple(sorted(group))]


def test_other_labels_are_not_alike():
  long = "1" * 5000
  labels = ["1", "10", "-1", "0.1", "2", "None", "null", "NaN", "", "\u200b", " "]
  assert alike_labels([*labels, long, f"{long}2", "cote", "cot\u00e9", "1.1", "a-b", "ab"]) == []


def test_groups_of_alike_labels_are_sorted():
  assert alike_labels(["b", "a", "B", "1", "A", "c", "1.0"]) == [
    ("1", "1.0"),
    ("A", "a"),
    ("B", "b"),
  ]
