"""Reads CSV and TSV, with or without a header: RFC 4180 quoting, UTF-8, plain or gzipped."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dlpipe.errors import BadInputError
from pipeline.sources.encoding import UndecodableError, decode, escaped, remedy
from pipeline.sources.tables.delimited_records import (
  Record,
  RecordReader,
  split_fields,
  sure_fields,
)
from pipeline.sources.tables.rows import BadRow, Row, origin_prefix
from pipeline.sources.tables.saved_otherwise import separator_advice
from pipeline.sources.text_files import line_files

_SEPARATOR_LINE = re.compile(rb"sep=[,;|\t]", re.IGNORECASE)
_SHARD_ROWS = line_files.SHARD_LINES
_SHARD_BYTES = line_files.SHARD_BYTES


def first_row(file: str, separator: str, set_with: str | None = None) -> list[str]:
  """Returns the fields of the first row, which is the header if the file has one.

  Args:
    file: the path.
    separator: the character between fields.
    set_with: prefix of a setting on the command line, for messages.

  Raises:
    BadInputError: there is no row, or it is not UTF-8.
  """
  record = _first_record(file, separator)
  if record is None:
    raise BadInputError(f"Expected a header with the names of columns in {file!r}. It is empty.")
  if record.fault:
    names = record.data.decode("utf-8", "replace").split(separator)
    advice = separator_advice(names, separator, set_with)
    raise BadInputError(f"The header of {file!r} cannot be read: {record.fault}.{advice}")
  if _SEPARATOR_LINE.fullmatch(record.data):
    said = record.data.decode()
    raise BadInputError(
      f"Expected a header in the first line of {file!r}. Received Excel's note of the separator, "
      f"{said!r}; delete that line, for example with `tail -n +2 old.csv > new.csv`."
    )
  try:
    fields = [decode(field).strip() for field in split_fields(record, separator.encode())]
  except UndecodableError as err:
    raise BadInputError(
      f"Expected a header in UTF-8 in {file!r}. Received: {err}. {remedy(str(err))}"
    ) from err
  if any("\r" in field for field in fields):
    raise BadInputError(
      f"Expected lines that end with LF or CRLF in {file!r}. They end with CR alone; save the file "
      "anew, as CSV in UTF-8."
    )
  return fields


def names_of(fields: Sequence[str], has_header: bool) -> list[str]:
  """Returns the names of the columns: "column 3" for an empty name, "3" without a header.

  Args:
    fields: the fields of the first row.
    has_header: whether the first row is a header.
  """
  if not has_header:
    return [str(number) for number, _ in enumerate(fields, 1)]
  return [name or f"column {number}" for number, name in enumerate(fields, 1)]


def plan_file(
  file: str, names: Sequence[str], wanted: Sequence[str] | None, *, separator: str, has_header: bool
) -> list[dict[str, Any]]:
  """Cuts the rows of a file at the ends of records; a gzipped file is one shard.

  Raises:
    BadInputError: the file cannot be read.
  """
  shard = {
    "file": file,
    "names": list(names),
    "columns": None if wanted is None else list(wanted),
    "separator": separator,
    "has_header": has_header,
  }
  if line_files.is_gzip(file):
    return [{**shard, "start": 0, "stop": None, "number": 1}]
  ranges: list[dict[str, Any]] = []
  start = first = end = 0
  try:
    with line_files.open_bytes(file) as f:
      begin = line_files.begin(f, 0)
      for record in RecordReader(f, delimiter=separator.encode(), start=begin):
        if has_header and record.number == 1:
          continue
        if not first:
          start, first = record.start, record.number
        elif record.number - first >= _SHARD_ROWS or record.start - start >= _SHARD_BYTES:
          ranges.append({"start": start, "stop": record.start, "number": first})
          start, first = record.start, record.number
        end = record.number
  except OSError as err:
    raise line_files.unreadable(file, err) from err
  if end:
    ranges.append({"start": start, "stop": None, "number": first})
  return [{**shard, **part} for part in ranges]


def rows(shard: Mapping[str, Any]) -> Iterator[Row | BadRow]:
  """Yields the rows of one shard."""
  file, names = shard["file"], shard["names"]
  wanted = names if shard["columns"] is None else shard["columns"]
  kept = [(index, name) for index, name in enumerate(names) if name in wanted]
  has_header = shard["has_header"]
  number = shard["number"] - 1
  prefix = origin_prefix(file)
  delimiter = shard["separator"].encode()
  try:
    with line_files.open_bytes(file) as f:
      skipped = line_files.begin(f, shard["start"])
      reader = RecordReader(
        f,
        delimiter=delimiter,
        start=shard["start"] + skipped,
        stop=shard["stop"],
        number=shard["number"],
      )
      for record in reader:
        number = record.number
        # In a table of one column, an empty line is an empty value.
        if number > has_header and (record.data or record.fault or len(names) == 1):
          yield _row(record, prefix, names, kept, delimiter, has_header)
  except line_files.READ_ERRORS as err:
    number += 1
    yield BadRow(number, f"{prefix}{number}", line_files.damaged(err), b"")


def _row(
  record: Record,
  prefix: str,
  names: Sequence[str],
  kept: Sequence[tuple[int, str]],
  delimiter: bytes,
  has_header: bool,
) -> Row | BadRow:
  where = f"{prefix}{record.number}"
  if record.fault:
    values = _cells(sure_fields(record, delimiter), kept)
    return BadRow(record.number, where, record.fault, record.data, values)
  fields: Sequence[bytes] = ()
  try:
    if record.is_quoted:
      text = [decode(field) for field in split_fields(record, delimiter)]
    else:
      text = decode(record.data).split(delimiter.decode())
    count, reason = len(text), ""
  except UndecodableError:
    fields = split_fields(record, delimiter)
    count, reason = len(fields), _undecodable(fields, names)
  if count != len(names):
    like = "the header" if has_header else "the first row"
    reason = f"expected {len(names)} fields, as in {like}; the row has {count}"
    # If there is one field too many, any may be wrong, and only the first keeps its place.
    fields = split_fields(record, delimiter)[: int(count > len(names))]
  elif not reason and has_header and _is_header(text, names):
    reason = "the header again, as where files were put one after another"
  if reason:
    return BadRow(record.number, where, reason, record.data, _cells(fields, kept))
  return Row(record.number, where, {name: text[index] for index, name in kept})


def _cells(fields: Sequence[bytes], kept: Sequence[tuple[int, str]]) -> dict[str, str]:
  """Decodes the cells of a bad row's first fields."""
  return {name: escaped(fields[index]) for index, name in kept if index < len(fields)}


def _is_header(fields: Sequence[str], names: Sequence[str]) -> bool:
  """Returns whether a row repeats the header, maybe with the byte order mark of a joined file."""
  if len(names) < 2 or fields[-1].strip() not in (names[-1], ""):
    return False
  first, *others = fields
  if first.startswith("\ufeff"):  # a quote after it was not parsed
    first = first[1:].strip('"')
  return names_of([first.strip(), *(field.strip() for field in others)], True) == list(names)


def _undecodable(fields: Sequence[bytes], names: Sequence[str]) -> str:
  """Returns the column that is not text, and why; empty if the header lacks the column."""
  for name, field in zip(names, fields, strict=False):
    try:
      decode(field)
    except UndecodableError as err:
      return f"{err} in column {name!r}"
  return ""


def _first_record(file: str, separator: str) -> Record | None:
  try:
    with line_files.open_bytes(file) as f:
      reader = RecordReader(f, delimiter=separator.encode(), start=line_files.begin(f, 0))
      return next(iter(reader), None)
  except line_files.READ_ERRORS as err:
    raise line_files.unreadable(file, err) from err
