"""The draw of splits by hash: fractions, given splits, and where contents have always gone."""

from __future__ import annotations

import collections

from components.source_example_gen.splits import SplitRule, content_key

KEYS = [content_key(f"record {i}".encode()) for i in range(20_000)]


def share(rule, split=None):
  counts = collections.Counter(rule.split_of(key, split) for key in KEYS)
  return {name: round(count / len(KEYS), 2) for name, count in sorted(counts.items())}


def test_records_without_a_split_are_drawn_by_the_fractions():
  rule = SplitRule(val_fraction=0.1, eval_fraction=0.2)
  assert share(rule) == {"eval": 0.2, "train": 0.7, "val": 0.1}


def test_val_and_eval_are_taken_out_of_train_where_they_are_not_given():
  assert share(SplitRule(given=("train",)), "train") == {"eval": 0.1, "train": 0.8, "val": 0.1}
  assert share(SplitRule(given=("train", "eval")), "train") == {"train": 0.9, "val": 0.1}
  assert share(SplitRule(given=("train", "val", "eval")), "train") == {"train": 1.0}


def test_given_val_and_eval_are_kept():
  rule = SplitRule(given=("train", "val", "eval"))
  assert share(rule, "val") == {"val": 1.0}
  assert share(rule, "eval") == {"eval": 1.0}


def test_nothing_is_drawn_into_a_given_split():
  assert share(SplitRule(given=("train", "eval"))) == {"train": 0.9, "val": 0.1}


def test_a_record_stays_where_every_release_has_put_it():
  drawn = [SplitRule().split_of(key, None) for key in KEYS[:24]]
  assert [i for i, split in enumerate(drawn) if split == "eval"] == [7]
  assert [i for i, split in enumerate(drawn) if split == "val"] == [5, 16, 20, 21, 22]
  wide = SplitRule(given=("eval",), val_fraction=0.3)
  assert [i for i, key in enumerate(KEYS[:24]) if wide.split_of(key, None) == "val"] == [
    1,
    5,
    7,
    16,
    20,
    21,
    22,
  ]


def test_the_key_of_a_content_stays_what_it_is():
  assert content_key(b"a review").hex() == "4d28febf284876ce"


def test_what_is_moved_goes_elsewhere_unless_its_split_is_given():
  rule = SplitRule(given=("eval",), moved={KEYS[0]: "val", KEYS[1]: "train"})
  assert [rule.split_of(key, None) for key in KEYS[:2]] == ["val", "train"]
  assert rule.split_of(KEYS[0], "eval") == "eval"
