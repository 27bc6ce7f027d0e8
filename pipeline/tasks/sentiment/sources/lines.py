"""Reads files with one text a line: one file per class, as in rt-polarity, or labelled lines.

If the files' names give the labels, a label is the part of a name that differs from the others:
`rt-polarity.pos` gives `pos`, `neg.txt` gives `neg`. If every name starts or ends with a split, as
in `train.pos` and `test.pos`, the split is used. If each line has its label (`line_labels`), a name
gives only the split: `train.txt`, `cooking.valid`.
"""

from __future__ import annotations

import collections
import itertools
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dlpipe.errors import BadInputError
from dlpipe.recognition import Recognized
from dlpipe.records import Record, Rejected, SourcePlan
from pipeline.sources import given_splits, input_paths, origins, sharding
from pipeline.sources.class_counts import names, require_classes
from pipeline.sources.text_files import line_files
from pipeline.tasks.sentiment.features import LABEL
from pipeline.tasks.sentiment.sources import file_names, line_labels, records

DESCRIPTION = (
  "a folder with one file per class, such as pos.txt and neg.txt, with a text a line, or files of "
  "lines with labels, such as `__label__pos A good film` or `A good film<TAB>pos`"
)

# Files with other names may have any content, such as a corpus in two languages.
_SURE_NAMES = ({"pos", "neg"}, {"positive", "negative"})
_PART_LINES, _PART_BYTES, _PARTS = 1000, 2 << 20, 5


def matches(path: str) -> bool:
  """Returns whether the path is a folder with files and no folders, or a file of labelled lines."""
  if os.path.isfile(path):
    return line_labels.is_sure(path)
  return (
    os.path.isdir(path)
    and bool(_find(path))
    and not any(e.is_dir() for e in input_paths.entries(path))
  )


def plan(path: str, options: Mapping[str, Any]) -> SourcePlan:
  """Cuts the files into shards with texts of all classes.

  Raises:
    BadInputError: there are no such files, their names or lines give no classes, or a class has
      fewer than two usable texts.
  """
  limit = records.max_chars(options)
  files = _find(path)
  if not files:
    input_paths.require(path, expected=DESCRIPTION)
    raise BadInputError(f"Expected {DESCRIPTION}. Found none at {path!r}.")
  place = line_labels.find(files, options)
  in_names = place == line_labels.NAME
  labels: Sequence[str | None] = [None] * len(files)
  if in_names:
    _require_several(files, path)
    labels, splits = file_names.labels_and_splits(files, told=bool(options.get("label_from")))
  else:
    splits = file_names.splits(files)
  settled = given_splits.settle(splits)
  ranges = [line_files.cut(file, lines=_PART_LINES, size=_PART_BYTES) for file in files]
  by_file = []
  for file, label, split, cut in zip(files, labels, splits, ranges, strict=True):
    part = {"file": file, "label": label, "split": settled[split] if split else None}
    part |= {} if in_names else {"label_from": place}
    by_file.append([{**part, **r} for r in cut])
  require_classes(
    (
      record
      for parts in by_file
      for record in _first_records(parts, options, count=2 if in_names else None)
    ),
    LABEL,
    source=os.path.abspath(path),
    advice="The layout is one file per class with a text a line."
    if in_names
    else "Each line is a text with its label; --set data.label_from=... says where it stands.",
  )
  in_turn = [part for parts in itertools.zip_longest(*by_file) for part in parts if part]
  rows = [line_files.count(file, cut) for file, cut in zip(files, ranges, strict=True)]
  classes: collections.Counter[str] = collections.Counter()
  for label, count in zip(labels, rows, strict=True):
    classes.update({label: count} if label is not None else {})
  return SourcePlan(
    shards=sharding.mix(in_turn, _PARTS),
    fingerprint=input_paths.fingerprint(path, files, limit, *([] if in_names else [place])),
    given_splits=given_splits.given(settled),
    recognized=Recognized(
      layout="lines",
      fields=line_labels.FIELDS[place],
      files=[input_paths.printable(os.path.basename(file)) for file in files],
      file_count=len(files),
      rows=sum(rows),
      classes=classes,
      unread=input_paths.unread(path, files, "by its name, it is no data"),
      certain=not in_names or any(sure <= set(classes) for sure in _SURE_NAMES),
    ),
  )


def read(shard: Mapping[str, Any], options: Mapping[str, Any]) -> Iterator[Record | Rejected]:
  """Reads the lines of one shard; skips empty lines."""
  limit = records.max_chars(options)
  for part in shard["parts"]:
    name = input_paths.printable(os.path.basename(part["file"]))
    lines = line_files.read_lines(
      part["file"], start=part["start"], stop=part["stop"], number=part["number"]
    )
    for line in lines:
      origin = origins.of_row(name, line.number)
      if line.fault:
        yield Rejected(origin=origin, reason=line.fault, data=line.data)
      elif line.data.strip():
        text, label = line.data, part["label"]
        if "label_from" in part:
          try:
            text, label = line_labels.split(line.data, part["label_from"])
          except ValueError as err:
            yield Rejected(origin=origin, reason=str(err), data=line.data)
            continue
        yield records.to_record(
          text, label, split=part["split"], origin=origin, limit=limit, data=line.data
        )


def _first_records(
  parts: Sequence[Mapping[str, Any]], options: Mapping[str, Any], count: int | None
) -> Iterator[Record | Rejected]:
  """Yields the records of one file until `count` are usable; None yields all."""
  usable = 0
  for record in read({"parts": parts}, options):
    yield record
    usable += isinstance(record, Record)
    if usable == count:
      return


def _find(path: str) -> list[str]:
  if os.path.isfile(path):
    return [os.path.abspath(path)]
  if not os.path.isdir(path):
    return []
  return [
    os.path.abspath(e.path)
    for e in input_paths.entries(path)
    if e.is_file() and not file_names.is_about_the_data(e.name)
  ]


def _require_several(files: Sequence[str], path: str) -> None:
  found = names(os.path.basename(file) for file in files)
  if os.path.isfile(path):
    raise BadInputError(
      f"Expected {DESCRIPTION}. {path!r} is one file, and its lines show no labels. Give the "
      "folder of all classes' files, or put a label into each line."
    )
  if len(files) < 2:
    raise BadInputError(f"Expected {DESCRIPTION}. Found in {path!r}: {found}.")
