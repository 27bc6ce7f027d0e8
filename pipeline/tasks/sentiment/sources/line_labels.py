"""Finds the labels of a file of lines: in the file's name, or in each line.

Formats of labelled lines are fastText (`__label__pos A good film`), UCI's "Sentiment Labelled
Sentences" (`A good film<TAB>1`) and the SMS Spam Collection (`ham<TAB>See you`). The option
`label_from` corrects a wrong guess.
"""

from __future__ import annotations

import collections
import itertools
import os
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from dlpipe.errors import BadInputError
from pipeline.sources.class_counts import names
from pipeline.sources.text_files import line_files

NAME, PREFIX, FIRST, LAST = "name", "prefix", "first", "last"
# The parts of an example, by the place of the label.
FIELDS = {
  NAME: {"text": "a line", "label": "the file's name"},
  PREFIX: {"text": "what follows the label", "label": "__label__... in front of the line"},
  FIRST: {"text": "what follows the first tab", "label": "what is before it"},
  LAST: {"text": "what is before the last tab", "label": "what follows it"},
}

_LOOKED_AT = 500  # lines of each file, and as many files
_MOST = 0.95  # smallest share of the lines of every file that must match
_SEVERAL = 0.05  # largest share of lines with several labels
_LABELS = 50  # largest number of classes, if a tab separates the label
_LABEL_BYTES = 50
_LEAST_LINES = 4
_PREFIX = re.compile(rb"\s*((?:__label__\S+\s+)*__label__\S+)(?:\s+|$)")
# JPEG, PNG, GIF, TIFF, RIFF (WebP, WAV), PDF, ZIP (DOCX, XLSX), 7z, RAR, ELF, Parquet.
_MAGIC = (
  *(b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"II*\0", b"MM\0*", b"RIFF", b"%PDF-", b"PK\x03\x04"),
  *(b"7z\xbc\xaf", b"Rar!", b"\x7fELF", b"PAR1"),
)
_LABEL_FILES = re.compile(r"(.*[._\- ])?(labels?|targets?|classes|y)$", re.IGNORECASE)


class _Sample(NamedTuple):
  """The first lines of a file that are not blank."""

  file: str
  lines: list[bytes]

  def part(self, holds: Callable[[bytes], Any]) -> float:
    """Returns the share of the lines for which `holds` is true, from 0 to 1."""
    return sum(bool(holds(line)) for line in self.lines) / len(self.lines)


def find(files: Sequence[str], options: Mapping[str, Any]) -> str:
  """Returns the place of the labels: NAME, PREFIX, FIRST or LAST.

  Args:
    files: paths of files of lines.
    options: `label_from` gives the place; if it is not set, the first lines decide.

  Raises:
    BadInputError: the option's value is unknown, the files differ in kind, the guess is uncertain,
      or the names of the files are not classes.
  """
  told = options.get("label_from")
  if told is not None and told not in FIELDS:
    raise BadInputError(
      f"data.label_from must be one of {', '.join(FIELDS)}. Received: label_from={told!r}"
    )
  samples = _samples(files)
  if not told:
    _require_no_binary(samples)
  place = told or _guess(samples)
  if place == PREFIX:
    _require_single_labels(samples)
  if not told and place == NAME:
    _require_texts(samples)
  return place


def is_sure(file: str) -> bool:
  """Returns whether a single file certainly contains labelled lines."""
  try:
    return _guess(_samples([file])) != NAME
  except BadInputError:
    return False


def split(line: bytes, place: str) -> tuple[bytes, bytes]:
  """Splits a line into text and label.

  Raises:
    ValueError: the line does not have exactly one label; the quarantine stores the message.
  """
  if place == PREFIX:
    match = _PREFIX.match(line)
    if not match:
      raise ValueError("the line does not begin with a label such as __label__pos")
    labels = match[1].split()
    if len(set(labels)) > 1:
      raise ValueError(f"the line has {len(labels)} labels, and one is expected")
    return line[match.end() :], labels[0].removeprefix(b"__label__")
  if b"\t" not in line:
    raise ValueError("the line has no tab between its text and its label")
  if place == LAST:
    text, label = line.rsplit(b"\t", 1)
  else:
    label, text = line.split(b"\t", 1)
  return text, label


def _samples(files: Sequence[str]) -> list[_Sample]:
  found = []
  for file in files[:_LOOKED_AT]:
    lines = itertools.islice(line_files.read_lines(file), _LOOKED_AT)
    filled = [line.data for line in lines if not line.fault and line.data.strip()]
    if filled:
      found.append(_Sample(file, filled))
  return found


def _guess(samples: Sequence[_Sample]) -> str:
  prefixed = [s for s in samples if s.part(_PREFIX.match) >= _MOST]
  tabbed = [s for s in samples if s.part(lambda line: b"\t" in line) >= _MOST]
  for kind, what in ((prefixed, "__label__ in front of its lines"), (tabbed, "tabs in its lines")):
    if kind and len(kind) < len(samples):
      other = next(s for s in samples if s not in kind)
      raise BadInputError(
        f"Expected files of one kind. {kind[0].file!r} has {what}, {other.file!r} has not. Move "
        f"one away, or take the files' names for labels with --set data.label_from={NAME}"
      )
  if prefixed:
    return PREFIX
  if not tabbed:
    return NAME
  lines = [line for s in samples for line in s.lines if b"\t" in line]
  places = [place for place in (FIRST, LAST) if _is_label(lines, place)]
  if len(places) == 1:
    return places[0]
  shown = names(line.decode("utf-8", "replace").replace("\t", "<TAB>") for line in lines[:1])
  raise BadInputError(
    f"The lines of {samples[0].file!r} hold tabs, such as {shown}, and which side is the label is "
    f"not clear. Say it with --set data.label_from={LAST} (what follows the last tab) or --set "
    f"data.label_from={FIRST}; --set data.label_from={NAME} takes the files' names for labels and "
    "whole lines for texts."
  )


def _is_label(lines: Sequence[bytes], place: str) -> bool:
  """Returns whether this side of the tab repeats few short values, and the other does not."""
  parts = [split(line, place) for line in lines]
  labels = {label.strip() for _, label in parts}
  texts = {text.strip() for text, _ in parts}
  return (
    len(lines) >= _LEAST_LINES
    and 2 <= len(labels) <= min(_LABELS, len(lines) // 2)
    and len(labels) * 2 <= len(texts)
    and all(0 < len(label) <= _LABEL_BYTES for label in labels)
  )


def _require_single_labels(samples: Sequence[_Sample]) -> None:
  lines = [line for s in samples for line in s.lines]
  several = [m[1] for m in map(_PREFIX.match, lines) if m and len(set(m[1].split())) > 1]
  if len(several) > _SEVERAL * len(lines):
    raise BadInputError(
      f"Expected one label a text. {len(several):,} of the {len(lines):,} lines looked at have "
      f"several, such as {names(m.decode('utf-8', 'replace') for m in several[:1])} in "
      f"{samples[0].file!r}. Keep one label in each line, for example the first with "
      r"`sed -E 's/^(__label__[^ ]+)( __label__[^ ]+)+/\1/' old.txt > new.txt`."
    )


def _require_no_binary(samples: Sequence[_Sample]) -> None:
  for sample in samples:
    if _is_binary(sample):
      raise BadInputError(
        f"Expected files of lines of text. {sample.file!r} is none: it holds bytes that no text "
        "has. Move it away."
      )


def _require_texts(samples: Sequence[_Sample]) -> None:
  """Refuses files whose names are not classes, because their lines are labels or numbers.

  Raises:
    BadInputError: there is such a file.
  """
  for sample in samples:
    name = os.path.basename(sample.file)
    stem = re.sub(r"(\.(txt|text))?(\.gz)?$", "", name, flags=re.IGNORECASE)
    if (_LABEL_FILES.match(stem) and sample.part(_is_short) >= _MOST) or _repeats(sample):
      others = [s.file for s in samples if s is not sample]
      text = os.path.basename(others[0]) if others else "texts.txt"
      raise BadInputError(
        f"The lines of {sample.file!r} seem to be labels, not texts of a class called {stem!r}. "
        f"If they belong to the lines of {text}, join the files with `paste {text} {name} > "
        "joined.txt` and give --data joined.txt. If the files' names are the classes, say --set "
        f"data.label_from={NAME}"
      )
    are_numbers = all(line.strip().replace(b".", b"").isdigit() for line in sample.lines)
    if len(sample.lines) >= _LEAST_LINES and are_numbers:
      raise BadInputError(
        f"The lines of {sample.file!r} are numbers, so they are no texts of a class called "
        f"{stem!r}. Move the file away, or say --set data.label_from={NAME}"
      )


def _repeats(sample: _Sample) -> bool:
  """Returns whether the lines repeat few short values, as labels do."""
  counts = collections.Counter(line.strip() for line in sample.lines)
  return (
    len(sample.lines) >= 2 * _LEAST_LINES
    and 2 <= len(counts) <= min(_LABELS, len(sample.lines) // _LEAST_LINES)
    and all(map(_is_short, counts))
  )


def _is_short(value: bytes) -> bool:
  """Returns whether a value is short enough to be a label."""
  return len(value) <= _LABEL_BYTES and len(value.split()) <= 2


def _is_binary(sample: _Sample) -> bool:
  """Returns whether a sample is binary, such as a picture or an archive: by magic bytes or NULs.

  In UTF-16, which gets other advice, every second byte of most texts is a NUL.
  """
  data = b"\n".join(sample.lines[:50])[:4096]
  return data.startswith(_MAGIC) or (
    b"\0" in data
    and not data.startswith((b"\xff\xfe", b"\xfe\xff"))
    and data.count(0) < len(data) // 4
  )
