"""Says what is wrong with a window: spans missing, empty, unusable, small or repeated.

Imports no TFX.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import NamedTuple

from components.source_example_gen.summary import SpanSeen
from components.spans.window import some

# Fewer say nothing about a usual size.
_LEAST_SPANS = 3
# Fewer rejected records of a span are slips of single rows, whatever part of it they are.
_SLIPS = 10
# So much of a day is no chance, even where short texts come back.
_REPEATED = 0.9


class Fault(NamedTuple):
  """A fault of some spans.

  Attributes:
    kind: `missing`, `empty`, `unusable`, `small` or `repeated`.
    spans: their names.
    said: the fault in words.
  """

  kind: str
  spans: tuple[str, ...]
  said: str


def faults(
  spans: Sequence[SpanSeen], min_size: float, *, max_bad_fraction: float = 1.0
) -> list[Fault]:
  """Returns the faults of a window.

  Args:
    spans: all its spans.
    min_size: the part of the median of rows up to which a span is too small.
    max_bad_fraction: the largest part of a span's records that may have been rejected, 0 to 1; of
      many spans, one that cannot be used at all is a small part.
  """
  found: list[Fault] = []
  missing = tuple(span.name for span in spans if span.is_missing)
  if missing:
    found.append(Fault("missing", missing, f"Missing spans: {some(missing)}"))
  there = [span for span in spans if not span.is_missing]
  empty = tuple(span.name for span in there if not span.rows)
  if empty:
    found.append(Fault("empty", empty, f"Spans without a row: {some(empty)}"))
  filled = [span for span in there if span.rows]
  found += _unusable(filled, max_bad_fraction)
  if len(filled) >= _LEAST_SPANS:
    usual = statistics.median(span.rows for span in filled)
    small = [span for span in filled if span.rows <= min_size * usual]
    if small:
      said = some([f"{span.name} ({span.rows:,} rows)" for span in small])
      names = tuple(span.name for span in small)
      found.append(
        Fault("small", names, f"Spans smaller than usual, which is {usual:,.0f} rows: {said}")
      )
  found += _repeated(filled)
  return found


def _unusable(spans: Sequence[SpanSeen], max_bad_fraction: float) -> list[Fault]:
  bad = [
    span
    for span in spans
    if span.quarantined > max_bad_fraction * span.rows
    and (span.quarantined >= _SLIPS or span.quarantined == span.rows)
  ]
  if not bad:
    return []
  said = some([f"{span.name} ({span.quarantined:,} of {span.rows:,} records)" for span in bad])
  names = tuple(span.name for span in bad)
  return [Fault("unusable", names, f"Spans of which too much cannot be used: {said}")]


def _repeated(spans: Sequence[SpanSeen]) -> list[Fault]:
  first: dict[str, str] = {}
  found: dict[str, str] = {}
  for before, span in zip((None, *spans), spans, strict=False):
    if first.setdefault(span.content, span.name) != span.name:
      found[span.name] = f"{span.name} holds the bytes of {first[span.content]}"
    elif before is not None and span.repeated >= _REPEATED:
      found[span.name] = f"{span.name} has {span.repeated:.0%} of its contents from {before.name}"
  if not found:
    return []
  return [Fault("repeated", tuple(found), f"Spans that repeat others: {some([*found.values()])}")]
