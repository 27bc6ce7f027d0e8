"""Chooses the spans of a run: the last `data.window` up to `data.last_span`.

As TFX's rolling range, a window counts numbers: 30 of days are 30 days, whether each has data or
not. Imports no TFX.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from components.spans.contents import Contents
from components.spans.pattern import Pattern, Span
from dlpipe.disk.whole_files import write_whole
from dlpipe.errors import BadInputError

_FILE = "window.json"
_TWO_WEEKS = 14
_LEAST_TO_STEP_BY = 4  # spans
_MOST_TO_ONE = 100  # numbers to a span
_SHOWN = 5


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
  """How a window is chosen, and where what was read of its spans is kept.

  Attributes:
    window: the number of spans; None takes all.
    last_span: the name of the last span; None takes the newest there is.
    root: the folder of kept spans.
  """

  window: int | None
  last_span: str | None
  root: str

  def to_text(self) -> str:
    """Returns the settings as a node's parameter."""
    return json.dumps(dataclasses.asdict(self), sort_keys=True)

  @classmethod
  def from_text(cls, text: str) -> Settings:
    """Reads the result of `to_text`."""
    return cls(**json.loads(text))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Window:
  """The spans of a run.

  Attributes:
    data: the pattern that found them.
    spans: those that are there, by number.
    missing: the names of those that are not there and should be, or have a folder in which nothing
      fits the pattern.
    unread: names beside the spans that do not fit the pattern.
  """

  data: str
  spans: tuple[Span, ...]
  missing: tuple[str, ...] = ()
  unread: tuple[str, ...] = ()

  def contents(self, known: Contents) -> dict[str, str]:
    """Returns the hash of each span's bytes by its name, and keeps what was computed."""
    found = {span.name: known.of(span.path) or "" for span in self.spans}
    known.save([span.path for span in self.spans])
    return found


def choose(pattern: Pattern, settings: Settings) -> Window:
  """Chooses the spans.

  Raises:
    BadInputError: nothing fits the pattern, or no span lies in the window.
  """
  found, unread, hollow = pattern.find()
  last = _last(pattern, settings, max([found[-1].number, *hollow]))
  first = found[0].number if settings.window is None else last - settings.window + 1
  spans = tuple(span for span in found if first <= span.number <= last)
  if not spans:
    before = [span.name for span in found if span.number <= last]
    raise BadInputError(
      f"No span of {pattern.path!r} lies in the window that ends with {pattern.name(last)}. "
      + (f"The last one before it is {before[-1]}." if before else f"The first is {found[0].name}.")
      + " Set data.window or data.last_span otherwise."
    )
  numbers = {span.number for span in spans}
  # Before the first span of all there was perhaps none yet.
  start = max(first, found[0].number)
  expected = _expected(pattern, range(start, last + 1), numbers)
  due = {*expected, *(number for number in hollow if start <= number <= last)}
  missing = tuple(pattern.name(number) for number in sorted(due - numbers))
  return Window(data=pattern.path, spans=spans, missing=missing, unread=tuple(unread))


def fingerprint(window: Window, contents: Mapping[str, str]) -> str:
  """Hashes which spans a window has, and what is in them."""
  said = [(span.name, span.version, span.begins, contents[span.name]) for span in window.spans]
  return hashlib.sha256(repr((said, window.missing)).encode()).hexdigest()


def remember(
  root: str, window: Window, contents: Mapping[str, str], folders: Mapping[str, str]
) -> None:
  """Keeps which spans were read, for `sentences` of the next run and for retention.

  Args:
    root: the folder of kept spans.
    window: the window.
    contents: by the name of a span the hash of its bytes.
    folders: by the name of a span the name of the folder of what is kept of it.
  """
  said = {
    span.name: {
      "version": span.version,
      "content": contents[span.name],
      "kept": folders.get(span.name, ""),
    }
    for span in window.spans
  }
  write_whole(_path(root), json.dumps({"data": window.data, "spans": said}, indent=1))


def remembered(root: str, data: str | None = None) -> dict[str, dict[str, Any]]:
  """Returns by the name of a span what is remembered of the last window; empty if nothing is.

  Args:
    root: the folder of kept spans.
    data: the pattern of the window; None takes any.
  """
  try:
    found = json.loads(_path(root).read_text(encoding="utf-8"))
    said: dict[str, dict[str, Any]] = found["spans"]
    return said if data in (None, found["data"]) else {}
  except (OSError, ValueError, KeyError):
    return {}


def _path(root: str) -> pathlib.Path:
  return pathlib.Path(root) / _FILE


def sentences(window: Window, settings: Settings) -> list[str]:
  """Says which spans a run sees, and what differs from those that were read before.

  A span that is there for the first time is not read for this.
  """
  first, last = window.spans[0].name, window.spans[-1].said
  count = len(window.spans)
  range_ = f"{first} to {last}" if count > 1 else last
  of = f", data.window={settings.window}" if settings.window else ""
  said = [f"{count:,} span{'s' if count > 1 else ''}: {range_}{of}. {_news(window, settings.root)}"]
  if window.missing:
    said.append(f"Warning: missing spans: {some(window.missing)}.")
  if window.unread:
    said.append(f"Not read, because the pattern does not fit: {some(window.unread)}.")
  return said


def some(names: Sequence[str]) -> str:
  """Lists the first names, and how many follow."""
  more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
  return ", ".join(names[:_SHOWN]) + more


def _news(window: Window, root: str) -> str:
  before = remembered(root, window.data)
  if not before:
    return "None of them was read here before."
  known = Contents(root)
  new = [span.said for span in window.spans if span.name not in before]
  changed = []
  for span in window.spans:
    was = before.get(span.name)
    if was is None:
      continue
    if was["version"] != span.version:
      changed.append(f"{span.said}, before {was['version']}")
    elif known.of(span.path, only_known=True) not in (None, was["content"]):
      changed.append(span.said)
  corrected = f"Corrected since they were read: {some(changed)}." if changed else ""
  if new:
    return " ".join(filter(None, [f"New: {some(new)}.", corrected]))
  newest = window.spans[-1].said
  if corrected:
    return f"Nothing new: {newest} was read before. {corrected}"
  there = {span.name for span in window.spans}
  gone = [name for name in before if name not in there]
  if gone:
    return f"Nothing new, but other spans than before: without {some(gone)}."
  return f"Nothing new: {newest} was read before. Nothing changed: no span has other content."


def _last(pattern: Pattern, settings: Settings, newest: int) -> int:
  if settings.last_span is None:
    return newest
  try:
    return pattern.number(settings.last_span)
  except ValueError:
    such = "a day such as 2026-11-30" if pattern.of_days else "a number such as 7"
    raise BadInputError(
      f"data.last_span must be {such}, as the spans of {pattern.path!r} are. Received: "
      f"{settings.last_span!r}"
    ) from None


def _expected(pattern: Pattern, numbers: range, there: set[int]) -> list[int]:
  """Returns the numbers that should have a span: in steps of a week, none between is missing.

  Weekdays that never have one are not missing either; two weeks or less do not tell which. Numbers
  that lie very far apart, such as seconds since 1970, do not count spans.
  """
  apart = [number - min(there) for number in there] if len(there) >= _LEAST_TO_STEP_BY else []
  step = math.gcd(*apart) or 1
  first = numbers[0] + (min(there) - numbers[0]) % step
  due = range(first, numbers[-1] + 1, step)
  if not pattern.of_days and len(due) > _MOST_TO_ONE * len(there):
    return [numbers[-1]]
  days = {pattern.weekday(number) for number in there}
  is_short = len(numbers) <= _TWO_WEEKS
  return [*(n for n in due if is_short or pattern.weekday(n) in days), numbers[-1]]
