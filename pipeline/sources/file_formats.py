"""Recognizes a file's real format by its first bytes, and bounds the pictures that are decoded."""

from __future__ import annotations

import re

HEAD_BYTES = 4096  # bytes that `describe` reads
# A larger picture is not decoded by default: it costs memory, and may be a decompression bomb.
MAX_PIXELS = 50_000_000
# Bit depths of sensors. A 16-bit picture is scaled by the smallest that holds its largest value.
BIT_DEPTHS = (8, 10, 12, 14, 16)

_LFS_POINTER = b"version https://git-lfs"
_FORMATS = (
  (0, b"PAR1", "a Parquet file; give it a name that ends with .parquet"),
  (0, b"ARROW1", "an Arrow file; save it as Parquet"),
  (
    0,
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
    "an Excel workbook (.xls); save the sheet as CSV in UTF-8",
  ),
  (0, b"%PDF", "a PDF document"),
  (0, b"SQLite format 3\0", "an SQLite database; export the table as CSV"),
  (0, b"\x1f\x8b", "a gzip archive"),
  (0, b"\x28\xb5\x2f\xfd", "an archive by Zstandard; unpack it with `zstd -d`"),
  (0, b"BZh", "an archive by bzip2; unpack it with `bunzip2`"),
  (0, b"\xfd7zXZ\0", "an archive by xz; unpack it with `unxz`"),
  (0, b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive; unpack it"),
  (0, b"Rar!", "a RAR archive; unpack it"),
  (257, b"ustar", "a tar archive; unpack it with `tar -xf`"),
  (0, b"\x89HDF\r\n", "an HDF5 file"),
  (0, b"\x93NUMPY", "a NumPy array"),
)
_ZIP = b"PK\x03\x04"
_WORKBOOK = re.compile(
  rb"\[Content_Types\]\.xml|xl/|mimetypeapplication/vnd\.oasis\.opendocument\.spread"
)
_WEB_PAGE = re.compile(rb"(\xef\xbb\xbf)?\s*<(!doctype html|html|head)\b", re.IGNORECASE)
_PICKLE = re.compile(rb"\x80[\x02-\x05]")


def describe(head: bytes) -> str | None:
  """Describes a known format by a file's first bytes, with advice; None for other formats.

      >>> describe(b"SQLite format 3\\0\\x10")
      'an SQLite database; export the table as CSV'

  Args:
    head: up to `HEAD_BYTES` bytes.
  """
  if head.startswith(_LFS_POINTER):
    return "a Git LFS pointer; fetch the file with `git lfs pull`"
  if _WEB_PAGE.match(head):
    return "a web page (HTML); fetch the file itself"
  if _is_text(head):  # the first column of a CSV may have the name PAR1
    return None
  for offset, magic, words in _FORMATS:
    if head.startswith(magic, offset):
      return words
  if head.startswith(_ZIP):
    if _WORKBOOK.search(head):
      return "an Excel or OpenDocument workbook; save the sheet as CSV in UTF-8"
    return "a ZIP archive; unpack it with `unzip`"
  return "a pickle of Python; save the table as CSV or Parquet" if _PICKLE.match(head) else None


def _is_text(head: bytes) -> bool:
  """Returns whether the bytes are UTF-8 without a NUL; the last character may be incomplete."""
  try:
    head.decode("utf-8")
  except UnicodeDecodeError as err:
    return err.start > len(head) - 4 and b"\0" not in head
  return b"\0" not in head
