"""Checks class folders by the names and first bytes of their files, before a run."""

from __future__ import annotations

import collections
import os
from collections.abc import Callable, Mapping, Sequence

from dlpipe.errors import BadInputError
from dlpipe.records import SPLIT_NAMES, TRAIN, is_part
from pipeline.sources import input_paths
from pipeline.sources.class_counts import names

_LOOKED_AT = 200  # files, evenly spread over the input


def require_classes(
  counts: Mapping[tuple[str | None, str], int],
  given: tuple[str, ...],
  *,
  root: str,
  item: str,
  expected: str,
) -> None:
  """Raises `BadInputError` unless at least two classes have enough files; a part need not.

  Args:
    counts: (split, class) to number of files; the split is None if the folders give none.
    given: the splits that the folders define.
    root: the input, for messages.
    item: noun for one file in messages.
    expected: description of the layout, for messages.

  Raises:
    BadInputError: fewer than two classes have two files, train lacks a class, or a class has the
      name of a split.
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
  if is_part():
    return
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
  """Raises `BadInputError` if none of up to 200 files of a whole input can be used.

  Args:
    files: the paths of all files with a class.
    fault: returns why a file cannot be used; None if it may be usable.
    root: the input, for messages.
    expected: description of the layout, for messages.

  Raises:
    BadInputError: none of the files can be used.
  """
  looked_at = [] if is_part() else input_paths.spread(files, _LOOKED_AT)
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
  """Refuses classes named like splits, such as test/; train/ may be a class of vehicles."""
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
