"""Measures a picture: its file, its size, its light, its colours, its sharpness.

Contrast and saturation are divided by brightness, sharpness by contrast, warmth by saturation: a
darker picture is darker and nothing else.
"""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from pipeline.checks.pictures import SIXTEEN_BITS, in_grey
from pipeline.drift.measures import features

# Larger pictures are measured at this size, which costs a fraction.
_MEASURED_PIXELS = 512
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
_DARK = 0.004  # keeps a quotient finite; a step of 8 bits
_KINDS = {"L": "grey", "1": "grey", "LA": "grey", "P": "palette", "CMYK": "CMYK", "RGBA": "RGBA"}


def measure(encoded: bytes) -> dict[str, float | str]:
  """Returns the features of an encoded picture; one that cannot be decoded is `unreadable`."""
  try:
    with Image.open(io.BytesIO(encoded)) as picture:
      width, height = picture.size
      found: dict[str, float | str] = {
        features.UNREADABLE: 0.0,
        features.FORMAT: str(picture.format),
        features.COLOURS: _colours(picture),
        features.WIDTH: width,
        features.HEIGHT: height,
        features.COMPRESSION: len(encoded) / (width * height),
      }
      return found | _look(_pixels(picture))
  except Exception:  # Pillow raises many kinds of errors for broken files
    return {features.UNREADABLE: 1.0}


def _colours(picture: Image.Image) -> str:
  if picture.mode in SIXTEEN_BITS:
    return "grey of 16 bits"
  return _KINDS.get(picture.mode, picture.mode)


def _pixels(picture: Image.Image) -> np.ndarray:
  """Returns `[height, width, 3]` or, of a picture in grey, `[height, width]` uint8."""
  if picture.mode in (*SIXTEEN_BITS, "L", "1", "LA"):
    shown, _ = in_grey(picture)
  else:
    # A JPEG is decoded at a half or less of its size, where that is still large enough.
    picture.draft("RGB", (_MEASURED_PIXELS, _MEASURED_PIXELS))
    shown = picture.convert("RGBA") if picture.has_transparency_data else picture.convert("RGB")
    if shown.mode == "RGBA":
      shown = Image.alpha_composite(Image.new("RGBA", shown.size, "white"), shown).convert("RGB")
  if max(shown.size) > _MEASURED_PIXELS:
    shown.thumbnail((_MEASURED_PIXELS, _MEASURED_PIXELS), Image.Resampling.BOX)
  return np.asarray(shown)


def _look(pixels: np.ndarray) -> dict[str, float]:
  """Returns the features of the pixels."""
  scaled = pixels.astype(np.float32) / 255
  light = scaled if scaled.ndim == 2 else scaled @ _LUMA
  mean, deviation = float(light.mean()), float(light.std())
  found = {
    features.BRIGHTNESS: mean,
    features.CONTRAST: deviation / (mean + _DARK),
    features.SATURATION: 0.0,
  }
  if scaled.ndim == 3:
    most, least = scaled.max(axis=2), scaled.min(axis=2)
    red, blue = scaled[..., 0], scaled[..., 2]
    colour = float((most - least).mean())
    found[features.SATURATION] = colour / (float(most.mean()) + _DARK)
    if colour > _DARK:  # grey is neither warm nor cold
      found[features.WARMTH] = float((red - blue).mean()) / colour
  if min(light.shape) >= 3:
    middle = light[1:-1, 1:-1]
    around = light[:-2, 1:-1] + light[2:, 1:-1] + light[1:-1, :-2] + light[1:-1, 2:]
    edges = float(np.abs(4 * middle - around).mean())
    found[features.SHARPNESS] = edges / (deviation + _DARK)
  return found
