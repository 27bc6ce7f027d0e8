"""The splits that an input draws itself, by the names of its files or folders or by a column."""

from __future__ import annotations

import re
from collections.abc import Iterable

from dlpipe.records import EVAL, SPLIT_NAMES, SPLITS, VAL

_WORD = re.compile(r"[a-z]+")
# Corpora of text know "dev", too; among folders of pictures it is a class like any other.
_TEXT_NAMES = {**SPLIT_NAMES, "dev": VAL}


def of_text(name: str) -> str | None:
  """Returns the split that a value such as "Test" names, or a file such as `test_2016.en`."""
  word = _WORD.match(name.lower())
  return _TEXT_NAMES.get(word.group()) if word else None


def is_split_name(name: str) -> bool:
  """Returns whether nothing but a split and perhaps a number is named, as by "Test" or `train-00001`."""
  return re.sub(r"[\d._\- ]", "", name.lower()) in _TEXT_NAMES


def settle(found: Iterable[str | None]) -> dict[str, str]:
  """What each of the splits that occur in the input is here.

  One held-out set is what the model is judged by, whatever its name; validation rows then come out
  of train.
  """
  splits = {split for split in found if split is not None}
  alone = VAL in splits and EVAL not in splits
  return {s: EVAL if alone and s == VAL else s for s in SPLITS if s in splits}


def given(settled: dict[str, str]) -> tuple[str, ...]:
  """Returns the splits of a `SourcePlan`, in their usual order."""
  return tuple(s for s in SPLITS if s in settled.values())
