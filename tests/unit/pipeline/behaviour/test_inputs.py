"""Texts whose slots are filled, and rows that a change leaves as they are."""

import itertools

from pipeline.behaviour.asking import Given
from pipeline.behaviour.inputs import Measuring
from pipeline.behaviour.suite import Change, Suite, filled


def _measuring(rows=10, pool=()):
  return Measuring(None, Suite(rows=rows), pool, is_text=True)


def test_few_texts_are_filled_with_every_choice_of_words_in_order():
  words = {"a": ("1", "2", "3"), "b": ("x", "y")}
  written = ["plain", "{a}{b}{a}", "{b}"]
  found = _measuring(rows=100).filled("it", written, words)
  wanted = [("plain", {})]
  for a, b in itertools.product(range(3), range(2)):
    wanted.append((filled("{a}{b}{a}", words, {"a": a, "b": b}), {"a": a, "b": b}))
  wanted += [("x", {"b": 0}), ("y", {"b": 1})]
  assert found == wanted


def test_of_more_texts_than_memory_holds_as_many_as_rows_are_filled():
  words = {name: tuple(map(str, range(10))) for name in "abcdefghi"}
  text = " ".join(f"{{{name}}}" for name in words)
  found = _measuring().filled("it", [text, text], words)
  assert len({text for text, _ in found}) == 10
  assert found == _measuring().filled("it", [text, text], words)
  assert all(filled(text, words, chosen) == said for said, chosen in found)


def test_a_row_is_not_changed_by_mending_its_bytes_alone():
  pool = [Given(b"caf\xe9 CLOSED"), Given(b"caf\xe9 open")]
  pairs = list(_measuring()._pairs("it", Change.model_validate("upper_case"), 1, pool))
  assert [pair[0] for pair in pairs] == [pool[0], pool[1]]
  pairs = list(_measuring()._pairs("it", Change.model_validate({"replace": {"x": "y"}}), 1, pool))
  assert pairs == []
