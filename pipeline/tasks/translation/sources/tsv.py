"""Pairs as manythings.org/anki has them: `source<TAB>target[<TAB>attribution]`, a pair a line.

There is no header, and a quote is a quote. The option `reverse` swaps the sides.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

from components.errors import BadInputError
from components.records import Record, Rejected, SourcePlan
from pipeline.sources import input_paths, line_files, sharding
from pipeline.tasks.translation.sources import records

DESCRIPTION = "a .tsv or .txt file, or a folder with one, of lines of source<TAB>target"

_SUFFIXES = (".tsv", ".txt", ".tsv.gz", ".txt.gz")
_NO_PAIRS = re.compile(r"[._-]*(readme|license|licence|copying|about)\b", re.IGNORECASE)
_LOOKED_AT = 20  # lines, to find a pair
_PART_LINES, _PART_BYTES, _PARTS = 1000, 2 << 20, 5


def matches(path: str) -> bool:
  """Whether the path is such a file, or a folder with exactly one, and a pair is in it."""
  try:
    file = _find(path)
    return file is not None and _has_pair(file)
  except BadInputError:
    return False


def plan(path: str, options: Mapping[str, Any]) -> SourcePlan:
  """Cuts the file into shards.

  Raises:
    BadInputError: there is no such file, or no pair in its first lines.
  """
  limit = records.max_chars(options)
  reverse = _is_reversed(options)
  input_paths.require(path, expected=DESCRIPTION)
  file = _find(path)
  if file is None:
    raise BadInputError(f"Expected {DESCRIPTION}. {path!r} is none.")
  if not _has_pair(file):
    raise BadInputError(
      f"Expected {DESCRIPTION}. None of the first {_LOOKED_AT} lines of {file!r} has a tab."
    )
  _require_no_header(file, options)
  parts = [{"file": file, **r} for r in line_files.cut(file, lines=_PART_LINES, size=_PART_BYTES)]
  return SourcePlan(
    shards=sharding.mix(parts, _PARTS),
    fingerprint=input_paths.fingerprint(path, [file], limit, reverse),
  )


def read(shard: Mapping[str, Any], options: Mapping[str, Any]) -> Iterator[Record | Rejected]:
  """Reads the lines of one shard; empty lines are no pairs."""
  limit, reverse = records.max_chars(options), _is_reversed(options)
  for part in shard["parts"]:
    name = input_paths.printable(os.path.basename(part["file"]))
    lines = line_files.read_lines(
      part["file"], start=part["start"], stop=part["stop"], number=part["number"]
    )
    for line in lines:
      origin = f"{name}, row {line.number}"
      sides = line.data.split(b"\t", 2)
      if line.fault:
        yield Rejected(origin=origin, reason=line.fault, data=line.data)
      elif len(sides) > 1:
        source, target = (sides[1], sides[0]) if reverse else (sides[0], sides[1])
        yield records.to_record(
          source, target, split=None, origin=origin, limit=limit, data=line.data
        )
      elif line.data.strip():
        reason = "expected source<TAB>target; the line has no tab"
        yield Rejected(origin=origin, reason=reason, data=line.data)


def _is_reversed(options: Mapping[str, Any]) -> bool:
  value = options.get("reverse") or False
  if not isinstance(value, bool):
    raise BadInputError(f"data.reverse must be true or false. Received: reverse={value!r}")
  return value


def _find(path: str) -> str | None:
  if os.path.isdir(path):
    found = [
      e.path
      for e in input_paths.entries(path)
      if e.is_file() and e.name.lower().endswith(_SUFFIXES) and not _NO_PAIRS.match(e.name)
    ]
    return os.path.abspath(found[0]) if len(found) == 1 else None
  is_one = path.lower().endswith(_SUFFIXES) and os.path.isfile(path)
  return os.path.abspath(path) if is_one else None


def _has_pair(file: str) -> bool:
  lines = zip(line_files.read_lines(file), range(_LOOKED_AT), strict=False)
  return any(b"\t" in line.data for line, _ in lines)


def _require_no_header(file: str, options: Mapping[str, Any]) -> None:
  first = next(line_files.read_lines(file)).data.decode("utf-8", "replace").split("\t")
  columns = [options.get("source_column"), options.get("target_column")]
  if set(columns) <= {name.strip() for name in first}:
    raise BadInputError(
      f"The first line of {file!r} is a header with the columns {columns[0]} and {columns[1]}, so "
      "it is a table. Name its layout with --set data.source=table"
    )
