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
