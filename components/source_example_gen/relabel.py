"""Reads `data.relabel`: labels that replace those of the data, by origin; the data stay untouched.

The file is a CSV with the columns `origin` and `new_label`, such as `dlpipe check --labels` writes,
with commas, semicolons or tabs between them. If it has a column `label`, that is the label that a
record must have: a row that has moved or changed since is never relabelled. Other columns, and rows
without a new label, are ignored. Imports no TFX.
"""

from __future__ import annotations

import collections
import csv
import difflib
import hashlib
import io
import math
import pathlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from dlpipe.dotted_paths import load_function
from dlpipe.errors import BadInputError
from dlpipe.records import FeatureValue, class_names, labels_in_words

SETTING = "data.relabel"
ORIGIN, NEW_LABEL, OLD_LABEL = "origin", "new_label", "label"
_MARKS = ",;\t"  # between fields
_SHOWN = 3
_ROUNDING = 1e-6  # of numbers that a table writes with fewer digits


class NewLabel(NamedTuple):
  """What a file says of a record: its new label, and the label that it must have; None if any.

  `written` is the old label as the file has it; `dlpipe runs rows` writes several ones in words.
  """

  value: FeatureValue
  old: FeatureValue | None = None
  written: str = ""


def read(path: str) -> dict[str, str]:
  """Returns new labels by origin.

  Raises:
    BadInputError: the file is missing or no such CSV, names no new label, or names two for one
      origin.
  """
  return {origin: new for origin, (new, _) in _written(path).items()}


def _written(path: str) -> dict[str, tuple[str, str]]:
  """Returns the new and the old label by origin; empty for an old one that is not told."""
  found: dict[str, tuple[str, str]] = {}
  line = 1
  try:
    rows = _reader(_text(path))
    missing = [name for name in (ORIGIN, NEW_LABEL) if name not in (rows.fieldnames or ())]
    if missing:
      raise BadInputError(
        f"{SETTING}={path!r}: expected a CSV with the columns {ORIGIN} and {NEW_LABEL}. Received: "
        f"{', '.join(rows.fieldnames or ()) or 'no columns'}"
      )
    for row in rows:
      line = rows.line_num
      if any(row.get(None) or ()):  # what stands behind the columns of the header
        raise BadInputError(
          f"{SETTING}={path!r}, line {line} has more fields than the header. A name that holds the "
          'mark between fields goes in quotes, such as "reviews.csv, row 7".'
        )
      origin, label = row[ORIGIN] or "", (row[NEW_LABEL] or "").strip()
      if not label:
        continue
      if not origin:
        raise BadInputError(f"{SETTING}={path!r}, line {line}: {label!r} has no {ORIGIN}.")
      first, _ = found.setdefault(origin, (label, (row.get(OLD_LABEL) or "").strip()))
      if first != label:
        raise BadInputError(
          f"{SETTING}={path!r}, line {line}: {origin!r} has two new labels, {first!r} and "
          f"{label!r}."
        )
  except csv.Error as err:
    raise BadInputError(f"{SETTING}={path!r}, after line {line}: {err}") from err
  if not found:
    raise BadInputError(
      f"{SETTING}={path!r} has no {NEW_LABEL}. Enter the right label in the rows that are wrong, "
      f"or leave {SETTING} out."
    )
  return found


def _reader(text: str) -> csv.DictReader[str]:
  """Returns what reads the rows; spreadsheets of many countries write semicolons for commas."""
  header, _, _ = text.partition("\n")
  for mark in _MARKS:
    if {ORIGIN, NEW_LABEL} <= {name.strip('" \r') for name in header.split(mark)}:
      break
  else:
    mark = _MARKS[0]
  return csv.DictReader(io.StringIO(text, newline=""), strict=True, delimiter=mark)


def digest(path: str) -> str:
  """Returns a hash of what the file says."""
  said = sorted(read(path).items())
  return hashlib.sha256(repr(said).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def values(path: str, read_label: str, options: Mapping[str, Any]) -> dict[str, NewLabel]:
  """Returns the values of the label feature by origin.

  Args:
    path: the file.
    read_label: dotted path of the problem's function.
    options: the data options.

  Raises:
    BadInputError: as `read`, or a new label is no label of this kind.
  """
  convert: Callable[[str, Mapping[str, Any]], FeatureValue] = load_function(read_label)
  found = {}
  for origin, (new, old) in _written(path).items():
    try:
      value = convert(new, options)
    except ValueError as err:
      raise BadInputError(f"{SETTING}={path!r}: the new label of {origin!r}: {err}") from err
    try:
      found[origin] = NewLabel(value, convert(old, options) if old else None, old)
    except ValueError:  # no record has it, but several labels may be written so
      found[origin] = NewLabel(value, old, old)
  return found


def require_unchanged(origin: str, label: FeatureValue | None, new: NewLabel) -> None:
  """Checks that a record has the label that the file says, or already the new one.

  A file names a row by its place, and rows move if one above them is deleted.

  Raises:
    BadInputError: it has another one.
  """
  if new.old is None or _is_same(label, new.old) or _is_same(label, new.value):
    return
  names = class_names(label)
  if _has_several(label) and new.written == labels_in_words(sorted(names)):
    return
  raise BadInputError(
    f"{SETTING} was made of other data: {origin!r} has the label {_shown(label)}, and the file "
    f"says {_shown(new.old)} (column {OLD_LABEL}). Make the file anew from this data; if its "
    f"{ORIGIN} is surely right, leave the column {OLD_LABEL} out."
  )


def _is_same(label: FeatureValue | None, other: FeatureValue) -> bool:
  """Returns whether two labels are the same; the order of several ones does not count."""
  if isinstance(label, (int, float)) and isinstance(other, (int, float)):
    return math.isclose(label, other, rel_tol=_ROUNDING)
  if isinstance(label, (str, bytes)) and isinstance(other, (str, bytes)):
    return _words(label) == _words(other)
  if _has_several(label) and _has_several(other):
    return set(class_names(label)) == set(class_names(other))
  return False


def _has_several(label: FeatureValue | None) -> bool:
  return not isinstance(label, (str, bytes, int, float))


def _words(label: str | bytes) -> list[str]:
  [text] = class_names(label)
  return text.split()


def _shown(label: FeatureValue | None) -> str:
  names = class_names(label)
  if _has_several(label):
    return repr(labels_in_words(names))
  return repr(names[0]) if names else repr(label)


def require_known(
  path: str,
  given: Mapping[str, NewLabel],
  applied: Iterable[str],
  labels: Collection[str],
) -> None:
  """Checks a file against what was read.

  Args:
    path: the file.
    given: the values by origin.
    applied: the origins of the records that got a new label, each once for a record.
    labels: the classes of the data without the file; empty if labels name no classes.

  Raises:
    BadInputError: the file names a record that was not read, or two records have one origin, or it
      names a class that the data does not have.
  """
  met = collections.Counter(applied)
  unknown = [origin for origin in given if origin not in met]
  if unknown:
    raise BadInputError(
      f"{SETTING}={path!r} names {len(unknown):,} of {len(given):,} records that the data does not "
      f"have, or that are in quarantine: {_some(unknown)}. Make the file from this data, by "
      "`dlpipe check --labels --suspects` or `dlpipe runs rows --output`."
    )
  twice = sorted(origin for origin, count in met.items() if count > 1)
  if twice:
    raise BadInputError(f"{SETTING}={path!r}: several records have the origin {_some(twice)}.")
  strangers = sorted(
    {name for new in given.values() for name in class_names(new.value)} - set(labels)
  )
  if labels and strangers:
    close = difflib.get_close_matches(strangers[0], labels, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    raise BadInputError(
      f"{SETTING}={path!r}: the data has no label {_some(strangers)}.{hint} It has: "
      f"{_some(sorted(labels), 20)}."
    )


def _some(names: Sequence[str], most: int = _SHOWN) -> str:
  shown = ", ".join(map(repr, names[:most]))
  return shown if len(names) <= most else f"{shown} and {len(names) - most:,} more"


def _text(path: str) -> str:
  try:
    return pathlib.Path(path).read_text(encoding="utf-8-sig")
  except OSError as err:
    raise BadInputError(f"{SETTING}={path!r} cannot be read: {err.strerror or err}.") from err
  except UnicodeDecodeError as err:
    raise BadInputError(
      f"{SETTING}={path!r}: expected a CSV in UTF-8. Received: {err.reason} at byte {err.start}"
    ) from err
