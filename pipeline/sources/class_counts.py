"""Whether rows have classes to tell apart, as far as that is known without reading everything."""

from __future__ import annotations

import collections
from collections.abc import Iterable, Mapping, Sequence

from components.errors import BadInputError

_LOOKED_AT = 50_000  # rows; about a second
_SHOWN = 5


def require_classes(labels: Iterable[str], *, source: str, advice: str) -> None:
  """Reads labels until there are two classes of two rows, at least 50,000 where there are as many.

  Args:
    labels: the labels of the usable rows.
    source: the input, for messages.
    advice: what to do about a missing class, such as to name another column.

  Raises:
    BadInputError: there are fewer than two classes, or, in a small input, a class with one row.
  """
  counts: collections.Counter[str] = collections.Counter()
  for number, label in enumerate(labels, 1):
    counts[label] += 1
    if number >= _LOOKED_AT and sum(count > 1 for _, count in counts.most_common(2)) == 2:
      return
  if len(counts) < 2:
    raise BadInputError(
      f"Expected rows of at least two classes in {source!r}. Found: {names(counts) or 'none'}. "
      f"{advice}"
    )
  single = sorted(label for label, count in counts.items() if count < 2)
  if single:
    raise BadInputError(
      f"Expected at least two rows of each class in {source!r}. Found one of {names(single)}; add "
      "rows or remove the class."
    )


def names(labels: Iterable[str] | Sequence[str] | Mapping[str, int]) -> str:
  """The first labels, quoted, and how many more there are."""
  quoted = [repr(label) for label in labels]
  more = f" and {len(quoted) - _SHOWN} more" if len(quoted) > _SHOWN else ""
  return ", ".join(quoted[:_SHOWN]) + more
