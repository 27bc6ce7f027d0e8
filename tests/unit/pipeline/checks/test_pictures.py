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


def test_the_thumbnail_is_of_what_is_seen(slope):
  plain = describe(_encoded(slope))
  exif = Image.Exif()
  exif[0x0112] = 6
  turned = describe(_encoded(np.rot90(slope), exif=exif))
  assert turned.lengths["width"] == 90
  assert turned.thumbnail == plain.thumbnail
  icon = np.zeros((80, 90, 4), np.uint8)
  icon[..., 3] = slope
  on_white = np.frombuffer(describe(_encoded(icon)).thumbnail, np.uint8)
  np.testing.assert_allclose(on_white.reshape(8, 9)[0], 255 - np.arange(9, 180, 20), atol=4)
  twelve_bits = describe(_encoded(slope.astype(np.uint16) * 16))
  difference = np.frombuffer(twelve_bits.thumbnail, np.uint8).astype(int) - np.frombuffer(
    plain.thumbnail, np.uint8
  )
  assert np.abs(difference).max() <= 1


def test_what_was_met_is_told(slope, make_picture):
  exif = Image.Exif()
  exif[0x0112] = 3
  frames = [Image.fromarray(slope), Image.fromarray(slope[:, ::-1])]
  animation = io.BytesIO()
  frames[0].save(animation, "GIF", save_all=True, append_images=frames[1:])
  opaque = np.full((8, 8, 4), 255, np.uint8)
  for encoded, met in (
    (_encoded(slope), ()),
    (_encoded(slope, "JPEG", exif=exif), ("turned by EXIF",)),
    (_encoded(slope, exif=exif), ("turned by EXIF",)),
    (make_picture("PNG", mode="RGBA"), ("transparent, on white",)),
    (_encoded(opaque), ()),
    (make_picture("PNG", mode="I;16"), ("of 16 bits",)),
    (make_picture("JPEG", mode="CMYK"), ("in CMYK",)),
    (animation.getvalue(), ("animated, by the first frame",)),
    (make_picture("JPEG", exif=b"Exif\0\0II*\0\xff\xff"), ()),
  ):
    assert describe(encoded).met == met
