"""Class folders: `<class>/<picture>`, or `train/<class>/<picture>` beside `val/` and `test/`.

Folders inside a class folder belong to the class. Files of the operating system are ignored; any
other file that is no usable picture is rejected with a reason.
"""

from __future__ import annotations

import collections
import os
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from components.errors import BadInputError
from components.records import EVAL, SPLIT_NAMES, SPLITS, TRAIN, VAL, Record, Rejected, SourcePlan
from pipeline.sources import input_paths
from pipeline.tasks.images.sources import headers, pictures, sharding

DESCRIPTION = "a folder with one folder of pictures per class, or with those under train/ and eval/"

_UNLABELLED = "the picture lies beside the class folders, so it has no label"

# (path, label or None, split or None)
_File = tuple[str, str | None, str | None]


def matches(path: str) -> bool:
  """Whether the path is a folder; tried last, so that `plan` can say what is missing in it."""
  return os.path.isdir(path)


def plan(path: str, options: Mapping[str, Any]) -> SourcePlan:
  """Lists the pictures.

  Raises:
    BadInputError: there are no class folders, fewer than two classes, a class with one picture, or
      a class that train does not have.
  """
  limit = pictures.max_pixels(options)
  root = os.path.abspath(path)
  files, given = _list(root)
  _require_classes(files, given, root)
  shards = sharding.split_files(
    [(os.path.relpath(file, root), label, split) for file, label, split in files], root
  )
  return SourcePlan(
    shards=[{"root": root, "files": shard} for shard in shards],
    fingerprint=input_paths.fingerprint(root, (file for file, _, _ in files), limit),
    given_splits=given,
    labels=tuple(sorted({label for _, label, _ in files if label is not None})),
  )


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
  """Width and height of up to `count` pictures, in pixels."""
  del options
  files, _ = _list(os.path.abspath(path))
  for file, _, _ in input_paths.spread([f for f in files if f[1] is not None], count):
    yield from headers.size_of_file(file)


def _list(root: str) -> tuple[list[_File], tuple[str, ...]]:
  """All files under the classes, and the splits that the folders draw."""
  input_paths.require(root, expected=DESCRIPTION)
  if not os.path.isdir(root):
    raise BadInputError(f"Expected {DESCRIPTION}. {root!r} is a file.")
  folders = [e for e in input_paths.entries(root) if e.is_dir()]
  by_split = _split_folders(folders)
  if not by_split:
    return list(_class_files(root, None)), ()
  _require_known_splits(folders, by_split, root)
  if EVAL not in by_split and VAL in by_split:
    # One held-out set is what the model is judged by; validation rows come out of train.
    by_split[EVAL] = by_split.pop(VAL)
  files = [
    file
    for split, split_folders in by_split.items()
    for folder in split_folders
    for file in _class_files(folder, split)
  ]
  return files, tuple(s for s in SPLITS if s in by_split)


def _split_folders(folders: Sequence[os.DirEntry]) -> dict[str, list[str]]:
  """The folders of each split; empty where the folders are classes."""
  found: dict[str, list[str]] = collections.defaultdict(list)
  for entry in folders:
    split = SPLIT_NAMES.get(entry.name.lower())
    if split:
      found[split].append(entry.path)
  # A class may be called "train"; then pictures, not class folders, lie in it.
  if not any(e.is_dir() for path in found.get(TRAIN, ()) for e in input_paths.entries(path)):
    return {}
  return dict(found)


def _require_known_splits(
  folders: Sequence[os.DirEntry], by_split: Mapping[str, Sequence[str]], root: str
) -> None:
  others = [e.name for e in folders if e.name.lower() not in SPLIT_NAMES]
  if others:
    raise BadInputError(
      f"Beside train/ in {root!r} lie folders that are no split: {_names(others)}. Expected only "
      f"{', '.join(sorted(SPLIT_NAMES))}; move the others away."
    )
  for split, paths in by_split.items():
    for path in paths:
      if not any(e.is_dir() for e in input_paths.entries(path)):
        raise BadInputError(
          f"Expected one folder per class in {path!r}, as in train/. Found none, so the {split} "
          "split would have no labels; sort its pictures into class folders or move it away."
        )


def _class_files(root: str, split: str | None) -> Iterator[_File]:
  for entry in input_paths.entries(root):
    if entry.is_dir():
      label = _label(entry)
      for path in _walk(entry.path, frozenset()):
        yield path, label, split
    elif entry.name.lower().endswith(headers.SUFFIXES):
      yield entry.path, None, split


def _walk(folder: str, above: frozenset[str]) -> Iterator[str]:
  real = os.path.realpath(folder)
  if real in above:  # a link to a folder that contains it
    return
  for entry in input_paths.entries(folder):
    if entry.is_dir():
      yield from _walk(entry.path, above | {real})
    else:
      yield entry.path


def _label(entry: os.DirEntry) -> str:
  """The folder's name; composed, because macOS decomposes the accents of file names."""
  try:
    entry.name.encode("utf-8")
  except UnicodeEncodeError as err:
    raise BadInputError(
      f"The class folder {input_paths.printable(entry.path)} has a name that is no valid UTF-8; "
      "rename it."
    ) from err
  return unicodedata.normalize("NFC", entry.name)


def _require_classes(files: Sequence[_File], given: tuple[str, ...], root: str) -> None:
  counts = {
    split: collections.Counter(f[1] for f in files if f[2] == split and f[1] is not None)
    for split in (given or (None,))
  }
  train = counts.get(TRAIN if given else None, collections.Counter())
  if not train:
    raise BadInputError(
      f"Expected {DESCRIPTION}. Found no picture in a class folder of {root!r}; the layout is "
      "<class>/<picture>."
    )
  if len(train) < 2:
    raise BadInputError(
      f"Expected at least two classes to tell apart. Found only {_names(train)} in {root!r}; add "
      "a folder for each further class."
    )
  single = sorted(label for label, count in train.items() if count < 2)
  if single:
    raise BadInputError(
      f"Expected at least two pictures of each class. Found one of {_names(single)} in {root!r}; "
      "add pictures or remove the class."
    )
  for split, count in counts.items():
    unknown = sorted(set(count) - set(train))
    if unknown:
      raise BadInputError(
        f"Expected every class of {split} in train too. Found {_names(unknown)} only in {split} of "
        f"{root!r}; add training pictures or remove the class."
      )


def _names(names: Iterator[str] | Sequence[str] | Mapping[str, int]) -> str:
  names = [repr(name) for name in names]
  return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
