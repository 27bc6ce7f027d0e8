"""Labels of any kind become the text that names the class."""

from __future__ import annotations

import datetime
import decimal
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
    (1e16, "10000000000000000"),
    (True, "true"),
    (False, "false"),
    (datetime.date(2026, 1, 31), "2026-01-31"),
    (datetime.datetime(2026, 1, 31, 9, tzinfo=datetime.timezone.utc), "2026-01-31 09:00:00+00:00"),
  ],
)
def test_labels_become_text(value, text):
  assert label_text(value) == text


@pytest.mark.parametrize(
  ("written", "text"),
  [("0", "0"), ("1.0", "1"), ("2.50", "2.5"), ("100", "100"), ("1E+2", "100"), ("-0.00", "0")],
)
def test_decimals_of_any_scale_are_written_as_other_numbers_are(written, text):
  # NVIDIA/cudf#3053: SQL and Spark keep class numbers as DECIMAL.
  assert label_text(decimal.Decimal(written)) == text


@pytest.mark.parametrize(
  ("spellings", "text"),
  [
    (("1", "1.0", "1.00", 1, 1.0, decimal.Decimal("1.0")), "1"),
    (("0", "0.0", "-0.0", 0, -0.0), "0"),
    (("-3", "-3.0", -3.0), "-3"),
    # autogluon/autogluon#253: pandas writes True, R and Excel TRUE, JSON true.
    (("true", "True", "TRUE", True), "true"),
    (("False", "false", False), "false"),
    (("cafe\u0301", "caf\u00e9", "cafe\u0301".encode()), "caf\u00e9"),
    (("pos", "pos\u200b", "\ufeffpos", "po\u00ads", "\u200epos\u200f", "\u2060pos\u00a0"), "pos"),
  ],
)
def test_spellings_of_one_label_are_one_class(spellings, text):
  assert {label_text(spelling) for spelling in spellings} == {text}


@pytest.mark.parametrize(
  "text",
  # pandas-dev/pandas#16078: words that other readers take for what is missing. Emoji and some
  # scripts are written with joiners and selectors.
  [
    *("007", "7", "007.0", "1.10", "1.1", "None", "null", "NaN", "NA", "N/A", "inf", "1e3", "-0"),
    "\u0645\u06cc\u200c\u062e",
    "\U0001f469\u200d\U0001f680",
    "\u2764\ufe0f",
    "a  b",
    "a\tb",
    "\u00b2",
  ],
)
def test_other_labels_stay_as_written(text):
  assert label_text(text) == text


@pytest.mark.parametrize("value", [None, "", "  ", b"", math.nan, "\u200b", "\ufeff \u200d"])
def test_no_label_is_refused(value):
  with pytest.raises(ValueError, match="^the label is empty$"):
    label_text(value)


@pytest.mark.parametrize(
  "end", ["\n", "\r", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"]
)
def test_a_label_of_several_lines_is_refused(end):
  with pytest.raises(ValueError, match=rf"a line break \(U\+{ord(end):04X}\)"):
    label_text(f"two{end}lines")
  assert label_text(f"one{end}") == "one"


@pytest.mark.parametrize(
  ("value", "words"),
  [
    ("a\0b", r"the label holds a NUL \(U\+0000\)"),
    (b"a\0b", "the label is no text in UTF-8: a NUL byte"),
    ("a\x07b", r"a control character \(U\+0007\)"),
    ("a\ud83db", r"half a surrogate pair \(U\+D83D\)"),
    (math.inf, "the label is inf, no finite number"),
    ([1], "the label is no single value, but a list; cast the column to text or to a number"),
    (b"\xff", "the label is no valid UTF-8: byte 0xFF"),
  ],
)
def test_what_is_no_label_is_refused(value, words):
  with pytest.raises(ValueError, match=words):
    label_text(value)


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
    ("cat", "c\u0430t", "CAT"),
    ("KOT", "\u041a\u041e\u0422", "\u043a\u043e\u0442", "kot"),
    ("\u039c\u0397\u039d", "\u03bc\u03b7\u03bd"),
  ],
)
def test_labels_that_a_person_takes_for_one_are_alike(group):
  assert alike_labels([*group, "other", *group]) == [tuple(sorted(group))]


def test_other_labels_are_not_alike():
  long = "1" * 5000
  labels = ["1", "10", "-1", "0.1", "2", "None", "null", "NaN", "", "\u200b", " "]
  assert alike_labels([*labels, long, f"{long}2", "cote", "cot\u00e9", "1.1", "a-b", "ab"]) == []
  assert alike_labels(["m", "\u03bc", "\u043c\u0438\u0440", "mup"]) == []


def test_groups_of_alike_labels_are_sorted():
  assert alike_labels(["b", "a", "B", "1", "A", "c", "1.0"]) == [
    ("1", "1.0"),
    ("A", "a"),
    ("B", "b"),
  ]
