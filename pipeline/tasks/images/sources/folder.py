"""Reads class folders: `<class>/<picture>`, or `train/<class>/<picture>` beside `val/`, `test/`.

A file that is not a usable picture is rejected with a reason.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

from dlpipe.records import Record, Rejected, SourcePlan
from pipeline.sources import class_folders, input_paths
from pipeline.tasks.images.sources import headers, pictures

DESCRIPTION = "a folder with one folder of pictures per class, or with those under train/ and eval/"

_UNLABELLED = "the picture lies beside the class folders, so it has no label"

_LAYOUT = class_folders.Layout(
  description=DESCRIPTION,
  item="picture",
  suffixes=headers.SUFFIXES,
  fault=headers.fault_of_file,
  keeps_stray=True,
)


def matches(path: str) -> bool:
  """Returns whether the path is a folder; tried last, so that `plan` can report what it lacks."""
  return os.path.isdir(path)


def plan(path: str, options: Mapping[str, Any]) -> SourcePlan:
  """Lists the pictures.

  Raises:
    BadInputError: there are no class folders or no pictures, fewer than two classes have two
      pictures, train lacks a class, or a class has the name of a split.
  """
  return class_folders.plan(path, _LAYOUT, pictures.max_pixels(options))


def read(shard: Mapping[str, Any], options: Mapping[str, Any]) -> Iterator[Record | Rejected]:
  """Reads the pictures of one shard."""
  limit = pictures.max_pixels(options)
  for name, label, split in shard["files"]:
    file = os.path.join(shard["root"], name)
    origin = input_paths.printable(name)
    if label is None:
      yield Rejected(origin=origin, reason=_UNLABELLED, file=file)
    else:
      yield pictures.read_file(file, label=label, split=split, origin=origin, max_pixels=limit)


def sizes(path: str, options: Mapping[str, Any], count: int) -> Iterator[tuple[int, int]]:
  """Yields width and height of up to `count` pictures, in pixels."""
  del options
  files = class_folders.list_files(os.path.abspath(path), _LAYOUT).files
  for file, _, _ in input_paths.spread([f for f in files if f[1] is not None], count):
    yield from headers.size_of_file(file)
