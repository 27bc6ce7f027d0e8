"""Finds the splits that an input defines, by the names of its files or folders or by a column."""

from __future__ import annotations

import re
from collections.abc import Iterable

from dlpipe.records import EVAL, SPLIT_NAMES, SPLITS, VAL

_WORD = re.compile(r"[a-z]+")
# Text corpora also use "dev"; among folders of pictures it is an ordinary class.
_TEXT_NAMES = {**SPLIT_NAMES, "dev": VAL}


def of_text(name: str) -> str | None:
  """Returns the split that a value such as "Test" or a file name such as `test_2016.en` gives."""
  word = _WORD.match(name.lower())
  return _TEXT_NAMES.get(word.group()) if word else None


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
