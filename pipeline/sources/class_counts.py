"""Checks cheaply, before a run, that the records have at least two classes."""

from __future__ import annotations

import collections
from collections.abc import Iterable, Mapping

from dlpipe.errors import BadInputError
from dlpipe.records import SPLIT_NAMES, Record, Rejected, is_part
from pipeline.sources import encoding

_LOOKED_AT = 5_000  # records; a tenth of a second
_SHOWN = 5
_SHOWN_CHARACTERS = 40  # of each label


def require_classes(
  records: Iterable[Record | Rejected], label_key: str, *, source: str, advice: str
) -> None:
  """Reads records until two classes have two each, and at least 5,000 if there are so many.

  Args:
    records: all records of the input, or those that may be read.
    label_key: name of the label's feature.
    source: the input, for messages.
    advice: advice for the user if a class is missing, such as to name another column.

  Raises:
    BadInputError: there are fewer than two classes, or fewer than two with two records.
  """
  require_labels(
    (r if isinstance(r, Rejected) else str(r.features[label_key]) for r in records),
    source=source,
    advice=advice,
  )


def require_labels(labels: Iterable[str | Rejected], *, source: str, advice: str) -> None:
  """Checks labels as `require_classes` checks records; reads none of a part of an input."""
  if is_part():
    return
  counts: collections.Counter[str] = collections.Counter()
  rejected: Rejected | None = None
  for number, label in enumerate(labels, 1):
    if isinstance(label, Rejected):
      rejected = rejected or label
      continue
    counts[label] += 1
    if number >= _LOOKED_AT and sum(count > 1 for _, count in counts.most_common(2)) == 2:
      if _are_splits(counts):
        continue  # a later record may have another class
      return
  require_counts(counts, rejected, source=source, advice=advice)


def require_counts(
  counts: Mapping[str, int], rejected: Rejected | None, *, source: str, advice: str
) -> None:
  """Raises `BadInputError` unless two classes have two records each.

  Args:
    counts: label to number of records.
    rejected: the first record that cannot be used; None if there is none.
    source: the input, for messages.
    advice: advice for the user if a class is missing, such as to name another column.
  """
  unused = f"{rejected.origin} cannot be used: {rejected.reason}" if rejected else ""
  remedy = encoding.remedy(rejected.reason) if rejected else ""
  if len(counts) < 2:
    if remedy:
      advice = f"{remedy} {advice}" if counts else remedy
    found = "; ".join(filter(None, [names(counts) or "none", unused]))
    raise BadInputError(
      f"Expected rows of at least two classes in {source!r}. Found: {found}. {advice}"
    )
  if _are_splits(counts):
    raise BadInputError(
      f"Expected classes in {source!r}. Found {names(counts)}, which are names of splits. {advice}"
    )
  single = sorted(label for label, count in counts.items() if count < 2)
  if len(counts) - len(single) < 2:
    message = f"Expected at least two classes with two rows or more in {source!r}. Found one of "
    if remedy:
      raise BadInputError(f"{message}{names(single)}; {unused}. {remedy}")
    raise BadInputError(f"{message}{names(single)}; add rows.")


def _are_splits(labels: Iterable[str]) -> bool:
  return all(label.lower() in SPLIT_NAMES for label in labels)


def names(labels: Iterable[str]) -> str:
  """Returns the first labels, quoted and shortened, and the number of the others."""
  quoted = [repr(_cut(label)) for label in labels]
  more = f" and {len(quoted) - _SHOWN} more" if len(quoted) > _SHOWN else ""
  return ", ".join(quoted[:_SHOWN]) + more


def _cut(label: str) -> str:
  short = label[:_SHOWN_CHARACTERS]
  return label if short == label else short[:-1].rstrip() + "…"
