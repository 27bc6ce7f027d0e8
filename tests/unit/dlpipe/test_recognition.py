"""What was recognized, in words and for programs: short, printable, complete."""

from __future__ import annotations

import json

from dlpipe.recognition import Recognized, Unread, listed, shortened
from dlpipe.records import SourcePlan


def test_names_with_commas_are_told_apart():
  [said] = Recognized(layout="manifest", classes={"red, bright": 2, "red": 1}).sentences()
  assert said == "Read as manifest: 2 classes: 'red' (1), 'red, bright' (2)."


def test_the_sentences_of_many_classes_are_short():
  classes = {f"class {n:03d}": 10 * n for n in range(300)}
  found = Recognized(
    layout="folder", fields={"label": "the folder's name"}, file_count=448_500, classes=classes
  )
  read, empty = found.sentences(["train", "eval"])
  assert read == (
    "Read as folder: label = the folder's name; 448,500 files; 300 classes: class 000 (0), "
    "class 001 (10), class 002 (20), class 003 (30), class 004 (40) and 295 more; splits of its "
    "own: train, eval."
  )
  assert empty == "Warning: the class class 000 is empty."


def test_names_are_printable_and_cut():
  assert shortened("a\nb\x1b[31m") == "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}[31m"
  assert shortened("x" * 61) == "x" * 59 + "…"
  assert listed(["a", "b"], 9) == "a, b and 7 more"


def test_losses_are_warnings_and_the_rest_is_one_sentence():
  lost = Unread(name=".NET/", reason="hidden", labelled=True)
  beside = Unread(name="README", reason="beside the class folders")
  found = Recognized(layout="x", unread=[beside, lost], warnings=["the sides are equal"])
  assert found.sentences()[1:] == [
    "Warning: .NET/ is not read: hidden.",
    "Warning: the sides are equal.",
    "Not read: README (beside the class folders).",
  ]


def test_thousands_of_losses_are_told_as_a_few_are():
  classes = {"a": 3, "b": 3, **{f"c{n:04d}": 0 for n in range(3000)}}
  hidden = [Unread(name=f".{n:04d}/", reason="hidden", labelled=True) for n in range(2000)]
  said = Recognized(layout="folder", classes=classes, unread=hidden).all_warnings()
  assert said[4:] == [
    ".0004/ is not read: hidden",
    "1,995 more like these are not read",
    "3,000 classes are empty: c0000, c0001, c0002, c0003, c0004 and 2,995 more",
  ]


def test_a_program_gets_the_same_facts():
  found = Recognized(
    layout="lines", rows=7, file_count=2, files=["a", "b"], classes={"a": 4, "b": 3}
  )
  plan = SourcePlan(shards=(), fingerprint="", given_splits=("train",), recognized=found)
  document = json.loads(json.dumps(plan.recognition()))
  assert document["sentences"] == plan.sentences()
  assert (document["rows"], document["splits"], document["warnings"]) == (7, ["train"], [])
  assert document["classes"] == plan.classes == {"a": 4, "b": 3}
  assert plan.labels == ("a", "b")


def test_a_source_that_does_not_say_is_silent():
  plan = SourcePlan(shards=(), fingerprint="")
  assert (plan.sentences(), plan.recognition(), plan.classes, plan.labels) == ([], {}, {}, ())
