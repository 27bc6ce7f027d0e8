"""Planted duplicates, contradictions and leaks are found, counted once and shown."""

import pytest

from pipeline.checks import findings, text
from pipeline.checks.description import Row
from pipeline.checks.survey import Survey

LONG = "the plot is thin but the two leads carry this small film with humour and an easy charm"


def _survey(*rows, describe=text.describe):
  survey = Survey(describe)
  for split, value, label in rows:
    survey.add(Row(split, value.encode(), label.encode()))
  return survey


def _found(*rows, contradicts=True, **options):
  survey = _survey(*rows, **options)
  return {f.name: f for f in findings.duplicates(survey, contradicts=contradicts)}


def test_different_inputs_are_no_finding():
  assert _found(("train", "one", "a"), ("train", "two", "a"), ("eval", "three", "b")) == {}
  assert _found() == {}


def test_a_repeated_row_is_counted_beyond_the_first():
  found = _found(*[("train", "one", "a")] * 3, ("train", "two", "a"))
  assert list(found) == ["repeated"]
  assert found["repeated"].count == 2
  assert found["repeated"].examples == ((0, 1),)
  assert found["repeated"].what == "2 inputs repeated with the same label in the same split."


def test_an_input_of_two_splits_leaks_and_is_shown_with_its_twin():
  found = _found(
    ("train", "one", "a"), ("train", "two", "a"), ("val", "three", "a"), ("eval", "two", "a"),
    ("eval", "three", "a"),
  )  # fmt: skip
  assert list(found) == ["leaks"]
  assert found["leaks"].count == 2
  assert found["leaks"].examples == ((1, 3), (2, 4))
  assert found["leaks"].level == findings.WARNING


def test_one_input_with_two_labels_contradicts_itself():
  found = _found(("train", "one", "a"), ("train", "two", "a"), ("train", "one", "b"))
  assert list(found) == ["contradictions"]
  assert found["contradictions"].count == 2
  assert found["contradictions"].examples == ((2, 0),)


def test_without_classes_several_answers_are_only_a_note():
  found = _found(("train", "hi", "salut"), ("train", "hi", "bonjour"), contradicts=False)
  assert list(found) == ["several_answers"]
  assert (found["several_answers"].count, found["several_answers"].level) == (2, findings.NOTE)


def test_near_copies_in_one_split():
  found = _found(("train", LONG, "a"), ("train", LONG.upper() + "!", "a"))
  assert {n: f.count for n, f in found.items()} == {"near_repeated": 1}
  assert found["near_repeated"].examples == ((0, 1),)


@pytest.mark.parametrize("copy", [LONG.title(), LONG + " indeed", LONG.replace("charm", "charms")])
def test_near_copies_in_two_splits_leak(copy):
  found = _found(("train", LONG, "a"), ("val", "something else", "a"), ("eval", copy, "a"))
  assert {n: f.count for n, f in found.items()} == {"near_leaks": 1}
  assert found["near_leaks"].examples == ((0, 2),)


def test_near_copies_with_two_labels():
  found = _found(("train", LONG, "a"), ("train", LONG + " indeed", "b"))
  assert {n: f.count for n, f in found.items()} == {"near_repeated": 1, "near_contradictions": 2}
  assert found["near_contradictions"].examples == ((1, 0),)


def test_what_is_equal_is_not_counted_as_near_too():
  found = _found(("train", LONG, "a"), ("eval", LONG, "b"))
  assert {n: f.count for n, f in found.items()} == {"leaks": 1, "contradictions": 2}


def test_five_examples_are_shown_of_many():
  found = _found(*[("train", f"input {i // 2}", "a") for i in range(40)])
  assert found["repeated"].count == 20
  assert found["repeated"].examples == ((0, 1), (2, 3), (4, 5), (6, 7), (8, 9))


def test_without_a_describer_equal_inputs_are_found_alone():
  rows = [("train", LONG, "a"), ("train", LONG.upper(), "a"), ("train", LONG, "a")]
  found = _found(*rows, describe=None)
  assert {n: f.count for n, f in found.items()} == {"repeated": 1}
  assert findings.lengths(_survey(*rows, describe=None)) == {}


def test_only_the_first_million_is_searched_for_near_copies(monkeypatch):
  monkeypatch.setattr("pipeline.checks.survey.MAX_COMPARED", 1)
  rows = [("train", LONG, "a"), ("train", LONG + " indeed", "a")]
  assert _found(*rows) == {}


def test_lengths_are_percentiles():
  survey = _survey(*[("train", "x" * n, "a") for n in range(1, 102)])
  assert findings.lengths(survey)["characters"] == {
    "min": 1,
    "p5": 6,
    "median": 51,
    "p95": 96,
    "max": 101,
  }
  assert findings.lengths(survey)["words"]["max"] == 1


def test_empty_and_unreadable_inputs_are_told():
  survey = Survey(text.describe)
  for value in (b"fine", b"caf\xe9", b"  ", b"caf\xe9", b""):
    survey.add(Row("train", value, b"a"))
  unreadable, empty = findings.unusable(survey)
  assert (unreadable.name, unreadable.count) == ("unreadable", 2)
  assert unreadable.examples == ((1,), (3,))
  assert unreadable.details == ("not UTF-8: unexpected end of data at byte 3",)
  assert (empty.name, empty.count, empty.examples) == ("empty", 2, ((2,), (4,)))
