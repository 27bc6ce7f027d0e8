"""The draw of splits: fractions, stability, and data so small that a split may stay empty."""

from __future__ import annotations

import collections

from hypothesis import given
from hypothesis import strategies as st

from components.source_example_gen.splits import SplitRule, content_key, fill_small_splits

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


def test_a_record_stays_where_it_is_when_others_are_added():
  rule = SplitRule()
  before = [rule.split_of(key, None) for key in KEYS[:50]]
  assert [rule.split_of(key, None) for key in KEYS][:50] == before
  assert len(set(before)) == 3


@given(st.integers(2, 40), st.integers(2, 5))
def test_small_data_fills_every_split_and_keeps_every_label_in_train(seed, labels):
  draws = [(content_key(f"{seed} {i}".encode()), str(i % labels)) for i in range(3 * labels)]
  rule = fill_small_splits(SplitRule(), draws)
  placed = [(rule.split_of(key, None), label) for key, label in draws]
  assert {split for split, _ in placed} == {"train", "val", "eval"}
  assert {label for split, label in placed if split == "train"} == {label for _, label in draws}


def test_a_draw_that_is_fine_is_not_changed():
  draws = [(key, "x") for key in KEYS[:500]]
  assert fill_small_splits(SplitRule(), draws) == SplitRule()


def test_equal_contents_cannot_be_told_apart():
  draws = [(KEYS[0], "x")] * 30
  rule = fill_small_splits(SplitRule(), draws)
  assert {rule.split_of(key, None) for key, _ in draws} == {"train"}
