"""Pairs as manythings has them: tabs alone count, and characters stay as they are."""

from __future__ import annotations

import collections
import gzip

import pytest

from dlpipe.errors import BadInputError
from dlpipe.records import Record, Rejected


@pytest.fixture
def write(tmp_path):
  def write(data, name="fra.txt"):
    (tmp_path / name).write_bytes(data if isinstance(data, bytes) else data.encode())
    return tmp_path / name

  return write


def pairs(records):
  return [(r.features["text"], r.features["target"]) for r in records]


LINES = 'Go.\tVa !\tCC-BY 2.0 #1\n"Hi" he said\t«\u202fSalut\xa0»\u200b\r\na\u2028b\tc\x85d\n'


def test_pairs_are_kept_as_they_are(write, read_all):
  _, records = read_all("tsv", write(LINES))
  assert pairs(records) == [
    ("Go.", "Va !"),
    ('"Hi" he said', "«\u202fSalut\xa0»\u200b"),
    ("a\u2028b", "c\x85d"),
  ]
  assert records[0] == Record(
    features={"text": "Go.", "target": "Va !", "length_bucket": "01-05 words"},
    content=b"go",
    split=None,
    origin="fra.txt, row 1",
  )


def test_sides_may_be_swapped(write, read_all):
  plan, records = read_all("tsv", write(LINES), reverse=True)
  assert pairs(records)[0] == ("Va !", "Go.")
  assert plan.fingerprint != read_all("tsv", write(LINES))[0].fingerprint
  with pytest.raises(BadInputError, match=r"data\.reverse must be true or false"):
    read_all("tsv", write(LINES), reverse="yes")


def test_the_folder_of_one_file(write, read_all):
  write("read me", "_about.txt")
  write("read me\tplease", "README.txt")
  path = write(gzip.compress(LINES.encode()), "fra.tsv.gz")
  assert len(read_all("tsv", path.parent)[1]) == 3
  write(LINES, "deu.txt")
  with pytest.raises(BadInputError, match="is none"):
    read_all("tsv", path.parent)


def test_lines_that_cannot_be_used_are_rejected(write, read_all):
  data = b"a\tb\nno tab\n\n\tb\na\t \xc2\xa0\nsch\xf6n\tx\nlonger than\tx\nx\tlonger than\n"
  _, records = read_all("tsv", write(data), max_chars=8)
  assert [(r.origin, r.reason, r.data) for r in records[1:] if isinstance(r, Rejected)] == [
    ("fra.txt, row 2", "expected source<TAB>target; the line has no tab", b"no tab"),
    ("fra.txt, row 4", "the source is empty", b"\tb"),
    ("fra.txt, row 5", "the target is empty", b"a\t \xc2\xa0"),
    ("fra.txt, row 6", "the source is no valid UTF-8: byte 0xF6", b"sch\xf6n\tx"),
    (
      "fra.txt, row 7",
      "the source has more characters than data.max_chars = 8",
      b"longer than\tx",
    ),
    (
      "fra.txt, row 8",
      "the target has more characters than data.max_chars = 8",
      b"x\tlonger than",
    ),
  ]
  assert len(records) == 7


def test_a_source_with_several_targets_has_one_content(write, read_all):
  _, records = read_all("tsv", write("Run!\tCours\nrun\tCourez\nRun away\tFuis\n"))
  assert [r.content for r in records] == [b"run", b"run", b"run away"]


@pytest.mark.parametrize(
  ("data", "words"),
  [
    ("no tabs\nat all\n", "None of the first 20 lines"),
    ("", "None of the first 20 lines"),
    ("id\tsource\ttarget\n1\ta\tb\n", "--set data.source=table"),
  ],
)
def test_files_that_cannot_be_used_are_refused(data, words, write, read_all):
  with pytest.raises(BadInputError) as caught:
    read_all("tsv", write(data))
  assert words in str(caught.value)


def test_tatoeba(dataset, read_all):
  plan, records = read_all("tsv", dataset("tatoeba_en_fr"))
  assert len(records) == len({r.origin for r in records}) == 99_661
  assert all(isinstance(r, Record) for r in records)
  assert len({r.features["text"] for r in records}) == 69_795
  buckets = collections.Counter(r.features["length_bucket"] for r in records)
  assert buckets == {
    "01-05 words": 44_907,
    "06-10 words": 49_248,
    "11-20 words": 5433,
    "21+ words": 73,
  }
  targets = "".join(r.features["target"] for r in records)
  assert all(character in targets for character in "\u202f\xa0\u200b")
  # The file is sorted by length; a shard is not.
  first = [len(r.features["text"]) for r in records[:4000]]
  assert max(first) > 3 * min(first)
  assert 10 < len(plan.shards) < 40
