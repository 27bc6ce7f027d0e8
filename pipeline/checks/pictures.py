"""Describes a picture for the data check; tasks of pictures name `describe` in their declaration.

The thumbnail shows the picture as viewers and models see it: rotated by EXIF, transparent parts on
white, 16 bits scaled by the range in use.
"""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
from PIL import Image

from pipeline.checks.description import Description, IndescribableError
from pipeline.checks.looks.measuring import of_picture
from pipeline.sources.file_formats import BIT_DEPTHS

_COLUMNS, _ROWS = 9, 8
SIXTEEN_BITS = ("I;16", "I;16L", "I;16B", "I")
_ORIENTATION = 0x0112
_TURNS = {
  2: Image.Transpose.FLIP_LEFT_RIGHT,
  3: Image.Transpose.ROTATE_180,
  4: Image.Transpose.FLIP_TOP_BOTTOM,
  5: Image.Transpose.TRANSPOSE,
  6: Image.Transpose.ROTATE_270,
  7: Image.Transpose.TRANSVERSE,
  8: Image.Transpose.ROTATE_90,
}
_SIDEWAYS = 5  # from this EXIF orientation on, width and height are swapped
_LOOKED_AT = 256  # pixels of the longer side, by which a picture is measured


def describe(encoded: bytes) -> Description:
  """Describes an encoded picture by its size and a thumbnail of 9 x 8 grey pixels.

  Raises:
    IndescribableError: Pillow cannot decode it.
  """
  try:
    with Image.open(io.BytesIO(encoded)) as picture:
      width, height, kind = picture.width, picture.height, picture.format
      turn = _orientation(picture)
      is_animated, is_cmyk = getattr(picture, "is_animated", False), picture.mode == "CMYK"
      # Decoding a JPEG at a part of its size takes a fraction of the time.
      picture.draft("L", (_LOOKED_AT, _LOOKED_AT))
      grey, is_transparent = in_grey(picture)
  except Exception as err:  # Pillow raises many kinds of errors for broken files
    raise IndescribableError(f"no picture that can be decoded: {err}") from err
  if turn in _TURNS:
    grey = grey.transpose(_TURNS[turn])
    width, height = (height, width) if turn >= _SIDEWAYS else (width, height)
  met = {
    "turned by EXIF": turn in _TURNS,
    "transparent, on white": is_transparent,
    "of 16 bits": kind == "PNG" and encoded[24] == 16,
    "in CMYK": is_cmyk,
    "animated, by the first frame": is_animated,
  }
  return Description(
    excerpt=f"{kind}, {width} x {height} pixels, {len(encoded):,} bytes",
    suffix=f".{str(kind).lower()}",
    lengths={"bytes": len(encoded), "width": width, "height": height},
    thumbnail=grey.resize((_COLUMNS, _ROWS), Image.Resampling.BILINEAR).tobytes(),
    met=tuple(name for name, is_met in met.items() if is_met),
    looks=of_picture(np.asarray(_seen(grey))),
  )


def _seen(grey: Image.Image) -> Image.Image:
  """Returns the picture at the size at which it is measured; a small one as it is."""
  longer = max(grey.size)
  if longer <= _LOOKED_AT:
    return grey
  size = tuple(max(1, side * _LOOKED_AT // longer) for side in grey.size)
  return grey.resize(size, Image.Resampling.BOX)


def _orientation(picture: Image.Image) -> int:
  if picture.format not in ("JPEG", "PNG"):
    return 1
  try:
    return picture.getexif().get(_ORIENTATION, 1)
  except Exception:  # Pillow raises many kinds of errors for broken EXIF data
    return 1


def in_grey(picture: Image.Image) -> tuple[Image.Image, bool]:
  """Returns the picture in grey on white, and whether some of the white shows through."""
  if picture.mode in SIXTEEN_BITS:
    wide = picture.convert("I")
    brightest = next(_ranges(int(np.asarray(wide).max())))
    return wide.point(lambda value: value * (255 / brightest)).convert("L"), False
  if not picture.has_transparency_data:
    return picture.convert("L"), False
  whole = picture.convert("RGBA")
  page = Image.new("RGBA", whole.size, "white")
  return Image.alpha_composite(page, whole).convert("L"), bool(
    np.asarray(whole.getchannel("A")).min() < 255
  )


def _ranges(brightest: int) -> Iterator[int]:
  return (2**bits - 1 for bits in BIT_DEPTHS if brightest < 2**bits)
