"""Reads `data.relabel`: labels that replace those of the data, by origin; the data stay untouched.

The file is a CSV with the columns `origin` and `new_label`, such as `dlpipe check --labels` writes;
other columns, and rows without a new label, are ignored. Imports no TFX.
"""

from __future__ import annotations

import collections
import csv
import difflib
import hashlib
import io
import pathlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from dlpipe.dotted_paths import load_function
from dlpipe.errors import BadInputError
from dlpipe.records import FeatureValue, class_names

SETTING = "data.relabel"
ORIGIN, NEW_LABEL = "origin", "new_label"
_SHOWN = 3


def read(path: str) -> dict[str, str]:
  """Returns new labels by origin.

  Raises:
    BadInputError: the file is missing or no such CSV, names no new label, or names two for one
      origin.
  """
  rows = csv.DictReader(io.StringIO(_text(path), newline=""), strict=True)
  found: dict[str, str] = {}
  try:
    missing = [name for name in (ORIGIN, NEW_LABEL) if name not in (rows.fieldnames or ())]
    if missing:
      raise BadInputError(
        f"{SETTING}={path!r}: expected a CSV with the columns {ORIGIN} and {NEW_LABEL}. Received: "
        f"{', '.join(rows.fieldnames or ()) or 'no columns'}"
      )
    for row in rows:
      origin, label = row[ORIGIN], (row[NEW_LABEL] or "").strip()
      if not label:
        continue
      if found.setdefault(origin, label) != label:
        raise BadInputError(
          f"{SETTING}={path!r}, line {rows.line_num}: {origin!r} has two new labels, "
          f"{found[origin]!r} and {label!r}."
        )
  except csv.Error as err:
    raise BadInputError(f"{SETTING}={path!r}, line {rows.line_num}: {err}") from err
  if not found:
    raise BadInputError(
      f"{SETTING}={path!r} has no {NEW_LABEL}. Enter the right label in the rows that are wrong, "
      f"or leave {SETTING} out."
    )
  return found


def digest(path: str) -> str:
  """Returns a hash of what the file says."""
  said = sorted(read(path).items())
  return hashlib.sha256(repr(said).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def values(path: str, read_label: str, options: Mapping[str, Any]) -> dict[str, FeatureValue]:
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
  for origin, label in read(path).items():
    try:
      found[origin] = convert(label, options)
    except ValueError as err:
      raise BadInputError(f"{SETTING}={path!r}: the new label of {origin!r}: {err}") from err
  return found


def require_known(
  path: str,
  given: Mapping[str, FeatureValue],
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
  strangers = sorted({n for value in given.values() for n in class_names(value)} - set(labels))
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
