"""Splits the bytes of a CSV or TSV into records and fields, by RFC 4180.

One scan finds boundaries and parses fields, so the planner that cuts a file and the worker that
reads a part of it agree on where records begin. If a quoted field is not closed, or continues after
its closing quote, only its first line is lost: reading continues with the next line.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from typing import NamedTuple

from pipeline.sources.text_files.line_files import ByteFile

MAX_RECORD_BYTES = 1 << 20  # a longer quoted field is a stray quote
CUT_OFF = "the file ends within this row"

_QUOTE = b'"'
_BLOCK = 1 << 20
_KEPT_BYTES = 64 << 10  # of a row that exceeds MAX_RECORD_BYTES


class Record(NamedTuple):
  """One record.

  Attributes:
    number: its number in the file, from 1; the header and empty lines count.
    start: offset of its first byte.
    data: its bytes, without the line end.
    is_quoted: whether it contains a quote; if not, splitting `data` gives its fields.
    fault: why it is not a valid record, or None.
  """

  number: int
  start: int
  data: bytes
  is_quoted: bool = False
  fault: str | None = None


class _FaultyQuoteError(Exception):
  """The quotes of a record are faulty."""


class _UnfinishedError(Exception):
  """The record continues beyond the bytes in the buffer."""

  def __init__(self, column: int):
    super().__init__(column)
    self.column = column


class RecordReader:
  """Iterates, once, over the records of a file that begin in a range of its bytes.

  Args:
    f: the file's decompressed bytes, positioned at `start`.
    delimiter: the byte between fields.
    start: offset of the first record.
    stop: records that begin at this offset or later are not read; None reads to the end.
    number: number of the first record.
  """

  def __init__(
    self,
    f: ByteFile,
    *,
    delimiter: bytes,
    start: int = 0,
    stop: int | None = None,
    number: int = 1,
  ):
    self._file = f
    self._delimiter = delimiter
    self._whole = _whole_record(delimiter)
    self._stop = stop
    self._number = number
    self._data = b""
    self._base = start  # the offset of the first byte in `_data`
    self._position = 0  # in `_data`, of the next record
    self._ended = False

  def __iter__(self) -> Iterator[Record]:
    quote = -1
    while self._stop is None or self._base + self._position < self._stop:
      newline = self._data.find(b"\n", self._position)
      if newline < 0:
        if self._grow():
          quote = -1
          continue
        if not self._ended:
          yield self._skip_long_line()
          quote = -1
          continue
        if self._position >= len(self._data):
          return
        newline = len(self._data)
      if newline - self._position > MAX_RECORD_BYTES:
        yield self._take_long_line(newline)
        continue
      if quote < self._position:
        quote = self._data.find(_QUOTE, self._position)
        quote = len(self._data) if quote < 0 else quote
      if quote >= newline:
        yield self._take(newline, newline + 1)
        continue
      try:
        end, after = self._quoted_end()
      except _UnfinishedError as err:
        if self._grow():
          quote = -1
          continue
        yield self._take(newline, newline + 1, fault=self._why_open(newline, err.column))
      except _FaultyQuoteError as err:
        yield self._take(newline, newline + 1, fault=str(err))
      else:
        yield self._take(end, after, is_quoted=True)

  def _why_open(self, newline: int, column: int) -> str:
    if len(self._data) - self._position > MAX_RECORD_BYTES:
      return _too_long()
    if newline >= len(self._data):  # no line ends after the quote, as where a copy broke off
      return f"{CUT_OFF}, in the quotes of field {column}"
    return f"the quote before field {column} is never closed"

  def _quoted_end(self) -> tuple[int, int]:
    """Returns the offsets of the record's end and of the next record."""
    match = self._whole.match(self._data, self._position)
    if match:
      end, after = match.end() - 1, match.end()
    else:
      _, end, after = _parse(self._data, self._position, self._delimiter, self._ended)
    # Whether such a long record is fully in the buffer depends on where reading began.
    if end - self._position > MAX_RECORD_BYTES:
      raise _FaultyQuoteError(_too_long())
    return end, after

  def _take(
    self, end: int, after: int, *, is_quoted: bool = False, fault: str | None = None
  ) -> Record:
    start = self._position
    self._position = after
    if self._data.endswith(b"\r", start, end):
      end -= 1
    record = Record(self._number, self._base + start, self._data[start:end], is_quoted, fault)
    self._number += 1
    return record

  def _grow(self) -> bool:
    """Reads more bytes; returns False at the file's end, or if the record is already too long."""
    if self._ended or len(self._data) - self._position > MAX_RECORD_BYTES:
      return False
    block = self._file.read1(_BLOCK)  # keeps the bytes before damage, which read() loses
    self._ended = not block
    self._base += self._position
    self._data = self._data[self._position :] + block
    self._position = 0
    return True

  def _skip_long_line(self) -> Record:
    self._base += self._position
    self._data = self._data[self._position :]
    start, kept = self._base, self._data[:_KEPT_BYTES]
    while self._data and b"\n" not in self._data:
      self._base += len(self._data)
      self._data = self._file.read1(_BLOCK)
    self._ended = not self._data
    self._position = self._data.find(b"\n") + 1
    record = Record(self._number, start, kept, fault=_too_long())
    self._number += 1
    return record

  def _take_long_line(self, newline: int) -> Record:
    start = self._position
    kept = self._data[start : min(newline, start + _KEPT_BYTES)]
    record = Record(self._number, self._base + start, kept, fault=_too_long())
    self._position = newline + 1
    self._number += 1
    return record


def _too_long() -> str:
  return f"the row is longer than {MAX_RECORD_BYTES >> 20} MiB; a quote may not be closed"


def split_fields(record: Record, delimiter: bytes) -> list[bytes]:
  """Returns the fields of a record without a fault."""
  if not record.is_quoted:
    return record.data.split(delimiter)
  return _parse(record.data, 0, delimiter, is_all=True)[0]


def sure_fields(record: Record, delimiter: bytes) -> list[bytes]:
  """Returns the fields of a record with a fault that end before its first quote."""
  return record.data.partition(_QUOTE)[0].split(delimiter)[:-1]


@functools.cache
def _whole_record(delimiter: bytes) -> re.Pattern[bytes]:
  """Returns a pattern of a valid record with its line end; faster than `_parse`.

  No two alternatives begin alike, so the match of an invalid record fails early.
  """
  delimiter = re.escape(delimiter)
  field = rb'(?:"[^"]*(?:""[^"]*)*"|[^"%b\n][^%b\n]*|)' % (delimiter, delimiter)
  return re.compile(rb"%b(?:%b%b)*\r?\n" % (field, delimiter, field))


def _parse(
  data: bytes, position: int, delimiter: bytes, is_all: bool
) -> tuple[list[bytes], int, int]:
  """Parses the record at `position`: its fields, its end without a `\\r`, the next one's start.

  Args:
    data: bytes that contain the whole line at `position`.
    position: offset of the record in `data`.
    delimiter: the byte between fields.
    is_all: whether the file ends with `data`.

  Raises:
    _UnfinishedError: a quoted field is still open at the end of `data`.
    _FaultyQuoteError: a quoted field continues after its closing quote.
  """
  fields: list[bytes] = []
  newline = -1
  while True:
    if not data.startswith(_QUOTE, position):
      if newline < position:
        newline = data.find(b"\n", position)
        if newline < 0:
          if not is_all:
            raise _UnfinishedError(len(fields) + 1)
          newline = len(data)
      end = data.find(delimiter, position, newline)
      if end >= 0:
        fields.append(data[position:end])
        position = end + 1
        continue
      end = newline - 1 if data.endswith(b"\r", position, newline) else newline
      fields.append(data[position:end])
      return fields, newline, newline + 1
    close = _closing_quote(data, position + 1)
    # The next byte, not in the buffer, may be the second quote of a pair, or a line end.
    if close < 0 or (close + 2 >= len(data) and not is_all):
      raise _UnfinishedError(len(fields) + 1)
    fields.append(data[position + 1 : close].replace(b'""', _QUOTE))
    position = close + 1
    if data.startswith(delimiter, position):
      position += 1
      continue
    for line_end in (b"\n", b"\r\n"):
      if data.startswith(line_end, position):
        position += len(line_end)
        return fields, position - 1, position
    if data[position:] in (b"", b"\r"):
      return fields, len(data), len(data)
    raise _FaultyQuoteError(
      f"field {len(fields)} goes on after its closing quote; a quote inside quotes is doubled"
    )


def _closing_quote(data: bytes, position: int) -> int:
  """Returns the offset of the closing quote of the field whose text begins at `position`, or -1."""
  while True:
    close = data.find(_QUOTE, position)
    if close < 0 or not data.startswith(_QUOTE, close + 1):
      return close
    position = close + 2
