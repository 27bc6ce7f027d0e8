"""Splits by name, and what one held-out set is."""

from __future__ import annotations

import pytest

from pipeline.sources import given_splits


@pytest.mark.parametrize(
  ("name", "split"),
  [
    ("train.en", "train"),
    ("Training", "train"),
    ("dev.tsv", "val"),
    ("test_2016_flickr.en", "eval"),
    ("test2016", "eval"),
    ("train-00000-of-00002.parquet", "train"),
    ("testimony.csv", None),
    ("newstest2014", None),
    ("2016", None),
    ("", None),
  ],
)
def test_a_name_starts_with_its_split(name, split):
  assert given_splits.of_text(name) == split


@pytest.mark.parametrize(
  ("found", "settled", "given"),
  [
    ([None, None], {}, ()),
    (["val", "train", None], {"train": "train", "val": "eval"}, ("train", "eval")),
    (["eval", "train"], {"train": "train", "eval": "eval"}, ("train", "eval")),
    (
      ["eval", "val", "train"],
      {"train": "train", "val": "val", "eval": "eval"},
      ("train", "val", "eval"),
    ),
  ],
)
def test_one_held_out_set_is_eval(found, settled, given):
  assert given_splits.settle(found) == settled
  assert given_splits.given(given_splits.settle(found)) == given


@pytest.mark.parametrize(
  ("names", "splits"),
  [
    (["reviews_test.csv", "reviews_train.csv"], ["eval", "train"]),
    (["a.dev.en", "a.train.en"], ["val", "train"]),
    (["mnist-test.tfrecord-0-of-1", "mnist-train.tfrecord-0-of-1"], ["eval", "train"]),
    (["x_test.csv", "x_train.csv", "x_extra.csv"], ["eval", "train", None]),
    (["part0-train.csv", "part1-train.csv", "part0-test.csv"], ["train", "train", "eval"]),
    (["train.csv", "extra.csv"], ["train", None]),
    # No split, or not where the names say nothing else: the book about railways.
    (["a_train_a.csv", "b_test_b.csv"], [None, None]),
    (["the_train.csv", "the_bus.csv"], [None, None]),
    (["my_train.csv"], [None]),
    (["x_test.csv", "x_val.csv"], [None, None]),
    ([], []),
  ],
)
def test_names_of_files_give_splits_together(names, splits):
  assert given_splits.of_names(names) == splits
