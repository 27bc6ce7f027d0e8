r"""Reads files of lines, plain or gzipped, in ranges of bytes.

A line ends at `\n` only: U+0085, U+2028 and a lone `\r` are part of it. One `\r` before the end is
dropped, and so is a byte order mark before the first line.
"""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypedDict

from dlpipe.errors import BadInputError
from pipeline.sources.encoding import BOM

MAX_LINE_BYTES = 16 << 20
SHARD_LINES = 5000
SHARD_BYTES = 16 << 20
# Errors of a damaged or vanished file; BadGzipFile is an OSError.
READ_ERRORS = (OSError, EOFError, zlib.error)

ByteFile = io.BufferedReader | gzip.GzipFile

_KEPT_BYTES = 64 << 10  # of a line that is too long
_BUFFER_BYTES = 1 << 20


class Line(NamedTuple):
  """One line.

  Attributes:
    number: its number in the file, from 1.
    data: its bytes, without the line end.
    fault: why `data` is not the whole line, or None.
  """

  number: int
  data: bytes
  fault: str | None = None


class Range(TypedDict):
  """A range of whole lines, from byte `start` to byte `stop` or the file's end."""

  start: int
  stop: int | None
  number: int


def is_gzip(file: str) -> bool:
  """Returns whether the file is gzipped, by its first bytes.

  Raises:
    BadInputError: the file cannot be read.
  """
  try:
    with open(file, "rb") as f:
      return f.read(2) == b"\x1f\x8b"
  except OSError as err:
    raise unreadable(file, err) from err


def open_bytes(file: str) -> ByteFile:
  """Opens the file's decompressed bytes."""
  if is_gzip(file):
    return gzip.GzipFile(file, "rb")
  return io.BufferedReader(io.FileIO(file, "rb"), _BUFFER_BYTES)


def begin(f: ByteFile, start: int) -> int:
  """Seeks byte `start`, or the end of a byte order mark; returns the length of the mark."""
  if start:
    f.seek(start)
    return 0
  if f.peek(len(BOM)).startswith(BOM):
    return len(f.read(len(BOM)))
  return 0


def unreadable(file: str, err: Exception) -> BadInputError:
  """Returns the error for a file that cannot be read."""
  reason = err.strerror if isinstance(err, OSError) and err.strerror else err
  return BadInputError(f"The file {file!r} cannot be read: {reason}.")


def read_lines(
  file: str, *, start: int = 0, stop: int | None = None, number: int = 1
) -> Iterator[Line]:
  """Yields the lines of a range; a damaged archive ends with a line that has a fault.

  Args:
    file: the path.
    start: offset at which a line begins; 0 in a gzipped file.
    stop: offset at which reading ends, or None for the file's end.
    number: number of the first line.
  """
  position = start
  try:
    with open_bytes(file) as f:
      position += begin(f, start)
      while stop is None or position < stop:
        data = f.readline(MAX_LINE_BYTES + 1)
        if not data:
          return
        position += len(data)
        if len(data) > MAX_LINE_BYTES:
          position += _skip_line(f, data)
          reason = f"the line is longer than {MAX_LINE_BYTES >> 20} MiB"
          yield Line(number, data[:_KEPT_BYTES], reason)
        else:
          yield Line(number, _trim(data))
        number += 1
  except READ_ERRORS as err:
    yield Line(number, b"", damaged(err))


def damaged(err: Exception) -> str:
  """Returns the message for a file that could not be read to its end."""
  reason = err.strerror if isinstance(err, OSError) and err.strerror else err
  return f"the file cannot be read from here on: {reason}"


def require_ends(file: str) -> None:
  """Raises `BadInputError` if lines end with CR alone, so that the file would be one long line."""
  try:
    with open_bytes(file) as f:
      head = f.read(_BUFFER_BYTES)
  except READ_ERRORS:  # which those who read the file report
    return
  if b"\n" not in head and b"\r" in head.rstrip(b"\r"):
    raise BadInputError(
      f"Expected lines that end with LF or CRLF in {file!r}. They end with CR alone; write them "
      "anew, for example with `tr '\\r' '\\n' < old.txt > new.txt`."
    )


def cut(file: str, *, lines: int = SHARD_LINES, size: int = SHARD_BYTES) -> list[Range]:
  """Cuts a file into ranges of at most `lines` lines and about `size` bytes.

  A gzipped file is one range, because it can only be read from its beginning.

  Raises:
    BadInputError: the file cannot be read, or its lines end with CR.
  """
  require_ends(file)
  if is_gzip(file):
    return [Range(start=0, stop=None, number=1)]
  ranges: list[Range] = []
  start = position = 0
  number = first = 1
  try:
    with open(file, "rb", buffering=_BUFFER_BYTES) as f:
      while data := f.readline(size):
        position += len(data)
        if not data.endswith(b"\n"):
          continue
        number += 1
        if number - first >= lines or position - start >= size:
          ranges.append(Range(start=start, stop=position, number=first))
          start, first = position, number
  except OSError as err:
    raise unreadable(file, err) from err
  if position > start:
    ranges.append(Range(start=start, stop=position, number=first))
  return ranges


def count(file: str, ranges: Sequence[Range]) -> int:
  """Counts the lines of a file that `cut` cut; reads its last range, or all of a gzipped file.

  Raises:
    BadInputError: the file cannot be read.
  """
  if not ranges:
    return 0
  if ranges[-1]["stop"] is None:
    return index(file, SHARD_LINES)[1]
  return ranges[-1]["number"] - 1 + sum(1 for _ in read_lines(file, **ranges[-1]))


def index(file: str, every: int) -> tuple[list[int], int]:
  """Returns the offsets of every `every`-th line, from the first, and the number of lines.

  In a gzipped file the offsets are those of the decompressed bytes.

  Raises:
    BadInputError: the file cannot be read, or its lines end with CR.
  """
  require_ends(file)
  offsets: list[int] = []
  position = number = 0
  begins = True
  try:
    with open_bytes(file) as f:
      while data := f.readline(_BUFFER_BYTES):
        if begins:
          if number % every == 0:
            offsets.append(position)
          number += 1
        begins = data.endswith(b"\n")
        position += len(data)
  except READ_ERRORS as err:
    raise unreadable(file, err) from err
  return offsets, number


def _trim(data: bytes) -> bytes:
  if data.endswith(b"\n"):
    data = data[:-2] if data.endswith(b"\r\n") else data[:-1]
  return data


def _skip_line(f: ByteFile, data: bytes) -> int:
  """Reads to the end of a line that is too long; returns the number of bytes skipped."""
  skipped = 0
  while data and not data.endswith(b"\n"):
    data = f.readline(_BUFFER_BYTES)
    skipped += len(data)
  return skipped
