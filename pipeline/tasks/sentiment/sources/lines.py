"""One file per class, one text a line: the layout of rt-polarity.

The label is what the files' names do not have in common: `rt-polarity.pos` is `pos`, `neg.txt` is
`neg`. Where every name starts with a split, as in `train.pos` and `test.pos`, it is used.
"""

from __future__ import annotations

import collections
import itertools
import os
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from components.errors import BadInputError
from components.recognition import Recognized
from components.records import TRAIN, Record, Rejected, SourcePlan
from pipeline.sources import given_splits, input_paths, line_files, sharding
from pipeline.sources.class_counts import names, require_classes
from pipeline.tasks.sentiment.features import LABEL
from pipeline.tasks.sentiment.sources import records

DESCRIPTION = "a folder with one file per class, such as pos.txt and neg.txt, with a text a line"

_WORD = re.compile(r"[^._\- ]+")
_SUFFIXES = re.compile(r"(\.(txt|text))?(\.gz)?$", re.IGNORECASE)
_NO_TEXTS = frozenset({"readme", "license", "licence", "copying", "about"})
_PART_LINES, _PART_BYTES, _PARTS = 1000, 2 << 20, 5


def matches(path: str) -> bool:
  """Whether the path is a folder with files and without folders; tried last."""
  return (
    os.path.isdir(path)
    and bool(_find(path))
    and not any(e.is_dir() for e in input_paths.entries(path))
  )


def plan(path: str, options: Mapping[str, Any]) -> SourcePlan:
  """Cuts the files into shards, each of them with texts of all classes.

  Raises:
    BadInputError: there are fewer than two files or a class without two usable texts.
  """
  limit = records.max_chars(options)
  files = _require_files(path)
  labels, splits = _names(files)
  settled = given_splits.settle(splits)
  by_file = []
  for file, label, split in zip(files, labels, splits, strict=True):
    part = {"file": file, "label": label, "split": settled[split] if split else None}
    by_file.append(
      [{**part, **r} for r in line_files.cut(file, lines=_PART_LINES, size=_PART_BYTES)]
    )
  require_classes(
    (record for parts in by_file for record in _first_records(parts, options)),
    LABEL,
    source=os.path.abspath(path),
    advice="The layout is one file per class with a text a line.",
  )
  in_turn = [part for parts in itertools.zip_longest(*by_file) for part in parts if part]
  return SourcePlan(
    shards=sharding.mix(in_turn, _PARTS),
    fingerprint=input_paths.fingerprint(path, files, limit),
    given_splits=given_splits.given(settled),
    recognized=Recognized(
      layout="lines",
      fields={"text": "a line", "label": "the file's name"},
      files=[os.path.basename(file) for file in files],
      file_count=len(files),
      classes=collections.Counter(labels),
    ),
  )


def read(shard: Mapping[str, Any], options: Mapping[str, Any]) -> Iterator[Record | Rejected]:
  """Reads the lines of one shard; empty lines are no texts."""
  limit = records.max_chars(options)
  for part in shard["parts"]:
    name = input_paths.printable(os.path.basename(part["file"]))
    lines = line_files.read_lines(
      part["file"], start=part["start"], stop=part["stop"], number=part["number"]
    )
    for line in lines:
      origin = f"{name}, row {line.number}"
      if line.fault:
        yield Rejected(origin=origin, reason=line.fault, data=line.data)
      elif line.data.strip():
        yield records.to_record(
          line.data,
          part["label"],
          split=part["split"],
          origin=origin,
          limit=limit,
          data=line.data,
        )


def _first_records(
  parts: Sequence[Mapping[str, Any]], options: Mapping[str, Any]
) -> Iterator[Record | Rejected]:
  """The records of one file up to the second usable one."""
  usable = 0
  for record in read({"parts": parts}, options):
    yield record
    usable += isinstance(record, Record)
    if usable == 2:
      return


def _find(path: str) -> list[str]:
  return [
    os.path.abspath(e.path)
    for e in input_paths.entries(path)
    if e.is_file() and not _NO_TEXTS & {word.group().lower() for word in _words(e.name)}
  ]


def _require_files(path: str) -> list[str]:
  input_paths.require(path, expected=DESCRIPTION)
  if not os.path.isdir(path):
    raise BadInputError(f"Expected {DESCRIPTION}. {path!r} is a file; give its folder.")
  files = _find(path)
  if len(files) < 2:
    found = names(os.path.basename(file) for file in files) or "none"
    raise BadInputError(f"Expected {DESCRIPTION}. Found in {path!r}: {found}.")
  return files


def _words(name: str) -> list[re.Match[str]]:
  return list(_WORD.finditer(_SUFFIXES.sub("", name)))


def _names(files: Sequence[str]) -> tuple[list[str], list[str | None]]:
  """Each file's label and split, by what its name has that others have not.

  Raises:
    BadInputError: two files are of one class, or a class has no file of train.
  """
  bases = [
    unicodedata.normalize("NFC", input_paths.printable(os.path.basename(file))) for file in files
  ]
  words = [_words(base) for base in bases]
  splits = [given_splits.of_text(w[0].group()) if len(w) > 1 else None for w in words]
  if TRAIN in splits and None not in splits:
    words = [w[1:] for w in words]
  else:
    splits = [None] * len(files)
  for place in (0, -1):
    while all(len(w) > 1 for w in words) and len({w[place].group() for w in words}) == 1:
      words = [w[1:] if place == 0 else w[:-1] for w in words]
  labels = [
    base[w[0].start() : w[-1].end()] if w else base for base, w in zip(bases, words, strict=True)
  ]
  first: dict[tuple[str, str | None], str] = {}
  for key, base in zip(zip(labels, splits, strict=True), bases, strict=True):
    if first.setdefault(key, base) != base:
      raise BadInputError(
        f"Expected one file per class. Both {first[key]!r} and {base!r} are of class {key[0]!r}; "
        f"move one away from {os.path.dirname(files[0])!r}."
      )
  untrained = sorted({label for label, _ in first} - {lb for lb, s in first if s in (None, TRAIN)})
  if untrained:
    raise BadInputError(
      f"Expected a file of train for every class in {os.path.dirname(files[0])!r}. There is none "
      f"of {names(untrained)}."
    )
  return labels, splits
