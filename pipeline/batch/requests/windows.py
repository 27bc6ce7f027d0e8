"""Cuts a request log into windows of equal length and measures a random part of each.

Only the random part of the log counts: rows that a rule kept, because they are unsure or rare,
would make the traffic look unsure and rare.
"""

from __future__ import annotations

import collections
import dataclasses
import math
import random
from collections.abc import Callable, Iterable, Sequence

from pipeline.batch.requests.reading import LoggedRow
from pipeline.drift.measuring import Measure, Row
from pipeline.drift.profile import Measured, Profile, Sketch

SAMPLED = ("sampled", "")
# Windows before the watched one, which set the bounds, and how many rows of each are measured.
MOST_BEFORE = 14
_PART_BEFORE = 5  # a window further back is measured on so many times fewer rows
_SEED = 1


@dataclasses.dataclass(frozen=True)
class Entry:
  """A row that was measured."""

  id: str
  version: int
  measured: Measured
  words: Sequence[str] | None


class Window:
  """What is kept of the requests between two moments.

  Args:
    since: the first second, in seconds since 1970.
    until: the first second after it.
    most: rows that are measured.

  Attributes:
    rows: sampled rows that were answered.
    refused: entries of requests that were refused.
    versions: sampled rows by the version that answered.
  """

  def __init__(self, since: float, until: float, most: int):
    self.since, self.until = since, until
    self.rows, self.refused = 0, 0
    self.versions: collections.Counter[int] = collections.Counter()
    self._most = most
    self._kept: list[Entry] = []
    self._random = random.Random(_SEED)

  def add(self, row: LoggedRow, measure: Measure) -> None:
    """Takes a row; measures it only if it is kept."""
    if row.error:
      self.refused += 1
      return
    if row.why not in SAMPLED or (row.value is None and not row.answer):
      return
    self.rows += 1
    self.versions[row.version] += 1
    place = len(self._kept) if self.rows <= self._most else self._random.randrange(self.rows)
    if place >= self._most:
      return
    entry = Entry(row.id, row.version, *measure.of(Row(value=row.value, answer=row.answer)))
    self._kept[place : place + 1] = [entry]

  @property
  def main_version(self) -> int | None:
    """The version that answered most rows; None without rows."""
    return max(self.versions, key=lambda each: (self.versions[each], each), default=None)

  @property
  def entries(self) -> Sequence[Entry]:
    """The rows that were measured."""
    return self._kept

  def profile(self, version: int | None = None) -> Profile:
    """Returns what the measured rows look like; with a version, those that it answered."""
    sketch = Sketch()
    for entry in self._kept:
      if version is None or entry.version == version:
        sketch.add(entry.measured, entry.words)
    return sketch.profile()


def windows(
  rows: Iterable[LoggedRow],
  measure: Measure,
  *,
  since: float,
  until: float,
  most: int,
  look: Callable[[LoggedRow], None],
) -> list[Window]:
  """Returns the watched window, the one of equal length before it, and up to 13 before that.

  Args:
    rows: the log.
    measure: measures a row.
    since: the first second of the watched window.
    until: the first second after it.
    most: rows of a window that are measured.
    look: is shown each row of the watched window.
  """
  length = until - since
  part = max(1, most // _PART_BEFORE)
  found = [
    Window(since - number * length, until - number * length, most if number < 2 else part)
    for number in range(MOST_BEFORE + 1)
  ]
  for row in rows:
    number = math.ceil((since - row.at) / length)
    if row.at < until and 0 <= number <= MOST_BEFORE:
      found[number].add(row, measure)
      if number == 0:
        look(row)
  return found
