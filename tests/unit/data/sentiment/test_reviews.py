"""The made-up reviews: the same everywhere, balanced, and not to be told by single words."""

import csv
import hashlib
import os
import random
import stat

import pytest

from data.sentiment import reviews

_SHA256 = "264de916abebda5261e8c621af2170db2b88335054333b4d4b0b5ab232f17617"


@pytest.fixture(scope="module")
def rows():
  return list(reviews.reviews())


def test_the_same_file_comes_out_everywhere(tmp_path):
  random.seed(3)  # nobody else's chance matters
  path = tmp_path / "cache" / "reviews.csv"
  assert reviews.write_reviews(str(path)) == str(path)
  assert hashlib.sha256(path.read_bytes()).hexdigest() == _SHA256
  assert stat.S_IMODE(path.stat().st_mode) == 0o644
  assert os.listdir(path.parent) == ["reviews.csv"]


def test_the_time_of_the_file_is_fixed_so_that_its_fingerprint_is(tmp_path):
  found = [os.stat(reviews.write_reviews(str(tmp_path / name))).st_mtime_ns for name in ("a", "b")]
  assert found[0] == found[1]


def test_a_file_that_is_there_is_kept(tmp_path):
  (tmp_path / "reviews.csv").write_text("mine")
  reviews.write_reviews(str(tmp_path / "reviews.csv"))
  assert (tmp_path / "reviews.csv").read_text() == "mine"


def test_the_csv_holds_the_rows(tmp_path, rows):
  path = reviews.write_reviews(str(tmp_path / "reviews.csv"))
  with open(path, encoding="utf-8", newline="") as file:
    read = list(csv.reader(file))
  assert read[0] == ["text", "label"]
  assert [tuple(row) for row in read[1:]] == rows


def test_a_failed_write_leaves_nothing(tmp_path, monkeypatch):
  def fail():
    yield "a text", "positive"
    raise OSError("no space left")

  monkeypatch.setattr(reviews, "reviews", fail)
  with pytest.raises(OSError, match="no space left"):
    reviews.write_reviews(str(tmp_path / "reviews.csv"))
  assert list(tmp_path.iterdir()) == []


def test_rows_are_many_different_and_balanced(rows):
  texts = [text for text, _ in rows]
  assert len(rows) == len(set(texts)) == 6000
  assert sum(label == "positive" for _, label in rows) == 3000
  assert {label for _, label in rows} == {"negative", "positive"}


def test_lengths_go_from_three_words_to_sixty(rows):
  lengths = sorted(len(text.split()) for text, _ in rows)
  assert (lengths[0], lengths[-1]) == (3, reviews.MAX_WORDS)
  assert lengths[600] < 10
  assert lengths[-600] > 40


def test_counting_words_of_praise_and_blame_is_not_enough(rows):
  from data.sentiment import vocabulary

  domains = vocabulary.DOMAINS
  good = {word for d in domains for word in d.adjectives(True)}
  bad = {word for d in domains for word in d.adjectives(False)}

  def guess(text):
    words = text.lower().replace(".", " ").replace(",", " ").replace(";", " ").split()
    return sum((word in good) - (word in bad) for word in words)

  right = sum((guess(text) > 0) == (label == "positive") for text, label in rows)
  assert 0.5 < right / len(rows) < 0.75


def test_another_seed_writes_other_rows():
  first, second = (list(reviews.reviews(rows=50, seed=seed)) for seed in (1, 2))
  assert not set(first) & set(second)
  assert list(reviews.reviews(rows=50, seed=1)) == first
