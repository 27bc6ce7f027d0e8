"""Class folders: `<class>/<file>`, or `train/<class>/<file>` beside `val/` and `test/`.

Folders inside a class folder belong to the class. Files of the operating system are ignored.
"""

from __future__ import annotations

import collections
import dataclasses
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from components.errors import BadInputError
from components.records import SPLIT_NAMES, TRAIN, SourcePlan
from pipeline.sources import given_splits, input_paths, sharding
from pipeline.sources.class_counts import names
from pipeline.sources.labels import label_text

# (path, label or None, split or None)
ClassFile = tuple[str, "str | None", "str | None"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Layout:
  """What lies in the class folders.

  Attributes:
    description: the whole layout, for messages.
    item: what one file is called, such as "picture"; its plural ends with "s".
    stray_suffixes: what a file beside the class folders must end with to count as one without a
      label; others are ignored.
    ignored_folders: lower-case names of folders that are no classes.
  """

  description: str
  item: str
  stray_suffixes: tuple[str, ...] = ()
  ignored_folders: frozenset[str] = frozenset()


def list_files(root: str, layout: Layout) -> tuple[list[ClassFile], tuple[str, ...]]:
  """All files under the classes, and the splits that the folders draw.

  Raises:
    BadInputError: the path is no folder, or folders lie beside train/ that are no splits.
  """
  input_paths.require(root, expected=layout.description)
  if not os.path.isdir(root):
    raise BadInputError(f"Expected {layout.description}. {root!r} is a file.")
  folders = _folders(root, layout)
  by_split = _split_folders(folders, layout)
  if not by_split:
    return list(_class_files(root, None, layout)), ()
  _require_known_splits(folders, by_split, root, layout)
  settled = given_splits.settle(by_split)
  files = [
    file
    for split, split_folders in by_split.items()
    for folder in split_folders
    for file in _class_files(folder, settled[split], layout)
  ]
  return files, given_splits.given(settled)


def plan(path: str, layout: Layout, *facts: Any) -> SourcePlan:
  """The plan of a source of this layout; its shards are `{"root", "files"}`.

  Args:
    path: the folder.
    layout: what lies in it.
    facts: the options that what is read depends on.

  Raises:
    BadInputError: there are no class folders, fewer than two classes, a class with one item, or a
      class that train does not have.
  """
  root = os.path.abspath(path)
  files, given = list_files(root, layout)
  _require_classes(files, given, root, layout)
  shards = sharding.split_files(
    [(os.path.relpath(file, root), label, split) for file, label, split in files], root
  )
  return SourcePlan(
    shards=[{"root": root, "files": shard} for shard in shards],
    fingerprint=input_paths.fingerprint(root, (file for file, _, _ in files), *facts),
    given_splits=given,
    labels=tuple(sorted({label for _, label, _ in files if label is not None})),
  )


def _require_classes(
  files: Sequence[ClassFile], given: tuple[str, ...], root: str, layout: Layout
) -> None:
  """Raises `BadInputError` unless there are classes to tell apart.

  Raises:
    BadInputError: there are fewer than two classes, a class with one file, or a class that train
      does not have.
  """
  item = layout.item
  counts = {
    split: collections.Counter(f[1] for f in files if f[2] == split and f[1] is not None)
    for split in (given or (None,))
  }
  train = counts.get(TRAIN if given else None, collections.Counter())
  if not train:
    raise BadInputError(
      f"Expected {layout.description}. Found no {item} in a class folder of {root!r}; the layout "
      f"is <class>/<{item}>."
    )
  if len(train) < 2:
    raise BadInputError(
      f"Expected at least two classes to tell apart. Found only {names(train)} in {root!r}; add "
      "a folder for each further class."
    )
  single = sorted(label for label, count in train.items() if count < 2)
  if single:
    raise BadInputError(
      f"Expected at least two {item}s of each class. Found one of {names(single)} in {root!r}; "
      f"add {item}s or remove the class."
    )
  for split, count in counts.items():
    unknown = sorted(set(count) - set(train))
    if unknown:
      raise BadInputError(
        f"Expected every class of {split} in train too. Found {names(unknown)} only in {split} of "
        f"{root!r}; add training {item}s or remove the class."
      )


def _folders(path: str, layout: Layout) -> list[os.DirEntry]:
  return [
    entry
    for entry in input_paths.entries(path)
    if entry.is_dir() and entry.name.lower() not in layout.ignored_folders
  ]


def _split_folders(folders: Sequence[os.DirEntry], layout: Layout) -> dict[str, list[str]]:
  """The folders of each split; empty where the folders are classes."""
  found: dict[str, list[str]] = collections.defaultdict(list)
  for entry in folders:
    split = SPLIT_NAMES.get(entry.name.lower())
    if split:
      found[split].append(entry.path)
  # A class may be called "train"; then files, not class folders, lie in it.
  if not any(_folders(path, layout) for path in found.get(TRAIN, ())):
    return {}
  return dict(found)


def _require_known_splits(
  folders: Sequence[os.DirEntry],
  by_split: Mapping[str, Sequence[str]],
  root: str,
  layout: Layout,
) -> None:
  others = [e.name for e in folders if e.name.lower() not in SPLIT_NAMES]
  if others:
    raise BadInputError(
      f"Beside train/ in {root!r} lie folders that are no split: {names(others)}. Expected only "
      f"{', '.join(sorted(SPLIT_NAMES))}; move the others away."
    )
  for split, paths in by_split.items():
    for path in paths:
      if not _folders(path, layout):
        raise BadInputError(
          f"Expected one folder per class in {path!r}, as in train/. Found none, so the {split} "
          f"split would have no labels; sort its {layout.item}s into class folders or move it away."
        )


def _class_files(root: str, split: str | None, layout: Layout) -> Iterator[ClassFile]:
  for entry in input_paths.entries(root):
    if entry.is_dir():
      if entry.name.lower() in layout.ignored_folders:
        continue
      label = _label(entry)
      for path in _walk(entry.path, frozenset()):
        yield path, label, split
    elif layout.stray_suffixes and entry.name.lower().endswith(layout.stray_suffixes):
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
  """The class that the folder's name is the label of."""
  try:
    return label_text(entry.name)
  except ValueError as err:
    raise BadInputError(
      f"The class folder {input_paths.printable(entry.path)!r} cannot name a class: {err}. "
      "Rename it."
    ) from err
