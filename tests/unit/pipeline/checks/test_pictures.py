"""What the picture describer measures, for every kind of picture that the images task reads."""

import io

import numpy as np
import pytest
from PIL import Image

from pipeline.checks.description import IndescribableError
from pipeline.checks.pictures import describe


def _encoded(pixels, kind="PNG", **save):
  buffer = io.BytesIO()
  Image.fromarray(pixels).save(buffer, kind, **save)
  return buffer.getvalue()


@pytest.fixture
def slope():
  """90 x 80 pixels that get brighter to the right."""
  return np.tile(np.arange(0, 180, 2, dtype=np.uint8), (80, 1))


def test_lengths_and_excerpt_tell_the_size(slope):
  data = _encoded(slope)
  described = describe(data)
  assert described.lengths == {"bytes": len(data), "width": 90, "height": 80}
  assert described.excerpt == f"PNG, 90 x 80 pixels, {len(data):,} bytes"
  assert described.key == b""
  assert not len(described.parts)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP"])
def test_the_thumbnail_is_nine_by_eight_averages(slope, kind):
  thumbnail = np.frombuffer(describe(_encoded(slope, kind)).thumbnail, np.uint8).reshape(8, 9)
  assert np.abs(thumbnail.astype(int) - np.arange(9, 180, 20)).max() <= 4


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA", "CMYK", "I;16"])
def test_every_mode_is_described(make_picture, mode):
  kind = "TIFF" if mode == "CMYK" else "PNG"
  described = describe(make_picture(kind, mode=mode, width=40, height=30))
  assert len(described.thumbnail) == 72
  assert described.lengths["width"] == 40


def test_sixteen_bits_keep_their_upper_eight(slope):
  wide = _encoded(slope.astype(np.uint16) * 257)
  difference = np.frombuffer(describe(wide).thumbnail, np.uint8).astype(int) - np.frombuffer(
    describe(_encoded(slope)).thumbnail, np.uint8
  )
  assert np.abs(difference).max() <= 1


@pytest.mark.parametrize("cut", [0, 5, 60])
def test_what_is_no_picture_is_told(make_picture, cut):
  with pytest.raises(IndescribableError, match="no picture that can be decoded"):
    describe(make_picture("PNG", width=50, height=50)[:cut])
