"""Reads format and size of a picture from its first bytes, without decoding it."""

from __future__ import annotations

import dataclasses
import re
import struct
from collections.abc import Iterator

JPEG, PNG, GIF, BMP = "JPEG", "PNG", "GIF", "BMP"
SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".bmp", ".dib")

MAGIC = ((b"\xff\xd8\xff", JPEG), (b"\x89PNG\r\n\x1a\n", PNG), (b"GIF8", GIF), (b"BM", BMP))
# Bytes at an offset that identify other formats than pictures.
OTHERS = (
  (0, b"II*\0", "a TIFF picture"),
  (0, b"MM\0*", "a TIFF picture"),
  (8, b"WEBP", "a WebP picture"),
  (4, b"jP  ", "a JPEG 2000 picture"),
  (4, b"ftyp", "a HEIF or AVIF picture, or a video"),
  (0, b"8BPS", "a Photoshop file"),
  (0, b"%PDF", "a PDF document"),
  (0, b"PK\x03\x04", "a ZIP archive"),
  (0, b"<svg", "an SVG drawing"),
  (0, b"version https://git-lfs", "a Git LFS pointer; fetch the file with `git lfs pull`"),
)
TEXT, UNKNOWN = "text", "an unknown format"
# Text has no control character in so many first bytes; its last character may be incomplete.
TEXT_BYTES = 200
LONGEST_CHARACTER = 4
NO_CONTROL = r"[^\x00-\x08\x0e-\x1f\x7f]*"
# Start-of-frame markers; 0xC4, 0xC8 and 0xCC are tables and an extension.
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_START_BYTES = 512
_JPEG_BARE = frozenset(range(0xD0, 0xD9)) | {0x01}  # markers without a length


@dataclasses.dataclass(frozen=True)
class Header:
  """A picture's format, one of JPEG, PNG, GIF and BMP, and its size in pixels."""

  kind: str
  width: int
  height: int

  @property
  def size_bucket(self) -> str:
    """The range of the longer side, to slice the evaluation by."""
    longer = max(self.width, self.height)
    for bound, name in ((32, "<=32"), (128, "33-128"), (512, "129-512")):
      if longer <= bound:
        return name
    return ">512"


def kind_of(data: bytes) -> str | None:
  """Returns the format by the first bytes; None if it is not one of the four."""
  return next((kind for magic, kind in MAGIC if data.startswith(magic)), None)


def describe(data: bytes) -> str:
  """Describes the likely format of bytes that are not a picture; the graph uses the same words."""
  for offset, magic, words in OTHERS:
    if data[offset : offset + len(magic)] == magic:
      return words
  start = data[:TEXT_BYTES]
  text = start.decode("utf-8", "ignore")
  is_utf8 = len(start) - len(text.encode("utf-8")) < LONGEST_CHARACTER
  return TEXT if is_utf8 and re.fullmatch(NO_CONTROL, text) else UNKNOWN


def fault_of_file(path: str) -> str | None:
  """Describes a file that is not a picture, by its first bytes; None if it may be a picture."""
  try:
    with open(path, "rb") as f:
      data = f.read(_START_BYTES)
  except OSError as err:
    return f"a file that cannot be read ({err.strerror or err})"
  if not data:
    return "an empty file"
  return None if kind_of(data) else f"not a JPEG, PNG, GIF or BMP picture, but {describe(data)}"


def read_header(data: bytes) -> Header | None:
  """Reads the header in the first bytes of a file; None if it is missing or truncated."""
  kind = kind_of(data)
  if kind is None:
    return None
  try:
    size = _READERS[kind](data)
  except (struct.error, IndexError):
    return None
  if size is None or size[0] <= 0 or size[1] <= 0:
    return None
  return Header(kind, *size)


def _png_size(data: bytes) -> tuple[int, int] | None:
  return struct.unpack_from(">II", data, 16) if data[12:16] == b"IHDR" else None


def _gif_size(data: bytes) -> tuple[int, int]:
  return struct.unpack_from("<HH", data, 6)


def _bmp_size(data: bytes) -> tuple[int, int]:
  width, height = struct.unpack_from("<ii", data, 18)
  return width, abs(height)  # a negative height means that the top row comes first


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
  position = 2
  while True:
    # Decoders skip bytes between segments, so the next marker is searched for.
    position = data.find(b"\xff", position)
    if position < 0:
      return None
    marker = data[position + 1]
    if marker in (0x00, 0xFF):
      position += 1
    elif marker in _JPEG_FRAMES:
      height, width = struct.unpack_from(">HH", data, position + 5)
      return width, height
    elif marker in _JPEG_BARE:
      position += 2
    else:
      position += 2 + struct.unpack_from(">H", data, position + 2)[0]


_READERS = {PNG: _png_size, GIF: _gif_size, BMP: _bmp_size, JPEG: _jpeg_size}


_HEADER_BYTES = 256 << 10  # EXIF and colour profiles, each up to 64 KiB, precede a JPEG's size


def size_of_file(path: str) -> Iterator[tuple[int, int]]:
  """Yields width and height of a picture file in pixels; nothing if the header is unreadable."""
  try:
    with open(path, "rb") as f:
      header = read_header(f.read(_HEADER_BYTES))
  except OSError:
    return
  if header:
    yield header.width, header.height
