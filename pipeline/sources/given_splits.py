"""Finds the splits that an input defines, by the names of its files or folders or by a column."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from dlpipe.records import EVAL, SPLIT_NAMES, SPLITS, TRAIN, VAL

_WORD = re.compile(r"[a-z]+")
_PARTS = re.compile(r"[^._\- ]+")
# Text corpora also use "dev"; among folders of pictures it is an ordinary class.
_TEXT_NAMES = {**SPLIT_NAMES, "dev": VAL}


def of_text(name: str) -> str | None:
  """Returns the split that a value such as "Test" or a file name such as `test_2016.en` gives."""
  word = _WORD.match(name.lower())
  return _TEXT_NAMES.get(word.group()) if word else None


def of_names(names: Sequence[str]) -> list[str | None]:
  """Returns the split that the name of each file of an input gives; None for all without a train.

  A name starts with its split, or has it later, where the names have all else before it, or all
  else after it, in common.

  >>> of_names(["test-0.csv", "train-0.csv"]), of_names(["my_dev.csv", "my_train.csv"])
  (['eval', 'train'], ['val', 'train'])
  >>> of_names(["train.csv", "more.csv"]), of_names(["old.csv", "test.csv"])
  (['train', None], [None, None])
  """
  words = [_PARTS.findall(name) for name in names]
  at = place_of_split(words)
  if at is None:
    return [None] * len(names)
  return [of_text(each[at]) if _has(each, at) else None for each in words]


def place_of_split(words: Sequence[Sequence[str]]) -> int | None:
  """Returns the index of the split among the words of each name; None if names give no split.

  Args:
    words: the words of each name; the index counts from the end if it is negative.
  """
  if TRAIN in _found(words, 0):
    return 0
  # Anywhere else, "train" alone may be a word of a title, as of a book about railways.
  starts = range(1, _in_common(words) + 1)
  ends = range(_in_common([each[::-1] for each in words]) + 1)
  for at in (*starts, *(-1 - index for index in ends)):
    found = _found(words, at)
    if TRAIN in found and found - {TRAIN, None}:
      return at
  return None


def _found(words: Sequence[Sequence[str]], at: int) -> set[str | None]:
  return {of_text(each[at]) if _has(each, at) else None for each in words}


def _has(words: Sequence[str], at: int) -> bool:
  return -len(words) <= at < len(words)


def _in_common(words: Sequence[Sequence[str]]) -> int:
  """Returns how many words all names begin with."""
  same = [len(set(each)) == 1 for each in zip(*words, strict=False)]
  return same.index(False) if False in same else len(same)


def is_split_name(name: str) -> bool:
  """Returns whether a name is only a split and at most a number: "Test", `train-00001`."""
  return re.sub(r"[\d._\- ]", "", name.lower()) in _TEXT_NAMES


def settle(found: Iterable[str | None]) -> dict[str, str]:
  """Maps each split that occurs in the input to one of ours.

  A single held-out set becomes the eval split, whatever its name; validation rows then come from
  train.
  """
  splits = {split for split in found if split is not None}
  alone = VAL in splits and EVAL not in splits
  return {s: EVAL if alone and s == VAL else s for s in SPLITS if s in splits}


def given(settled: dict[str, str]) -> tuple[str, ...]:
  """Returns the splits of a `SourcePlan`, in their usual order."""
  return tuple(s for s in SPLITS if s in settled.values())
