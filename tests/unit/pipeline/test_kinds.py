"""What a value may be, in words and as a check, from one type."""

import datetime
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from pipeline import kinds


@pytest.mark.parametrize(
  ("kind", "words", "good", "bad"),
  [
    (int, "a whole number", [0, -3], [1.5, True, "1", None]),
    (float, "a number", [0, 0.5], [True, "1", float("nan"), float("inf")]),
    (bool, "true or false", [True], [1, "true"]),
    (str, "text", ["", "a"], [1, None]),
    (Annotated[int, Field(ge=1)], "a whole number of at least 1", [1], [0]),
    (Annotated[float, Field(gt=0, lt=0.5)], "a number above 0 and below 0.5", [0.1], [0, 0.5]),
    (Annotated[float, Field(ge=0, lt=1)], "a number of at least 0 and below 1", [0], [1]),
    (Annotated[int, Field(ge=8, le=1024)], "a whole number from 8 to 1,024", [8, 1024], [7, 1025]),
    (Annotated[int | None, Field(ge=1)], "null or a whole number of at least 1", [None, 1], [0]),
    (Literal["gru", "lstm"], "gru or lstm", ["gru"], ["gur", None]),
    (Literal["a", "b", "c"], "a, b or c", ["c"], ["d"]),
    (
      list[Annotated[int, Field(ge=1)]],
      "a list of whole numbers of at least 1",
      [[1], []],
      [[0], 1],
    ),
    (tuple[str, ...], "a list of texts", [["a"], ("a", "b")], [[1], "ab"]),
    (tuple[Literal["a", "b"], ...], "a list of a or b", [["a"], []], [["c"], "a"]),
    (dict[str, int], "a mapping", [{"a": 1}], [[1], {"a": "b"}]),
    (datetime.date, "a date, such as 2024-01-31", [datetime.date(2024, 1, 1)], [5]),
    (Any, "any value", [1, "a", None], []),
    (
      Literal["none", "auto"] | dict[str, float],
      "none, auto or a mapping",
      ["auto", {"rare": 5.0}, {}],
      ["some", 1, None, ["auto"]],
    ),
  ],
)
def test_words_and_check_agree(kind, words, good, bad):
  assert kinds.in_words(kind) == words
  assert [value for value in good if not kinds.fits(kind, value)] == []
  assert [value for value in bad if kinds.fits(kind, value)] == []
