"""One file per class, a text a line: labels from names, shards of all classes."""

from __future__ import annotations

import collections
import gzip

import pytest

from dlpipe.errors import BadInputError
from dlpipe.records import Record, Rejected


@pytest.fixture
def write(tmp_path):
  def write(files):
    for name, data in files.items():
      (tmp_path / name).write_bytes(data.encode() if isinstance(data, str) else data)
    return tmp_path

  return write


TEXTS = "one\ntwo\n"


@pytest.mark.parametrize(
  ("files", "labels"),
  [
    (("rt-polarity.neg", "rt-polarity.pos"), ("neg", "pos")),
    (("neg.txt", "pos.txt"), ("neg", "pos")),
    (("reviews_good_2020.txt", "reviews_very bad_2020.txt"), ("good", "very bad")),
    (("pos.txt", "pos-extra.txt"), ("pos", "pos-extra")),
    (("Gut.TXT", "Schlecht.TXT", "README.md", "LICENSE.txt"), ("Gut", "Schlecht")),
  ],
)
def test_labels_are_what_names_do_not_share(files, labels, write, read_all):
  plan, _ = read_all("lines", write(dict.fromkeys(files, TEXTS)))
  assert plan.labels == tuple(sorted(labels))
  assert plan.given_splits == ()


@pytest.mark.parametrize("form", ["{split}.{label}", "{label}-{split}.txt", "mr.{split}.{label}"])
def test_names_may_hold_splits(form, write, read_all):
  names = [(split, label) for split in ("train", "dev", "test") for label in ("pos", "neg")]
  files = {form.format(split=s, label=lb): f"{s}.{lb}\nmore\n" for s, lb in names}
  plan, records = read_all("lines", write(files))
  assert plan.given_splits == ("train", "val", "eval")
  assert plan.labels == ("neg", "pos")
  found = {r.features["text"]: (r.features["label"], r.split) for r in records}
  assert found["dev.pos"] == ("pos", "val")
  assert found["test.neg"] == ("neg", "eval")


def test_lines_that_cannot_be_used_are_rejected(write, read_all):
  root = write(
    {"a.txt": b"one\r\ntwo\n\nsch\xf6n\n \xc2\xa0 \n", "b.txt.gz": gzip.compress(b"1\n2")}
  )
  _, records = read_all("lines", root)
  assert {(r.features["text"], r.features["label"]) for r in records if isinstance(r, Record)} == {
    ("one", "a"),
    ("two", "a"),
    ("1", "b"),
    ("2", "b"),
  }
  assert [r for r in records if isinstance(r, Rejected)] == [
    Rejected(
      origin="a.txt, row 4", reason="the text is no valid UTF-8: byte 0xF6", data=b"sch\xf6n"
    ),
    Rejected(origin="a.txt, row 5", reason="the text is empty", data=b" \xc2\xa0 "),
  ]


def test_every_shard_has_texts_of_all_classes(write, read_all):
  root = write({name: "".join(f"{name} {n}\n" for n in range(7000)) for name in ("a", "b")})
  plan, records = read_all("lines", root)
  assert len(records) == len({r.origin for r in records}) == 14_000
  assert len(plan.shards) == 3
  for shard in plan.shards:
    count = collections.Counter(part["label"] for part in shard["parts"])
    assert min(count["a"], count["b"]) >= 2


@pytest.mark.parametrize(
  ("files", "words"),
  [
    ({"pos.txt": TEXTS}, "Found in"),
    ({"pos.txt": TEXTS, "neg.txt": "one\n"}, "Found one of 'neg'"),
    ({"pos.txt": TEXTS, "neg.txt": ""}, "Found: 'pos'"),
    ({"pos.txt": TEXTS, "pos.text": TEXTS}, "Both 'pos.text' and 'pos.txt' are of class 'pos'"),
    (
      {"train.pos": TEXTS, "train.neg": TEXTS, "test.ugh": TEXTS},
      "There is none of 'ugh'",
    ),
  ],
)
def test_files_that_cannot_be_used_are_refused(files, words, write, read_all):
  with pytest.raises(BadInputError) as caught:
    read_all("lines", write(files))
  assert words in str(caught.value)


def test_mr_polarity(dataset, read_all):
  plan, records = read_all("lines", dataset("mr_polarity"))
  assert plan.labels == ("neg", "pos")
  counts = collections.Counter(r.features["label"] for r in records)
  assert counts == {"neg": 5331, "pos": 5331}
  assert len({r.origin for r in records}) == 10_662
  buckets = collections.Counter(r.features["length_bucket"] for r in records)
  assert buckets == {
    "001-010 words": 1508,
    "011-020 words": 3850,
    "021-050 words": 5286,
    "051-200 words": 18,
  }
