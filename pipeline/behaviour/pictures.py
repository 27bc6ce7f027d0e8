"""Changes of pictures, each at three strengths.

The kinds are those of Hendrycks, Dietterich 2019, "Benchmarking Neural Network Robustness to Common
Corruptions and Perturbations"; strengths are relative to the picture's size and range, since ours
may be of 28 pixels. Of their five levels, the three of here lie between the first and the third.
"""

from __future__ import annotations

import base64
import io
import random
from collections.abc import Callable, Mapping

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from pipeline.behaviour.suite import Change
from pipeline.sources.file_formats import MAX_PIXELS

# A larger picture is scaled down first, and compared with what a model says of it then.
_MOST_SIDE = 256
_THUMBNAIL = 64
_ONE_COLOUR = 64  # pixels a side


def opened(data: bytes) -> Image.Image | None:
  """Decodes a picture as viewers show it, at most 256 pixels a side; None if that is not possible.

  Pictures of 16 bits are none of 8 bits; which of them is white is not known here.
  """
  try:
    with Image.open(io.BytesIO(data)) as picture:
      if picture.width * picture.height > MAX_PIXELS or picture.mode[0] in "IF":
        return None
      picture.draft("RGB", (2 * _MOST_SIDE, 2 * _MOST_SIDE))
      upright = ImageOps.exif_transpose(picture)
      shown = upright.convert("RGBA")
  except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
    return None
  on_white = Image.new("RGBA", shown.size, "white")
  on_white.alpha_composite(shown)
  found = on_white.convert("RGB")
  found.thumbnail((_MOST_SIDE, _MOST_SIDE))
  return found


def encoded(picture: Image.Image) -> bytes:
  """Returns a picture as a PNG, which loses nothing."""
  target = io.BytesIO()
  picture.save(target, "PNG", compress_level=1)
  return target.getvalue()


def of_one_colour(colour: str) -> bytes:
  """Returns a PNG of 64 pixels a side in one colour."""
  return encoded(Image.new("RGB", (_ONE_COLOUR, _ONE_COLOUR), colour))


def thumbnail(data: bytes) -> str:
  """Returns a small picture as a URI for a page; empty if it cannot be decoded."""
  picture = opened(data)
  if picture is None:
    return ""
  picture.thumbnail((_THUMBNAIL, _THUMBNAIL))
  return f"data:image/png;base64,{base64.b64encode(encoded(picture)).decode()}"


def changed(
  picture: Image.Image, change: Change, *, strength: int, rng: random.Random
) -> Image.Image:
  """Returns the picture after a change of a strength of 1 to 3."""
  return _CHANGES[change.name](picture, strength - 1, rng)


def _blur(picture: Image.Image, level: int, rng: random.Random) -> Image.Image:
  radius = max((0.01, 0.02, 0.04)[level] * min(picture.size), 0.3 * (level + 1))
  return picture.filter(ImageFilter.GaussianBlur(radius))


def _noise(picture: Image.Image, level: int, rng: random.Random) -> Image.Image:
  pixels = np.asarray(picture, np.float32)
  # The noise of a sensor without colours has none either.
  channels = 1 if (pixels == pixels[..., :1]).all() else 3
  shape = (*pixels.shape[:2], channels)
  drawn = np.random.default_rng(rng.getrandbits(64)).standard_normal(shape, np.float32)
  return _of_pixels(pixels + drawn * 255 * (0.02, 0.05, 0.1)[level])


def _jpeg(picture: Image.Image, level: int, rng: random.Random) -> Image.Image:
  target = io.BytesIO()
  picture.save(target, "JPEG", quality=(60, 30, 15)[level])
  return Image.open(target).convert("RGB")


def _brightness(picture: Image.Image, level: int, rng: random.Random) -> Image.Image:
  shift = (0.1, 0.2, 0.3)[level] * rng.choice((-255, 255))
  return _of_pixels(np.asarray(picture, np.float32) + shift)


def _contrast(picture: Image.Image, level: int, rng: random.Random) -> Image.Image:
  return ImageEnhance.Contrast(picture).enhance((0.75, 0.5, 0.3)[level])


def _rotation(picture: Image.Image, level: int, rng: random.Random) -> Image.Image:
  angle = (5, 10, 20)[level] * rng.choice((-1, 1))
  pixels = np.asarray(picture)
  border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
  fill = tuple(int(value) for value in np.median(border, axis=0))
  return picture.rotate(angle, Image.Resampling.BILINEAR, fillcolor=fill)


def _grey(picture: Image.Image, level: int, rng: random.Random) -> Image.Image:
  return picture.convert("L").convert("RGB")


def _hue(picture: Image.Image, level: int, rng: random.Random) -> Image.Image:
  hue, saturation, value = picture.convert("HSV").split()
  turn = round(256 * (30, 60, 120)[level] / 360)
  turned = Image.fromarray(np.asarray(hue, np.uint8) + np.uint8(turn))
  return Image.merge("HSV", (turned, saturation, value)).convert("RGB")


def _mirror(picture: Image.Image, level: int, rng: random.Random) -> Image.Image:
  return ImageOps.mirror(picture)


def _of_pixels(pixels: np.ndarray) -> Image.Image:
  return Image.fromarray(np.clip(np.rint(pixels), 0, 255).astype(np.uint8))


_Function = Callable[[Image.Image, int, random.Random], Image.Image]
_CHANGES: Mapping[str, _Function] = {
  "blur": _blur,
  "noise": _noise,
  "jpeg": _jpeg,
  "brightness": _brightness,
  "contrast": _contrast,
  "rotation": _rotation,
  "grey": _grey,
  "hue": _hue,
  "mirror": _mirror,
}
