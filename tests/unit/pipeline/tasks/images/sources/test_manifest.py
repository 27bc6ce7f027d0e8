"""Manifests: columns, splits, and rows that cannot be used."""

from __future__ import annotations

import json

import pytest

from dlpipe.errors import BadInputError
from dlpipe.records import Rejected
from pipeline.problems import labels, number
from pipeline.tasks.images.sources import manifest


@pytest.fixture
def write(class_folders):
  """Returns a function that writes a CSV beside six pictures and returns its path."""
  root = class_folders("a", "b")

  def write_csv(text: str, name: str = "list.csv", encoding: str = "utf-8"):
    (root / name).write_text(text, encoding=encoding)
    return str(root / name)

  return write_csv


ROWS = "a/0.png,cat\na/1.png,cat\nb/0.png,dog\nb/1.png,dog\n"


def read_all(path, **options):
  plan = manifest.plan(path, options)
  shards = json.loads(json.dumps(list(plan.shards)))
  return plan, [r for shard in shards for r in manifest.read(shard, options)]


def test_rows_become_records(write):
  plan, records = read_all(write("path,label\n" + ROWS))
  assert plan.labels == ("cat", "dog")
  assert sorted((r.origin, r.features["label"], r.split) for r in records) == [
    ("list.csv, row 2: a/0.png", "cat", None),
    ("list.csv, row 3: a/1.png", "cat", None),
    ("list.csv, row 4: b/0.png", "dog", None),
    ("list.csv, row 5: b/1.png", "dog", None),
  ]


def test_columns_are_named_by_options(write):
  path = write(
    "kind\tfile\tpart\ncat\ta/0.png\ttrain\ncat\ta/1.png\tTest\n"
    "dog\tb/0.png\ttrain\ndog\tb/1.png\tval\n",
    name="list.tsv",
  )
  options = {"path_column": "file", "label_column": "kind", "split_column": "part"}
  plan, records = read_all(path, **options)
  assert plan.given_splits == ("train", "val", "eval")
  assert {r.origin: r.split for r in records} == {
    "list.tsv, row 2: a/0.png": "train",
    "list.tsv, row 3: a/1.png": "eval",
    "list.tsv, row 4: b/0.png": "train",
    "list.tsv, row 5: b/1.png": "val",
  }


def test_val_without_eval_is_what_the_model_is_judged_by(write):
  path = write("path,label,s\na/0.png,x,train\na/1.png,x,val\nb/0.png,y,train\nb/1.png,y,val\n")
  plan, records = read_all(path, split_column="s")
  assert plan.given_splits == ("train", "eval")
  assert sorted(r.split for r in records) == ["eval", "eval", "train", "train"]


def test_a_byte_order_mark_does_not_stick_to_a_column(write):
  plan, _ = read_all(write("path,label\n" + ROWS, encoding="utf-8-sig"))
  assert plan.labels == ("cat", "dog")


def test_rows_that_cannot_be_used_are_rejected(write):
  text = "path,label\n" + ROWS + "a/gone.png,cat\na/2.png,\n,dog\n"
  _, records = read_all(write(text))
  rejected = sorted((r.origin, r.reason) for r in records if isinstance(r, Rejected))
  assert rejected == [
    ("list.csv, row 6: a/gone.png", "the file cannot be read: No such file or directory"),
    ("list.csv, row 7: a/2.png", "the label is empty"),
    ("list.csv, row 8", "the row names no picture"),
  ]
  assert len(records) == 7


@pytest.mark.parametrize(
  ("text", "words"),
  [
    ("where,label\n" + ROWS, "Expected a column 'path'"),
    ("path,kind\n" + ROWS, "--set data.label_column="),
    ("", "It is empty"),
    ("path,label\na/0.png,cat\na/1.png,cat\n", "Found: 'cat'"),
    ("path,label\na/0.png,cat\na/1.png,cat\na/2.png,owl\n", "Found one of 'owl'"),
    (
      f"path,label\na/0.png,cat\na/1.png,cat\na/2.png,{'o' * 41}\n",
      f"Found one of '{'o' * 39}…'; add",
    ),
  ],
)
def test_a_csv_that_cannot_be_used_is_refused(text, words, write):
  with pytest.raises(BadInputError) as caught:
    manifest.plan(write(text), {})
  assert words in str(caught.value)


def test_an_unknown_split_is_refused_with_its_row(write):
  path = write("path,label,s\na/0.png,x,train\na/1.png,x,someday\n")
  with pytest.raises(BadInputError, match="Received 'someday' in list.csv, row 3"):
    manifest.plan(path, {"split_column": "s"})


def test_a_csv_that_is_no_utf8_is_refused(write):
  with pytest.raises(BadInputError, match="0xE4 in column 'path'. Save the file as UTF-8.*iconv"):
    manifest.plan(write("path,label\nä.png,x\n", encoding="latin-1"), {})


def test_matches_a_csv_or_the_folder_of_one(write, tmp_path):
  path = write("path,label\n" + ROWS)
  folder = path.removesuffix("/list.csv")
  assert manifest.matches(path)
  assert manifest.matches(folder)
  assert not manifest.matches(str(tmp_path))
  write("other,columns\n")
  assert not manifest.matches(folder)


def _read_as(problem, path, **options):
  plan = manifest.plan(path, options, problem)
  shards = json.loads(json.dumps(list(plan.shards)))
  return plan, [r for shard in shards for r in manifest.read(shard, options)]


def test_labels_may_be_several_or_none(write):
  path = write("path,label\na/0.png,cat|red\na/1.png,\nb/0.png,cat\nb/1.png,red||x\n")
  plan, records = _read_as(labels.PROBLEM, path)
  assert plan.classes == {"cat": 2, "red": 1}
  found = {r.origin: r.features["label"] for r in records if not isinstance(r, Rejected)}
  assert sorted(found.values()) == [[], ["cat"], ["cat", "red"]]
  [bad] = [r for r in records if isinstance(r, Rejected)]
  assert (bad.origin, bad.reason) == ("list.csv, row 5: b/1.png", "the label is empty")


def test_labels_may_be_numbers(write):
  path = write("path,label\na/0.png,0\na/1.png,2.5\nb/0.png,-1\nb/1.png,two\n")
  plan, records = _read_as(number.PROBLEM, path)
  assert plan.classes == {}
  values = [r.features["label"] for r in records if not isinstance(r, Rejected)]
  assert sorted(values) == [-1.0, 0.0, 2.5]
  [bad] = [r for r in records if isinstance(r, Rejected)]
  assert bad.reason == "'two' is no number"


def test_pictures_with_one_number_alone_are_refused(write):
  with pytest.raises(BadInputError, match="Expected at least two different numbers"):
    _read_as(number.PROBLEM, write("path,label\na/0.png,1\na/1.png,1\n"))
