"""Describes a picture to the data check: `describe` is what a task of pictures names."""

from __future__ import annotations

import io

from PIL import Image

from pipeline.checks.description import Description, IndescribableError

_COLUMNS, _ROWS = 9, 8
_SIXTEEN_BITS = ("I;16", "I;16L", "I;16B", "I")


def describe(encoded: bytes) -> Description:
  """Describes an encoded picture by its size and a thumbnail of 9 x 8 grey pixels.

  Raises:
    IndescribableError: Pillow cannot decode it.
  """
  try:
    with Image.open(io.BytesIO(encoded)) as picture:
      width, height, kind = picture.width, picture.height, picture.format
      # A JPEG can be decoded at an eighth of its size in a fraction of the time.
      picture.draft("L", (8 * _COLUMNS, 8 * _ROWS))
      thumbnail = _grey(picture).resize((_COLUMNS, _ROWS), Image.Resampling.BILINEAR).tobytes()
  except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as err:
    raise IndescribableError(f"no picture that can be decoded: {err}") from err
  return Description(
    excerpt=f"{kind}, {width} x {height} pixels, {len(encoded):,} bytes",
    suffix=f".{str(kind).lower()}",
    lengths={"bytes": len(encoded), "width": width, "height": height},
    thumbnail=thumbnail,
  )


def _grey(picture: Image.Image) -> Image.Image:
  if picture.mode in _SIXTEEN_BITS:
    return picture.convert("I").point(lambda value: value * (1 / 256)).convert("L")
  return picture.convert("L")
