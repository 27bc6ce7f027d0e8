"""Whether class folders hold what a model can learn from, by their names and first bytes."""

from __future__ import annotations

import collections
import os
from collections.abc import Callable, Mapping, Sequence

from dlpipe.errors import BadInputError
from dlpipe.records import SPLIT_NAMES, TRAIN
from pipeline.sources import input_paths
from pipeline.sources.class_counts import names

_LOOKED_AT = 200  # files, from all over the input


def require_classes(
  counts: Mapping[tuple[str | None, str], int],
  given: tuple[str, ...],
  *,
  root: str,
  item: str,
  expected: str,
) -> None:
  """Raises `BadInputError` unless there are classes to tell apart.

  Args:
    counts: the number of files by split, None if none is given, and class.
    given: the splits that the folders draw.
    root: the input, for messages.
    item: what one file is called.
    expected: the whole layout, for messages.

  Raises:
    BadInputError: there are fewer than two classes with two files, a class that train does not
      have, or one that is called as a split is.
  """
  by_split: dict[str | None, dict[str, int]] = collections.defaultdict(dict)
  for (split, label), count in counts.items():
    by_split[split][label] = count
  train = by_split.get(TRAIN if given else None, {})
  if not train:
    raise BadInputError(
      f"Expected {expected}. Found no {item} in a class folder of {root!r}; the layout is "
      f"<class>/<{item}>."
    )
  _require_no_splits(train, root=root, item=item)
  if len(train) < 2:
    only = next(iter(train))
    inner = os.path.join(root, only)
    deeper = (
      f" If {inner!r} holds the class folders, give that path."
      if os.path.isdir(inner) and any(e.is_dir() for e in input_paths.entries(inner))
      else ""
    )
    raise BadInputError(
      f"Expected at least two classes to tell apart. Found only {names(train)} in {root!r}; add "
      f"a folder for each further class.{deeper}"
    )
  single = sorted(label for label, count in train.items() if count < 2)
  if len(train) - len(single) < 2:
    raise BadInputError(
      f"Expected at least two classes with two {item}s or more. Found one of {names(single)} in "
      f"{root!r}; add {item}s."
    )
  for split, labels in by_split.items():
    unknown = sorted(set(labels) - set(train))
    if unknown:
      raise BadInputError(
        f"Expected every class of {split} in train too. Found {names(unknown)} only in {split} of "
        f"{root!r}; add training {item}s or remove the class."
      )


def require_usable(
  files: Sequence[str], fault: Callable[[str], str | None], *, root: str, expected: str
) -> None:
  """Looks at up to 200 files.

  Args:
    files: the paths of all files with a class.
    fault: why a file is surely of no use, None if it may be of use.
    root: the input, for messages.
    expected: the whole layout, for messages.

  Raises:
    BadInputError: not one of them can be used.
  """
  looked_at = input_paths.spread(files, _LOOKED_AT)
  reason = None
  for file in looked_at:
    reason = fault(file)
    if reason is None:
      return
  if reason:
    name = input_paths.printable(os.path.relpath(looked_at[-1], root))
    raise BadInputError(
      f"Expected {expected}. None of the {len(looked_at):,} files looked at in {root!r} can be "
      f"used: {name!r} is {reason}."
    )


def _require_no_splits(labels: Mapping[str, int], *, root: str, item: str) -> None:
  """Refuses folders such as test/ as classes; train/ may be one beside others, as of vehicles."""
  splits = sorted(label for label in labels if label.lower() in SPLIT_NAMES)
  others = set(labels) - set(splits)
  if not splits or (others and [label.lower() for label in splits] == [TRAIN]):
    return
  raise BadInputError(
    f"Expected folders of classes in {root!r}. {names(splits)} {_verb(splits)} called as splits "
    f"are. For splits, the layout is train/<class>/<{item}> and test/<class>/<{item}>; move away "
    f"{item}s without a class; rename a class that is really called so."
  )


def _verb(words: Sequence[str]) -> str:
  return "is" if len(words) == 1 else "are"
