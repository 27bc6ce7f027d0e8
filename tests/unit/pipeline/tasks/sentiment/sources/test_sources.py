"""The sources together: which one takes an input, and what importing them loads."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from pipeline.tasks.sentiment.sources import SOURCES


def first_match(path) -> str | None:
  return next((name for name, source in SOURCES.items() if source.matches(str(path))), None)


@pytest.mark.parametrize(
  ("files", "source"),
  [
    (["x.csv"], "table"),
    (["train.jsonl.gz", "test.jsonl.gz", "README.md"], "table"),
    (["pos/1.txt", "neg/1.txt"], "folder"),
    (["pos/1.txt", "neg/1.txt", "notes.csv"], "folder"),
    (["train/pos/1.txt", "train/labels.csv", "README"], "folder"),
    (["rt-polarity.pos", "rt-polarity.neg"], "lines"),
    (["data.tfrecord"], "tfrecord"),
    (["README.md"], None),
    ([], None),
  ],
)
def test_the_layout_decides(files, source, tmp_path):
  for name in files:
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text("x\n")
  assert first_match(tmp_path) == source


def test_nothing_matches_a_missing_path(tmp_path):
  assert first_match(tmp_path / "gone") is None


def test_mr_polarity_is_for_lines(dataset):
  assert first_match(dataset("mr_polarity")) == "lines"


@pytest.mark.parametrize("task", ["sentiment", "translation"])
def test_importing_the_sources_imports_no_framework(task):
  code = (
    f"import sys; import pipeline.tasks.{task}.sources;"
    "print(sorted({'tensorflow', 'tfx', 'apache_beam', 'pyarrow', 'pandas'} & set(sys.modules)))"
  )
  done = subprocess.run(
    [sys.executable, "-c", code],
    capture_output=True,
    text=True,
    check=True,
    env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
  )
  assert done.stdout == "[]\n"
