"""Texts: which are usable, which are alike, and how long they are."""

from __future__ import annotations

import math

import pytest

from dlpipe.errors import BadInputError
from pipeline.sources.text_files import texts


@pytest.mark.parametrize(
  "other",
  [
    "Good film",
    "good  FILM!",
    "\u200bgood\u202ffilm\xa0\u2014",
    "\uff47\uff4f\uff4f\uff44 film...",
    "«Go-od» ﬁlm\n",
  ],
)
def test_texts_that_differ_in_marks_and_case_are_alike(other):
  assert texts.content(other) == b"good film"


def test_texts_that_differ_in_words_or_symbols_are_not_alike():
  different = [
    "good film",
    "good films",
    "good film 2",
    "good film 🙂",
    "good film 🙁",
    "gööd film",
  ]
  assert len({texts.content(text) for text in different}) == len(different)
  assert texts.content("Straße") == texts.content("STRASSE")


def test_marks_alone_are_kept():
  assert texts.content(":)") == b":)"
  assert texts.content(" ?! ") == b"?!"


@pytest.mark.parametrize("text", ["", " \t\n", "\xa0\u202f\u2028", "\u200b\ufeff\xad"])
def test_what_is_not_seen_is_blank(text):
  assert texts.is_blank(text)
  with pytest.raises(ValueError, match="the text is empty"):
    texts.usable(text, "the text", 100)


@pytest.mark.parametrize("text", [".", "\u200bx\u200b", "🙂", "\u0301"])
def test_anything_else_is_not_blank_and_kept_as_it_is(text):
  assert texts.usable(text, "the text", 100) == text
  assert texts.usable(text.encode(), "the text", 100) == text


@pytest.mark.parametrize(
  ("value", "reason"),
  [
    (None, "the text is empty"),
    (math.nan, "the text is empty"),
    (7, "the text is no string, but of type int"),
    (b"sch\xf6n", "the text is no valid UTF-8: byte 0xF6"),
    ("x" * 11, "the text has more characters than data.max_chars = 10"),
    ("a\0b", "the text is no text in UTF-8: a NUL byte, as in UTF-16"),
    ("a\ud83d", "the text is no valid UTF-8: byte 0xED"),
  ],
)
def test_what_cannot_be_used_is_refused_with_a_reason(value, reason):
  with pytest.raises(ValueError, match="the text") as caught:
    texts.usable(value, "the text", 10)
  assert str(caught.value) == reason


@pytest.mark.parametrize(
  ("words", "bucket"),
  [
    (0, "001-010 words"),
    (1, "001-010 words"),
    (10, "001-010 words"),
    (11, "011-020 words"),
    (50, "021-050 words"),
    (51, "051-200 words"),
    (200, "051-200 words"),
    (201, "201+ words"),
  ],
)
def test_length_buckets(words, bucket):
  assert texts.length_bucket("word " * words, (10, 20, 50, 200)) == bucket


def test_length_buckets_of_few_words():
  assert texts.length_bucket("one", (5, 10, 20)) == "01-05 words"
  assert texts.length_bucket("w " * 21, (5, 10, 20)) == "21+ words"


def test_max_chars_must_be_a_positive_number():
  assert texts.max_chars({}, 5) == 5
  assert texts.max_chars({"max_chars": 7}, 5) == 7
  for value in (0, -1, 1.5, "9", True):
    with pytest.raises(BadInputError, match=r"data\.max_chars must be a positive int"):
      texts.max_chars({"max_chars": value}, 5)
