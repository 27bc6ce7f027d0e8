"""No class is lost by the draw, and what stays where it is when records are added."""

from __future__ import annotations

import collections
import dataclasses
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.source_example_gen.draws import Draw
from components.source_example_gen.splits import SplitRule, content_key

RULE = SplitRule()

# A record is (content, label); few of both, so that contents repeat and labels contradict.
records = st.lists(st.tuples(st.integers(0, 60), st.sampled_from("abcdefgh")), max_size=60)


def key_of(content):
  return content_key(str(content).encode())


def draw(rows, rule=RULE, shards=1):
  """The moves for these records, drawn in so many shards."""
  merged = Draw()
  for shard in range(shards):
    part = Draw()
    for content, label in rows[shard::shards]:
      key = key_of(content)
      part.add(label, rule.split_of(key, None), key)
    merged.add_json(part.to_json())
  return merged.moves(rule)


def place(rows, rule=RULE):
  """Content to split, and split to its labels."""
  moved = dataclasses.replace(rule, moved=draw(rows, rule).splits)
  split_of = {content: moved.split_of(key_of(content), None) for content, _ in rows}
  labels = collections.defaultdict(set)
  for content, label in rows:
    labels[split_of[content]].add(label)
  return split_of, labels


@given(records)
def test_train_has_every_label(rows):
  _, labels = place(rows)
  assert labels["train"] == {label for _, label in rows}


@given(records)
def test_train_has_every_label_whatever_is_drawn(rows):
  for rule in (SplitRule(given=("eval",), val_fraction=0.45), SplitRule(eval_fraction=0.45)):
    assert place(rows, rule)[1]["train"] == {label for _, label in rows}


@given(records, st.integers(1, 7), st.randoms())
def test_neither_order_nor_shards_matter(rows, shards, shuffler):
  shuffled = list(rows)
  shuffler.shuffle(shuffled)
  assert draw(shuffled, shards=shards) == draw(rows)


@settings(max_examples=300)
@given(records, records)
def test_only_what_was_moved_can_move_when_records_are_added(old, new):
  before, after = place(old)[0], place(old + new)[0]
  moved = draw(old).splits
  relabelled = {c for c, label in new if c in before and (c, label) not in old}
  filled = set(draw(old + new).held_out)
  for content, split in before.items():
    if after[content] != split:
      assert key_of(content) in moved or key_of(content) in filled or content in relabelled


@given(records, records)
def test_labels_that_train_has_by_hash_never_move_anything_to_train(old, new):
  by_hash = {label for c, label in old if RULE.split_of(key_of(c), None) == "train"}
  assert not draw([row for row in old + new if row[1] in by_hash] + old).to_train - {
    key_of(c) for c, label in old + new if label not in by_hash
  }


def many(classes, each, seed):
  return [(f"{seed} {label} {i}", str(label)) for label in range(classes) for i in range(each)]


@pytest.mark.parametrize("seed", range(5))
def test_a_tenth_more_moves_no_record_but_those_of_classes_that_were_all_held_out(seed):
  old = many(2000, 4, seed)
  shuffler = random.Random(seed)
  new = [(f"new {seed} {i}", str(shuffler.randrange(2000))) for i in range(len(old) // 10)]
  before, after = place(old)[0], place(old + new)[0]
  changed = {content for content in before if before[content] != after[content]}
  saved = draw(old).to_train
  assert {key_of(content) for content in changed} <= saved
  # 0.2 ** 4 of 2,000 classes are 3.2; a third of them is given another record.
  assert len(saved) <= 12
  assert len(changed) <= 4


@pytest.mark.parametrize("seed", range(5))
def test_a_tenth_more_moves_nothing_where_classes_have_forty_records(seed):
  old, new = many(50, 40, seed), many(50, 4, f"new {seed}")
  before, after = place(old)[0], place(old + new)[0]
  assert {content: after[content] for content in before} == before
  assert not draw(old)


def test_one_label_of_one_record_goes_to_train():
  held_out = [c for c in range(200) if RULE.split_of(key_of(c), None) != "train"]
  for content in held_out[:10]:
    split_of, labels = place([*((c, "a") for c in range(200, 600)), (content, "typo")])
    assert split_of[content] == "train"
    assert labels["eval"] == labels["val"] == {"a"}


@given(st.integers(2, 40), st.integers(2, 5))
def test_small_data_fills_every_split_with_two_labels_where_there_are_records_to_spare(seed, count):
  rows = [(f"{seed} {i}", str(i % count)) for i in range(5 * count)]
  _, labels = place(rows)
  assert len(labels["val"]) >= 2
  assert len(labels["eval"]) >= 2
  assert len(labels["train"]) == count


@given(st.integers(6, 20), st.integers(0, 100))
def test_without_labels_every_split_is_filled(count, seed):
  rows = [(f"{seed} {i}", None) for i in range(count)]
  assert set(place(rows)[1]) == {"train", "val", "eval"}


def test_a_split_that_is_given_is_not_filled():
  rows = [(i, None) for i in range(3)]
  assert set(place(rows, SplitRule(given=("eval",)))[1]) == {"train", "val"}


def test_a_draw_that_is_fine_is_not_changed():
  assert not draw([(i, "ab"[i % 2]) for i in range(500)])
  assert not draw([])


def test_equal_contents_cannot_be_told_apart():
  split_of, labels = place([(0, "x"), (0, "y")] * 30)
  assert split_of == {0: "train"}
  assert labels == {"train": {"x", "y"}}


def _key(number):
  return bytes([number] * 8)


def _moves(rows):
  """What is moved of labels' contents in train (T) and eval (E), which begin with these bytes."""
  drawn = Draw()
  for label, split, *numbers in rows:
    for number in numbers:
      drawn.add(label, {"T": "train", "E": "eval"}[split], _key(number))
  moves = drawn.moves(SplitRule(val_fraction=0.0))
  return set(moves.to_train), dict(moves.held_out)


def test_of_a_class_that_is_held_out_the_content_nearest_to_train_goes_there():
  rows = [("a", "T", 200, 201), ("a", "E", 10), ("b", "E", 3, 7, 5), ("c", "T", 150), ("c", "E", 9)]
  assert _moves(rows) == ({_key(7)}, {})


def test_what_goes_to_train_is_no_class_to_judge_by():
  rows = [("a", "E", 10), ("b", "T", 101, 100), ("c", "T", 110, 111)]
  assert _moves(rows) == ({_key(10)}, {_key(100): "eval", _key(110): "eval"})


def test_a_content_that_is_there_three_times_is_one():
  rows = [("a", "T", 120, 121), ("b", "T", 100, 100, 100, 101), ("c", "T", 110, 111)]
  assert _moves(rows) == (set(), {_key(100): "eval", _key(110): "eval"})
