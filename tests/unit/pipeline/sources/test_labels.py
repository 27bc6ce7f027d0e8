"""Labels of any kind become the text that names the class."""

from __future__ import annotations

import math

import pytest

from pipeline.sources.labels import label_text


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
