"""Two files line by line: languages, splits, prefixes, and counts that differ."""

from __future__ import annotations

import gzip
import shutil

import pytest

from dlpipe.errors import BadInputError
from dlpipe.records import Rejected

EN_DE = {"source_language": "en", "target_language": "de"}


@pytest.fixture
def write(tmp_path):
  def write(**files):
    for name, data in files.items():
      data = data.encode() if isinstance(data, str) else data
      name = name.replace("__", ".")
      (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return tmp_path

  return write


def triples(records):
  return sorted((r.features["text"], r.features["target"], r.split) for r in records)


def test_splits_are_those_of_the_names(write, read_all):
  root = write(
    train__en="one\r\ntwo\u2028too\n",
    train__de="eins\nzwei\x85auch",
    val__en="three",
    val__de="drei",
    test__en__gz="four\n",
    test__de="vier\n",
    README__md="words",
  )
  plan, records = read_all("aligned", root, **EN_DE)
  assert plan.given_splits == ("train", "val", "eval")
  assert triples(records) == [
    ("four", "vier", "eval"),
    ("one", "eins", "train"),
    ("three", "drei", "val"),
    ("two\u2028too", "zwei\x85auch", "train"),
  ]
  assert records[0].origin == "test.en.gz and test.de, row 1"


def test_splits_may_stand_behind_what_all_names_share(write, read_all):
  root = write(
    ep_train__en="one\n", ep_train__de="eins\n", ep_test__en="two\n", ep_test__de="zwei\n"
  )
  plan, records = read_all("aligned", root, **EN_DE)
  assert plan.given_splits == ("train", "eval")
  assert triples(records) == [("one", "eins", "train"), ("two", "zwei", "eval")]


def test_names_without_splits_are_drawn(write, read_all):
  root = write(corpus__en="a\nb\n", corpus__de="A\nB\n", news__en="c\n", news__de="C\n")
  plan, records = read_all("aligned", root, **EN_DE)
  assert plan.given_splits == ()
  assert triples(records) == [("a", "A", None), ("b", "B", None), ("c", "C", None)]


def test_a_prefix_chooses_one_corpus(write, read_all):
  root = write(corpus__en="a\n", corpus__de="A\n", news__en="c\n", news__de="C\n")
  _, records = read_all("aligned", root / "news", source_language="de")
  assert triples(records) == [("C", "c", None)]


@pytest.mark.parametrize("packed", [False, True])
def test_many_lines_are_paired_across_shards(packed, write, read_all):
  en = "".join(f"line {n}\n" for n in range(7_500))
  de = "".join(f"Zeile Nummer {n}\n" for n in range(7_500))
  root = write(**{"x__en__gz" if packed else "x__en": en, "x__de": de})
  plan, records = read_all("aligned", root, **EN_DE)
  assert len(plan.shards) == (1 if packed else 2)
  assert len({r.origin for r in records}) == 7_500
  for record in records:
    number = record.features["text"].removeprefix("line ")
    assert record.features["target"] == f"Zeile Nummer {number}"
    assert record.origin.endswith(f", row {int(number) + 1}")


def test_lines_that_cannot_be_used_are_rejected(write, read_all):
  root = write(x__en=b"one\n\nthree\nf\xfcnf\n", x__de=b"eins\nzwei\n\nfive\n")
  _, records = read_all("aligned", root, **EN_DE)
  assert [(r.origin, r.reason, r.data) for r in records if isinstance(r, Rejected)] == [
    ("x.en and x.de, row 2", "the source is empty", b"\nzwei"),
    ("x.en and x.de, row 3", "the target is empty", b"three\n"),
    ("x.en and x.de, row 4", "the source is no valid UTF-8: byte 0xFC", b"f\xfcnf\nfive"),
  ]


@pytest.mark.parametrize(
  ("files", "options", "words"),
  [
    (
      {"x__en": "1\n2\n3\n", "x__de": "1\n2"},
      EN_DE,
      ("x.en' has 3,", "x.de' 2; line by line"),
    ),
    (
      {"x__en": "1\n", "x__de": "1\n"},
      {},
      (
        "Found at",
        ": de, en. Say it with",
      ),
    ),
    (
      {"x__en": "1\n", "x__no": "1\n"},
      {"target_language": False},
      ("must be a string. Received: False",),
    ),
    ({"x__en": "1\n", "x__de": "1\n"}, {"source_language": "fr"}, ("end with .fr", "de, en")),
    (
      {"x__en": "1\n", "x__de": "1\n", "x__fr": "1\n"},
      {"source_language": "fr"},
      ("into which", "de, en, fr"),
    ),
    (
      {"x__en": "1\n", "x__de": "1\n"},
      {"source_language": "en", "target_language": "en"},
      ("Expected two languages",),
    ),
    (
      {"x__en": "1\n", "x__de": "1\n", "y__en": "2\n"},
      EN_DE,
      ("Expected y.de beside 'y.en'",),
    ),
    (
      {"train__en": "1\n", "train__de": "1\n", "news__en": "1\n", "news__de": "1\n"},
      EN_DE,
      ("no split: 'news'",),
    ),
    ({"x__en": "", "x__de": ""}, EN_DE, ("There are none",)),
    ({"x__txt": "1\n", "x__md": "1\n"}, EN_DE, ("Found none at",)),
  ],
)
def test_files_that_cannot_be_used_are_refused(files, options, words, write, read_all):
  with pytest.raises(BadInputError) as caught:
    read_all("aligned", write(**files), **options)
  for expected in words:
    assert expected in str(caught.value)


def test_files_of_ids_and_equal_files_are_refused(tmp_path, read_all):
  (tmp_path / "train.en").write_text("".join(f"Hello {n}\n" for n in range(20)))
  (tmp_path / "train.ids").write_text("".join(f"{n}\n" for n in range(20)))
  with pytest.raises(BadInputError, match=r"Found numbers in the \.ids files"):
    read_all("aligned", tmp_path, source_language="ids")
  (tmp_path / "train.ids").rename(tmp_path / "train.fr")
  shutil.copy(tmp_path / "train.en", tmp_path / "train.fr")
  with pytest.raises(BadInputError, match=r"the \.en files and the \.fr files are equal"):
    read_all("aligned", tmp_path, source_language="en")


def test_what_was_recognized_is_said(tmp_path, read_all):
  for name in ("train.en", "test.en", "train.fr", "test.fr"):
    (tmp_path / name).write_text("".join(f"{name[-2:]} words {n}\n" for n in range(2000)))
  (tmp_path / "notes.md").write_text("x")
  plan, records = read_all("aligned", tmp_path, target_language="fr")
  assert len(records) == 4000
  assert plan.sentences() == [
    (
      "Read as aligned: source = the .en files, target = the .fr files; 4,000 rows; 4 files: "
      "test.en, test.fr, train.en, train.fr; splits of its own: train, eval."
    ),
    "Not read: notes.md (no file of these languages).",
  ]
