"""Pictures for pages: as they are if browsers show them and they are small, else made smaller."""

from __future__ import annotations

import base64
import io
import pathlib

MOST_BYTES = 30_000
_MOST_SIDE = 640  # pixels, of a picture that is made smaller
_ORIENTATION, _TURNED = 0x0112, frozenset({5, 6, 7, 8})  # EXIF: on its side
# Formats that browsers show, by their first bytes.
_SHOWN = {b"\x89PNG": "png", b"\xff\xd8": "jpeg", b"GIF8": "gif", b"BM": "bmp"}


def uri(data: bytes) -> str | None:
  """Returns a picture as a URI for a page; None if browsers do not show it."""
  kind = _kind(data)
  return f"data:image/{kind};base64,{base64.b64encode(data).decode()}" if kind else None


def size(address: str) -> tuple[int, int] | None:
  """Returns width and height of a picture as browsers show it, from its URI; None if unknown."""
  from PIL import Image

  try:
    with Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))) as picture:
      width, height = picture.size
      turned = picture.getexif().get(_ORIENTATION, 1) in _TURNED
  except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
    return None
  return (height, width) if turned else (width, height)


def of_file(path: str, *, most: int = MOST_BYTES, side: int = _MOST_SIDE) -> str | None:
  """Returns the picture of a file as a URI; None if the file is gone, or no picture."""
  try:
    data = pathlib.Path(path).read_bytes()
  except (OSError, ValueError):
    return None
  small = fitting(data, most=most, side=side)
  return uri(small) if small else None


def fitting(data: bytes, *, most: int = MOST_BYTES, side: int = _MOST_SIDE) -> bytes | None:
  """Returns a picture that fits: itself, or a JPEG of it; None if it cannot be decoded.

  Args:
    data: the encoded picture.
    most: largest number of bytes.
    side: longest side of a JPEG in pixels; it may become shorter to fit.
  """
  if _kind(data) and len(data) <= most:
    return data
  from PIL import Image, ImageOps

  try:
    with Image.open(io.BytesIO(data)) as picture:
      picture.draft("RGB", (side, side))
      whole = ImageOps.exif_transpose(picture)
      if whole.mode not in ("RGB", "L"):
        page = Image.new("RGB", whole.size, "white")
        coloured = whole.convert("RGBA")
        page.paste(coloured, mask=coloured.getchannel("A"))
        whole = page
  except Exception:  # Pillow raises many kinds of errors for broken files
    return None
  while True:
    whole.thumbnail((side, side))
    file = io.BytesIO()
    whole.save(file, "JPEG", quality=80)
    if file.tell() <= most or side < 32:
      return file.getvalue() if file.tell() <= most else None
    side = side * 3 // 4


def file_uri(path: str) -> str:
  """Returns the address of a file on this machine."""
  return pathlib.Path(path).absolute().as_uri()


def _kind(data: bytes) -> str | None:
  return next((kind for magic, kind in _SHOWN.items() if data.startswith(magic)), None)
