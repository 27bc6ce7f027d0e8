"""Writes rows as JSON Lines or CSV, and joins such parts without reading their values.

JSON Lines: UTF-8; escapes only characters that many readers take for a line end; NaN and infinity
become null. CSV: RFC 4180, so with CRLF and a header; None becomes an empty field, lists and
objects become JSON.
"""

from __future__ import annotations

import csv
import io
import itertools
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, BinaryIO

from dlpipe.artifact_files import finite
from pipeline.batch.columns import Layout
from pipeline.sources import encoding

_COPIED_BYTES = 1 << 20
# Unicode's line ends from 0x20 on; JSON itself escapes those below.
_LINE_ENDS = (("\x85", "\\u0085"), ("\u2028", "\\u2028"), ("\u2029", "\\u2029"))


def write_jsonl(path: str, layout: Layout, columns: Sequence[Sequence[Any]]) -> None:
  """Writes one part; `columns` hold the values of `layout.names`."""
  names = layout.names
  rows = zip(*columns, strict=True)
  with open(path, "wb") as f:
    f.writelines(_json_line(dict(zip(names, row, strict=True))) for row in rows)


def write_csv(path: str, layout: Layout, columns: Sequence[Sequence[Any]]) -> None:
  """Writes one part, without a header."""
  del layout
  with _csv_file(path) as f:
    csv.writer(f).writerows(map(_csv_cell, row) for row in zip(*columns, strict=True))


def join_jsonl(
  parts: Sequence[tuple[str, int]], targets: Sequence[tuple[str, int]], layout: Layout
) -> None:
  """Joins parts (path, rows) into files (path, rows)."""
  del layout
  _join(parts, targets, records=lambda f: f, header=b"")


def join_csv(
  parts: Sequence[tuple[str, int]], targets: Sequence[tuple[str, int]], layout: Layout
) -> None:
  """Joins parts (path, rows) into files (path, rows), each with a header."""
  header = io.StringIO()
  csv.writer(header).writerow(layout.names)
  _join(parts, targets, records=_csv_records, header=_utf8(header.getvalue()))


def _join(
  parts: Iterable[tuple[str, int]],
  targets: Iterable[tuple[str, int]],
  *,
  records: Callable[[BinaryIO], Iterable[bytes]],
  header: bytes,
) -> None:
  waiting = iter(parts)
  left, current = 0, iter([b""])  # of the part that the last target ended in
  for path, rows in targets:
    with open(path, "wb") as target:
      target.write(header)
      while rows:
        if not left:
          part, left = next(waiting)
          if left <= rows:
            _append(part, target)
            rows, left = rows - left, 0
            continue
          current = _records(part, records)
        taken = min(left, rows)
        target.writelines(itertools.islice(current, taken))
        rows, left = rows - taken, left - taken


def _append(part: str, target: BinaryIO) -> None:
  with open(part, "rb") as f:
    shutil.copyfileobj(f, target, _COPIED_BYTES)


def _records(part: str, records: Callable[[BinaryIO], Iterable[bytes]]) -> Iterator[bytes]:
  with open(part, "rb") as f:
    yield from records(f)


def _csv_records(lines: Iterable[bytes]) -> Iterator[bytes]:
  """Yields whole records: a line break inside quotes does not end a record."""
  record = b""
  for line in lines:
    record += line
    if record.count(b'"') % 2 == 0:
      yield record
      record = b""


def _json_line(row: Any) -> bytes:
  try:
    text = _encode(row)
  except ValueError:
    text = _encode(finite(row))
  for character, escape in _LINE_ENDS:
    text = text.replace(character, escape)
  return _utf8(text) + b"\n"


_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, default=lambda v: _text(v)).encode


def _csv_file(path: str | os.PathLike[str]) -> Any:
  return open(path, "w", encoding="utf-8", errors="backslashreplace", newline="")


def _csv_cell(value: Any) -> Any:
  if isinstance(value, bool):
    return "true" if value else "false"
  if isinstance(value, dict | list | tuple):
    return _json_line(value).decode("utf-8").rstrip("\n")
  if value is None or isinstance(value, int | float):
    return value
  text = value if isinstance(value, str) else _text(value)
  # CSV readers refuse a NUL, and Python 3.10 does not write one.
  return text.replace("\0", "\\x00")


def _text(value: Any) -> str:
  """Converts a value of a type that text formats lack to text: bytes, a date, a decimal."""
  if isinstance(value, bytes):
    return encoding.escaped(value)
  return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _utf8(text: str) -> bytes:
  return text.encode("utf-8", "backslashreplace")
