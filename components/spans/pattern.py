"""Finds the spans of a path with placeholders: `inbox/{date}/`, `span-{SPAN}/v{VERSION}/`.

The placeholders are those of TFX's ExampleGens, `{YYYY}`, `{MM}`, `{DD}`, `{SPAN}` and `{VERSION}`,
a width as in `{SPAN:4}` included; `{date}` stands for a day, and case does not matter. A day's
number is that of days since 1970-01-01, as in TFX. Imports only the standard library and ours.
"""

from __future__ import annotations

import dataclasses
import datetime
import os
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from dlpipe.errors import BadInputError

_PLACEHOLDER = re.compile(r"\{([A-Za-z]+)(?::(\d+))?\}")
_BRACES = re.compile(r"\{[^{}/]*\}")
# What an orchestrator fills in for each run.
_TEMPLATE = re.compile(r"\{\{[^{}]*\}\}")
_EPOCH = datetime.date(1970, 1, 1)
_DATE, _SPAN, _VERSION = "date", "span", "version"
_PARTS = {"yyyy": r"\d{4}", "mm": r"\d{2}", "dd": r"\d{2}"}
_KNOWN = "{date}, {YYYY} with {MM} and {DD}, {span}, and {version} beside one of them"
_SHOWN = 5


@dataclasses.dataclass(frozen=True, kw_only=True)
class Span:
  """One span of the data.

  Attributes:
    name: the day as `2026-11-30`, or the number.
    number: its number; of a day the days since 1970-01-01.
    version: its version; None if the pattern has none.
    path: the file or folder.
    prefix: what stands before the origins of its records, such as `2026-11-30/`.
    begins: what the origins of its records begin with: the prefix, and of a file its name.
  """

  name: str
  number: int
  version: int | None
  path: str
  prefix: str
  begins: str

  def has(self, origin: str) -> bool:
    """Returns whether an origin is that of a record of this span."""
    rest = origin.removeprefix(self.begins)
    return rest != origin and (self.begins.endswith("/") or not rest[:1].isalnum())

  @property
  def said(self) -> str:
    """The span and its version, for a person."""
    return self.name if self.version is None else f"{self.name} (version {self.version})"


class Found(NamedTuple):
  """What is there of a pattern.

  Attributes:
    spans: by number; of each the highest version.
    unread: names that do not fit.
    hollow: the numbers of spans that have a folder, and in it nothing that fits the pattern.
  """

  spans: list[Span]
  unread: list[str]
  hollow: list[int]


class Pattern:
  """A path with placeholders.

  Attributes:
    path: as the user wrote it, absolute.
    root: the folder above the first placeholder.
    of_days: whether spans are days, and not numbers.
  """

  def __init__(self, path: str):
    """Reads a pattern.

    Raises:
      BadInputError: a placeholder is unknown or there twice, or they do not name a span.
    """
    self.path = path.rstrip("/") or path
    found = [(name.lower(), width) for name, width in _PLACEHOLDER.findall(self.path)]
    names = [name for name, _ in found]
    self._require(names)
    self.of_days = _SPAN not in names
    steps = self.path.split("/")
    first = next(at for at, step in enumerate(steps) if _BRACES.search(step))
    self.root = "/".join(steps[:first]) or "/"
    self._steps = [_compiled(step, path) for step in steps[first:]]

  def find(self) -> Found:
    """Lists the spans, and what is beside them.

    Raises:
      BadInputError: nothing fits, or two paths are the same span.
    """
    best: dict[int, Span] = {}
    unread: list[str] = []
    hollow: set[int] = set()
    for path, values, is_whole in self._walk(self.root, 0, {}, unread):
      span = self._span(path, values)
      if span is None or not is_whole:
        unread.append(os.path.relpath(path, self.root))
        hollow |= {span.number} if span is not None else set()
        continue
      other = best.get(span.number)
      if other is not None and other.version == span.version:
        raise BadInputError(
          f"{other.path!r} and {span.path!r} are both span {span.said} of {self.path!r}. Remove "
          "one of them, or tell them apart by {version}."
        )
      if other is None or (span.version or 0) > (other.version or 0):
        best[span.number] = span
    if not best:
      raise BadInputError(self._nothing(unread))
    spans = [best[number] for number in sorted(best)]
    return Found(spans, unread, sorted(hollow - best.keys()))

  def number(self, name: str) -> int:
    """Returns the number of the span with this name.

    Raises:
      ValueError: no span can have the name.
    """
    return (_day(name) - _EPOCH).days if self.of_days else int(name)

  def name(self, number: int) -> str:
    """Returns the name of the span with this number."""
    return str(_EPOCH + datetime.timedelta(number)) if self.of_days else str(number)

  def weekday(self, number: int) -> int | None:
    """Returns the weekday of a span that is a day; None for other spans."""
    return (_EPOCH + datetime.timedelta(number)).weekday() if self.of_days else None

  def holds(self, origin: str) -> bool:
    """Returns whether a record's origin begins as those of some span do."""
    return self.span_of(origin) is not None

  def span_of(self, origin: str) -> str | None:
    """Returns the name of the span that a record's origin begins with; None if there is none."""
    steps = origin.split("/")
    if len(steps) < len(self._steps):
      return None
    values: dict[str, str] = {}
    for at, (fits, step) in enumerate(zip(self._steps, steps, strict=False)):
      found = fits.fullmatch(step) if at + 1 < len(self._steps) else fits.match(step)
      if found is None:
        return None
      values |= found.groupdict()
    return _name(values)

  def _require(self, names: list[str]) -> None:
    for text in _BRACES.findall(self.path):
      given = _PLACEHOLDER.fullmatch(text)
      if given is None or given[1].lower() not in {_DATE, _SPAN, _VERSION, *_PARTS}:
        raise BadInputError(f"{self.path!r}: there is no placeholder {text}. Known: {_KNOWN}.")
      if given[2] == "0":
        raise BadInputError(f"{self.path!r}: {text} has no digit. Give a width of 1 or more.")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
      raise BadInputError(
        f"{self.path!r}: {{{twice[0]}}} stands there twice. Each placeholder stands there once."
      )
    days = {_DATE} & set(names), set(_PARTS) & set(names)
    if sum(map(bool, (*days, {_SPAN} & set(names)))) != 1 or 0 < len(days[1]) < len(_PARTS):
      raise BadInputError(
        f"{self.path!r}: expected one of {{date}}, {{YYYY}} with {{MM}} and {{DD}}, or {{span}}."
      )

  def _walk(
    self, folder: str, at: int, values: dict[str, str], unread: list[str]
  ) -> Iterator[tuple[str, dict[str, str], bool]]:
    """Yields the paths that fit, with what their placeholders stand for.

    So are those of which only the beginning fits, with nothing in them that fits the rest; their
    last value is False.
    """
    if at == len(self._steps):
      yield folder, values, os.path.exists(folder)  # a link may lead nowhere
      return
    try:
      names = sorted(os.listdir(folder))
    except OSError as err:
      if at and isinstance(err, (NotADirectoryError, FileNotFoundError)):
        yield folder, values, False
        return
      raise BadInputError(
        f"{self.path!r}: the folder {folder!r} cannot be read: {err.strerror or err}."
      ) from err
    some_fit = False
    for name in names:
      found = self._steps[at].fullmatch(name)
      if found is None:
        if self._steps[at].groups and not name.startswith("."):
          unread.append(os.path.relpath(os.path.join(folder, name), self.root))
        continue
      some_fit = True
      step = {**values, **found.groupdict()}
      yield from self._walk(os.path.join(folder, name), at + 1, step, unread)
    if at and not some_fit:
      yield folder, values, False

  def _span(self, path: str, values: dict[str, str]) -> Span | None:
    """Returns the span at a path; None if its digits are no date, or parts of it are not there."""
    name = _name(values)
    if name is None:
      return None
    inside = os.path.relpath(path, self.root)
    is_folder = os.path.isdir(path)
    folder = inside if is_folder else os.path.dirname(inside)
    return Span(
      name=name,
      number=self.number(name),
      version=int(values[_VERSION]) if _VERSION in values else None,
      path=path,
      prefix=f"{folder}/" if folder else "",
      begins=f"{inside}/" if is_folder else inside,
    )

  def _nothing(self, unread: list[str]) -> str:
    shown = ", ".join(map(repr, unread[:_SHOWN]))
    there = f"There are {shown}" if unread else "Nothing is there"
    return f"Nothing fits {self.path!r}. {there} below {self.root!r}; check the pattern."


def parse(path: str) -> Pattern | None:
  """Returns the pattern of a path; None for a path without placeholders, or one that exists.

  A template, such as Airflow's `{{ ds }}`, is no placeholder.

  Raises:
    BadInputError: the pattern cannot work.
  """
  rest = _TEMPLATE.sub("", path)
  if not _BRACES.search(rest) or os.path.exists(path):
    return None
  if rest != path:
    raise BadInputError(
      f"{path!r} has templates, which an orchestrator fills in for each run, and placeholders of "
      "spans. Leave one of them out."
    )
  if "://" in path:
    raise BadInputError(
      f"{path!r}: spans are read from folders of this machine, and this is an address. Copy or "
      "mount them here."
    )
  return Pattern(path)


def _compiled(step: str, path: str) -> re.Pattern[str]:
  """Compiles one name of the path."""
  parts: list[str] = []
  end = 0
  is_open = False  # whether the placeholder before takes any number of digits
  for found in _PLACEHOLDER.finditer(step):
    if is_open and found.start() == end:
      raise BadInputError(
        f"{path!r}: nothing tells where the number before {found[0]} ends. Put something between "
        "them, or give a width, as in {span:4}."
      )
    name, width = found[1].lower(), found[2]
    digits = rf"\d{{{width}}}" if width else r"\d+"
    fixed: dict[str, str] = {_DATE: r"\d{4}-\d{2}-\d{2}|\d{8}", **_PARTS}
    parts += [re.escape(step[end : found.start()]), f"(?P<{name}>{fixed.get(name, digits)})"]
    is_open = name in (_SPAN, _VERSION) and not width
    end = found.end()
  return re.compile("".join([*parts, re.escape(step[end:])]))


def _name(values: Mapping[str, str]) -> str | None:
  """Returns the name of a span by what its placeholders stand for; None if not of a date."""
  try:
    if _SPAN in values:
      return str(int(values[_SPAN]))
    if _DATE in values:
      return str(_day(values[_DATE]))
    return str(datetime.date(*(int(values[part]) for part in _PARTS)))
  except (KeyError, ValueError):
    return None


def _day(text: Any) -> datetime.date:
  """Reads `2026-11-30` or `20261130`."""
  written = str(text)
  if re.fullmatch(r"\d{8}", written):
    written = f"{written[:4]}-{written[4:6]}-{written[6:]}"
  if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", written, re.ASCII):
    raise ValueError(written)  # Python 3.11 takes weeks, too
  return datetime.date.fromisoformat(written)
