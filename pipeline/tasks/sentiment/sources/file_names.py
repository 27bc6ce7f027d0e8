"""Reads class and split from the names of line files, and finds files about the data."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Sequence

from dlpipe.errors import BadInputError
from dlpipe.records import TRAIN
from pipeline.sources import given_splits, input_paths
from pipeline.sources.class_counts import names
from pipeline.sources.labels import label_text

_WORD = re.compile(r"[^._\- ]+")
_SUFFIXES = re.compile(r"(\.(txt|text))?(\.gz)?$", re.IGNORECASE)
_NO_TEXTS = frozenset({"readme", "license", "licence", "copying", "about"})
_COUNTED = re.compile(r"\d{3,}$")


def is_about_the_data(name: str) -> bool:
  """Returns whether a file is a readme, a licence or the like."""
  return bool(_NO_TEXTS & {word.group().lower() for word in _words(name)})


def splits(files: Sequence[str]) -> list[str | None]:
  """Returns the split of each file of labelled lines, such as `cooking.valid`.

  Raises:
    BadInputError: some file names give a split and others do not.
  """
  found: list[str | None] = []
  for file in files:
    words = [given_splits.of_text(word.group()) for word in _words(os.path.basename(file))]
    named = {split for split in words if split is not None}
    found.append(named.pop() if len(named) == 1 else None)
  if TRAIN not in found:
    return [None] * len(files)
  others = [os.path.basename(f) for f, split in zip(files, found, strict=True) if split is None]
  if others:
    raise BadInputError(
      f"Beside the file of train in {os.path.dirname(files[0])!r} lie files of no split: "
      f"{names(others)}. Name them train, val or test, or move them away."
    )
  return found


def labels_and_splits(files: Sequence[str], *, told: bool) -> tuple[list[str], list[str | None]]:
  """Returns each file's label and split, from the parts that distinguish the names.

  Args:
    files: paths.
    told: whether the user set that the names are the classes.

  Raises:
    BadInputError: two files have one class, a class has no file of train, or the names are splits
      or part numbers instead of classes.
  """
  folder = os.path.dirname(files[0])
  bases = [
    unicodedata.normalize("NFC", input_paths.printable(os.path.basename(file))) for file in files
  ]
  words = [_words(base) for base in bases]
  words, found = _without_splits(words)
  for place in (0, -1):
    while all(len(w) > 1 for w in words) and len({w[place].group() for w in words}) == 1:
      words = [w[1:] if place == 0 else w[:-1] for w in words]
  labels = [
    _label(base[w[0].start() : w[-1].end()] if w else base, base)
    for base, w in zip(bases, words, strict=True)
  ]
  if not told:
    _require_class_names(labels, folder)
    _require_several(labels, found, folder)
  first: dict[tuple[str, str | None], str] = {}
  for key, base in zip(zip(labels, found, strict=True), bases, strict=True):
    if first.setdefault(key, base) != base:
      raise BadInputError(
        f"Expected one file per class. Both {first[key]!r} and {base!r} are of class {key[0]!r}; "
        f"move one away from {folder!r}."
      )
  untrained = sorted({label for label, _ in first} - {lb for lb, s in first if s in (None, TRAIN)})
  if untrained:
    raise BadInputError(
      f"Expected a file of train for every class in {folder!r}. There is none of "
      f"{names(untrained)}."
    )
  return labels, found


def _label(name: str, base: str) -> str:
  try:
    return label_text(name)
  except ValueError as err:
    raise BadInputError(f"The file name {base!r} cannot name a class: {err}. Rename it.") from err


def _words(name: str) -> list[re.Match[str]]:
  return list(_WORD.finditer(_SUFFIXES.sub("", name)))


def _without_splits(
  words: list[list[re.Match[str]]],
) -> tuple[list[list[re.Match[str]]], list[str | None]]:
  """Removes the split that each name holds; returns names and splits."""
  texts = [[word.group() for word in each] for each in words]
  at = given_splits.place_of_split(texts)
  if at is not None and all(len(each) > 1 for each in words):
    found = [given_splits.of_text(each[at]) for each in texts]
    if None not in found:
      return [[w for w in each if w is not each[at]] for each in words], found
  return words, [None] * len(words)


def _require_several(labels: Sequence[str], found: Sequence[str | None], folder: str) -> None:
  """Raises `BadInputError` if the files of several splits name only one class."""
  if len(set(labels)) == 1 and len(set(found)) > 1:
    raise BadInputError(
      f"Expected files named by their classes in {folder!r}. Beside their splits, all are called "
      f"{labels[0]!r}. Put the label into each line, as in `__label__pos A good film`, or name the "
      "files by split and class, such as train.pos, train.neg, test.pos and test.neg."
    )


def _require_class_names(labels: Sequence[str], folder: str) -> None:
  """Raises `BadInputError` if the names are splits, or numbers of a data set's parts."""
  called_as_splits = sorted({label for label in labels if given_splits.is_split_name(label)})
  if called_as_splits:
    raise BadInputError(
      f"Expected files named by their classes in {folder!r}. {names(called_as_splits)} would be a "
      "class and is the name of a split. Name the files by split and class, such as train.pos, "
      "train.neg, test.pos and test.neg, or put the label into each line, as in `__label__pos A "
      "good film`. If they are classes, say --set data.label_from=name"
    )
  if all(_COUNTED.match(label) for label in labels):
    raise BadInputError(
      f"Expected files named by their classes in {folder!r}. {names(labels)} are numbers of parts, "
      "not classes. Put the texts of each class into one file that is called as the class is, or "
      "the label into each line, as in `__label__pos A good film`. If they are classes, say --set "
      "data.label_from=name"
    )
