"""Reads pairs as in manythings.org/anki: `source<TAB>target[<TAB>attribution]`, a pair a line.

`columns` finds the columns by their content, or the options `source_column` and `target_column`
give their numbers. Quotes have no special meaning. The option `reverse` swaps the sides.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dlpipe.errors import BadInputError
from dlpipe.recognition import Recognized, Unread
from dlpipe.records import Record, Rejected, SourcePlan
from pipeline.sources import first_records, input_paths, origins, sharding
from pipeline.sources.text_files import line_files
from pipeline.tasks.translation.sources import columns, records, sides

DESCRIPTION = "a .tsv or .txt file, or a folder with one, of lines of source<TAB>target"

_SUFFIXES = (".tsv", ".txt", ".tsv.gz", ".txt.gz")
_NO_PAIRS = re.compile(r"[._-]*(readme|license|licence|copying|about)\b", re.IGNORECASE)
_LOOKED_AT = 20  # lines, to find a pair
_ADVICE = (
  "Name the columns by their numbers, such as with --set data.source_column=2 --set "
  "data.target_column=4; what you name is taken as it is."
)
_SPREAD = 20  # places of the file that a sample reads
_PART_LINES, _PART_BYTES, _PARTS = 1000, 2 << 20, 5


def matches(path: str) -> bool:
  """Returns whether the path is such a file with a pair, or a folder with exactly one."""
  try:
    file = _find(path)
    return file is not None and _has_pair(file)
  except BadInputError:
    return False


def plan(path: str, options: Mapping[str, Any]) -> SourcePlan:
  """Cuts the file into shards.

  Raises:
    BadInputError: there is no such file, its first lines have no pair, or the guess of the columns
      is uncertain.
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
  ranges = line_files.cut(file, lines=_PART_LINES, size=_PART_BYTES)
  first, rows = _sample(file, ranges)
  found = columns.choose(first, rows, options, file=file)
  if not found.header:
    rows.insert(0, first.split("\t"))
  pairs = [(r[found.source], r[found.target]) for r in rows if max(found[:2]) < len(r)]
  places = [f"column {i + 1}" for i in found[:2]]
  if options.get("source_column") is None:
    sides.require(pairs, places, source=file, advice=_ADVICE)
  skipped = {"header": True} if found.header else {}
  parts = [
    {"file": file, "source": found.source, "target": found.target, **r, **skipped} for r in ranges
  ]
  source, target = places[::-1] if reverse else places
  shards = sharding.mix(parts, _PARTS)
  first_records.require_one(
    (record for shard in shards for record in read(shard, options)), source=file
  )
  return SourcePlan(
    shards=shards,
    fingerprint=input_paths.fingerprint(path, [file], limit, reverse, *found[:2], found.header),
    recognized=Recognized(
      layout="tsv",
      fields={"source": source, "target": target},
      files=[input_paths.printable(os.path.basename(file))],
      file_count=1,
      rows=line_files.count(file, ranges) - bool(found.header),
      unread=_unread(path, file, found),
      warnings=sides.warnings(pairs),
    ),
  )


def read(shard: Mapping[str, Any], options: Mapping[str, Any]) -> Iterator[Record | Rejected]:
  """Reads the lines of one shard; skips empty lines."""
  limit, reverse = records.max_chars(options), _is_reversed(options)
  for part in shard["parts"]:
    name = input_paths.printable(os.path.basename(part["file"]))
    lines = line_files.read_lines(
      part["file"], start=part["start"], stop=part["stop"], number=part["number"]
    )
    for line in lines:
      if part.get("header") and line.number == 1:
        continue
      origin = origins.of_row(name, line.number)
      fields = line.data.split(b"\t")
      if line.fault:
        yield Rejected(origin=origin, reason=line.fault, data=line.data)
      elif len(fields) > max(part["source"], part["target"]):
        source, target = fields[part["source"]], fields[part["target"]]
        if reverse:
          source, target = target, source
        yield records.to_record(
          source, target, split=None, origin=origin, limit=limit, data=line.data
        )
      elif line.data.strip():
        reason = "expected source<TAB>target; the line has no tab"
        if len(fields) > 1:
          reason = (
            f"expected at least {max(part['source'], part['target']) + 1} columns; the line has "
            f"{len(fields)}"
          )
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
  named = [options.get("source_column") or "source", options.get("target_column") or "target"]
  if set(named) <= {name.strip() for name in first}:
    raise BadInputError(
      f"The first line of {file!r} is a header with the columns {named[0]} and {named[1]}, so it "
      "is a table. Name its layout with --set data.source=table"
    )


def _sample(file: str, ranges: Sequence[line_files.Range]) -> tuple[str, list[list[str]]]:
  """Returns the first line, and the fields of a sample of the other lines with a tab."""
  spread = input_paths.spread(ranges, _SPREAD)
  each = sides.LOOKED_AT // max(len(spread), 1)
  first, rows = "", []
  for part in spread:
    for line in itertools.islice(line_files.read_lines(file, **part), each):
      text = line.data.decode("utf-8", "replace")
      if line.number == 1:
        first = text
      elif "\t" in text and not line.fault:
        rows.append(text.split("\t"))
  return first, rows


def _unread(path: str, file: str, found: columns.Columns) -> list[Unread]:
  unread = [Unread(name=other, reason="no side of the pairs") for other in found.others]
  if found.header:
    unread.append(Unread(name="line 1", reason=f"a header: {', '.join(found.header)}"))
  return unread + input_paths.unread(path, [file], "beside the file of pairs")
