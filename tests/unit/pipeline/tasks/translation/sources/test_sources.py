"""The sources together: which one takes an input."""

from __future__ import annotations

import pytest

from pipeline.tasks.translation.sources import SOURCES


def first_match(path) -> str | None:
  return next((name for name, source in SOURCES.items() if source.matches(str(path))), None)


@pytest.mark.parametrize(
  ("files", "source"),
  [
    ({"x.csv": "source,target\n"}, "table"),
    ({"x.tsv": "source\ttarget\n"}, "table"),
    ({"x.tsv": "src\ttgt\n"}, "table"),
    ({"x.tsv": "Go.\tVa !\n"}, "tsv"),
    ({"fra.txt": "Go.\tVa !\n", "_about.txt": "words"}, "tsv"),
    ({"train.en": "x", "train.de": "x", "README.txt": "words"}, "aligned"),
    ({"notes.txt": "no pairs\n"}, None),
    ({}, None),
  ],
)
def test_the_layout_decides(files, source, tmp_path):
  for name, text in files.items():
    (tmp_path / name).write_text(text)
  assert first_match(tmp_path) == source


def test_a_prefix_is_for_aligned(tmp_path):
  for name in ("train.en", "train.de.gz", "other.en"):
    (tmp_path / name).write_text("x")
  assert first_match(tmp_path / "train") == "aligned"
  assert first_match(tmp_path / "other") is None
  assert first_match(tmp_path / "gone") is None


def test_tatoeba_is_for_tsv(dataset):
  assert first_match(dataset("tatoeba_en_fr")) == "tsv"
  assert first_match(dataset("tatoeba_en_fr") + "/fra.txt") == "tsv"
