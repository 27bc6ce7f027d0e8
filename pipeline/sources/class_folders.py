"""Class folders: `<class>/<file>`, or `train/<class>/<file>` beside `val/` and `test/`.

Folders inside a class folder belong to the class. Files of the operating system are ignored.
"""

from __future__ import annotations

import collections
import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dlpipe.errors import BadInputError
from dlpipe.recognition import Recognized, Unread
from dlpipe.records import SPLIT_NAMES, TRAIN, SourcePlan
from pipeline.sources import given_splits, input_paths, sharding
from pipeline.sources.class_counts import names
from pipeline.sources.class_folder_checks import require_classes, require_usable
from pipeline.sources.labels import label_text

# (path, label or None, split or None)
ClassFile = tuple[str, "str | None", "str | None"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Layout:
  """The expected content of class folders.

  Attributes:
    description: description of the layout, for messages.
    item: noun for one file, such as "picture"; its plural ends with "s".
    suffixes: usual suffixes of the files, in lower case.
    fault: `(path) -> reason` why the file is certainly not such an item; None if it may be one.
      Reads the name and the first bytes.
    keeps_stray: whether a file with one of the suffixes beside the class folders counts as an item
      without a label; other files are not read.
    ignored_folders: lower-case name of a folder that is not a class, to the reason.
  """

  description: str
  item: str
  suffixes: tuple[str, ...]
  fault: Callable[[str], str | None]
  keeps_stray: bool = False
  ignored_folders: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(kw_only=True)
class Listing:
  """The content of a folder of class folders.

  Attributes:
    files: all files in class folders, and stray files.
    given: the splits that the folders define.
    labels: every class that has a folder, even an empty one.
    unread: the other content of the folder.
  """

  files: list[ClassFile] = dataclasses.field(default_factory=list)
  given: tuple[str, ...] = ()
  labels: set[str] = dataclasses.field(default_factory=set)
  unread: list[Unread] = dataclasses.field(default_factory=list)

  def add(self, folder: str, split: str | None, root: str, layout: Layout) -> None:
    """Adds the class folders of a folder: the input, or the folder of a split."""
    above = frozenset({os.path.realpath(root), os.path.realpath(folder)})
    for entry in input_paths.entries(folder):
      name = input_paths.printable(os.path.relpath(entry.path, root))
      if entry.is_dir():
        ignored = layout.ignored_folders.get(entry.name.lower())
        if ignored:
          self.unread.append(Unread(name=f"{name}/", reason=ignored))
          continue
        label = _label(entry)
        self.labels.add(label)
        for path in input_paths.files_below(entry.path, above):
          if input_paths.is_special(path):
            special = input_paths.printable(os.path.relpath(path, root))
            self.unread.append(Unread(name=special, reason=input_paths.SPECIAL))
          else:
            self.files.append((path, label, split))
      elif layout.keeps_stray and entry.name.lower().endswith(layout.suffixes):
        self.files.append((entry.path, None, split))
      else:
        self.unread.append(Unread(name=name, reason="beside the class folders"))
    for entry in input_paths.hidden_folders(folder):
      lost = sum(
        path.lower().endswith(layout.suffixes)
        for path in input_paths.files_below(entry.path, above)
      )
      if lost:
        name = input_paths.printable(os.path.relpath(entry.path, root))
        what = f"{lost:,} {layout.item}{'s' if lost > 1 else ''}"
        reason = f"a name with a dot in front is hidden; rename the folder to use its {what}"
        self.unread.append(Unread(name=f"{name}/", reason=reason, labelled=True))


def list_files(root: str, layout: Layout) -> Listing:
  """Lists the files in class folders, the splits that the folders define, and the unread content.

  Raises:
    BadInputError: the path is not a folder, or folders beside train/ are not splits.
  """
  input_paths.require(root, expected=layout.description)
  if not os.path.isdir(root):
    raise BadInputError(f"Expected {layout.description}. {root!r} is a file.")
  folders = _folders(root, layout)
  by_split = _split_folders(folders, layout)
  if not by_split:
    listing = Listing()
    listing.add(root, None, root, layout)
    return listing
  _require_known_splits(folders, by_split, root, layout)
  settled = given_splits.settle(by_split)
  listing = Listing(given=given_splits.given(settled))
  for split, split_folders in by_split.items():
    for folder in split_folders:
      listing.add(folder, settled[split], root, layout)
  listing.unread += [
    Unread(name=input_paths.printable(entry.name), reason="beside the splits")
    for entry in input_paths.entries(root)
    if not entry.is_dir()
  ]
  return listing


def plan(path: str, layout: Layout, *facts: Any) -> SourcePlan:
  """Plans a source with this layout; its shards are `{"root", "files"}`.

  Args:
    path: the folder.
    layout: the expected content.
    *facts: the options that affect the records.

  Raises:
    BadInputError: there are no class folders or fewer than two classes, a class has one item or the
      name of a split, train lacks a class, or no file is usable.
  """
  root = os.path.abspath(path)
  listing = list_files(root, layout)
  files = listing.files
  counts = collections.Counter((split, label) for _, label, split in files if label is not None)
  require_classes(counts, listing.given, root=root, item=layout.item, expected=layout.description)
  labelled = [file for file, label, _ in files if label is not None]
  require_usable(labelled, layout.fault, root=root, expected=layout.description)
  classes = dict.fromkeys(sorted(listing.labels), 0)
  for (_, label), count in counts.items():
    classes[label] += count
  empty = [label for label, count in classes.items() if not count]
  shards = sharding.split_files(
    [(os.path.relpath(file, root), label, split) for file, label, split in files], root
  )
  return SourcePlan(
    shards=[{"root": root, "files": shard} for shard in shards],
    fingerprint=input_paths.fingerprint(root, (file for file, _, _ in files), *facts, *empty),
    given_splits=listing.given,
    recognized=Recognized(
      layout="folder",
      fields={"label": "the folder's name"},
      files=[input_paths.printable(os.path.relpath(file, root)) for file in labelled[:5]],
      file_count=len(labelled),
      classes=classes,
      unread=listing.unread,
    ),
  )


def _folders(path: str, layout: Layout) -> list[input_paths.Entry]:
  return [
    entry
    for entry in input_paths.entries(path)
    if entry.is_dir() and entry.name.lower() not in layout.ignored_folders
  ]


def _split_folders(folders: Sequence[input_paths.Entry], layout: Layout) -> dict[str, list[str]]:
  """Returns the folders of each split; empty if the folders are classes."""
  found: dict[str, list[str]] = collections.defaultdict(list)
  for entry in folders:
    split = SPLIT_NAMES.get(entry.name.lower())
    if split:
      found[split].append(entry.path)
  # A class may have the name "train"; then its folder holds files, not class folders.
  if not any(_folders(path, layout) for path in found.get(TRAIN, ())):
    return {}
  return dict(found)


def _require_known_splits(
  folders: Sequence[input_paths.Entry],
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


def _label(entry: input_paths.Entry) -> str:
  """Returns the label that the folder's name gives."""
  try:
    return label_text(entry.name)
  except ValueError as err:
    raise BadInputError(
      f"The class folder {input_paths.printable(entry.path)!r} cannot name a class: {err}. "
      "Rename it."
    ) from err
