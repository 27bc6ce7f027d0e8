"""Reads class folders of text files, one text a file, as in IMDB: `train/pos/0_9.txt`.

IMDB's folder `unsup` of texts without a label is left out, and so are files beside the class
folders.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

from dlpipe.records import Record, Rejected, SourcePlan
from pipeline.sources import class_folders, input_paths
from pipeline.sources.encoding import BOM
from pipeline.tasks.sentiment.sources import records

DESCRIPTION = (
  "a folder with one folder of .txt files per class, or with those under train/ and test/"
)

_SUFFIXES = (".txt", "")


def _fault(path: str) -> str | None:
  suffix = os.path.splitext(path)[1].lower()
  return None if suffix in _SUFFIXES else f"a {suffix} file, and texts are .txt files"


_LAYOUT = class_folders.Layout(
  description=DESCRIPTION,
  item="text",
  suffixes=(".txt",),
  fault=_fault,
  ignored_folders={"unsup": "texts without a label"},
)
_MAX_CHAR_BYTES = 4


def matches(path: str) -> bool:
  """Returns whether the path is a folder that contains folders."""
  return os.path.isdir(path) and any(e.is_dir() for e in input_paths.entries(path))


def plan(path: str, options: Mapping[str, Any]) -> SourcePlan:
  """Lists the texts.

  Raises:
    BadInputError: there are no class folders or no .txt files, fewer than two classes have two
      texts, train lacks a class, or a class has the name of a split.
  """
  return class_folders.plan(path, _LAYOUT, records.max_chars(options))


def read(shard: Mapping[str, Any], options: Mapping[str, Any]) -> Iterator[Record | Rejected]:
  """Reads the texts of one shard."""
  limit = records.max_chars(options)
  for name, label, split in shard["files"]:
    file = os.path.join(shard["root"], name)
    origin = input_paths.printable(name)
    try:
      text = _read(file, limit)
    except (OSError, ValueError) as err:
      reason = f"the file cannot be read: {err.strerror}" if isinstance(err, OSError) else str(err)
      yield Rejected(origin=origin, reason=reason, file=file, label=label)
    else:
      yield records.to_record(text, label, split=split, origin=origin, limit=limit, file=file)


def _read(file: str, limit: int) -> bytes:
  if os.path.splitext(file)[1].lower() not in _SUFFIXES:
    raise ValueError("the file is no .txt")
  most = len(BOM) + limit * _MAX_CHAR_BYTES
  with open(file, "rb") as f:
    data = f.read(most + 1)
  if len(data) > most:
    raise ValueError(records.too_long(limit))
  return data.removeprefix(BOM)
