"""Pictures as pages show them: unchanged where they are small, else made smaller."""

import base64
import io

import pytest
from PIL import Image

from pipeline.rows import previews


def _size(data):
  return Image.open(io.BytesIO(data)).size


def test_a_small_picture_is_left_as_it_is(make_picture):
  png = make_picture("PNG")
  assert previews.fitting(png) == png
  assert previews.uri(png) == f"data:image/png;base64,{base64.b64encode(png).decode()}"


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "I;16"])
def test_a_large_picture_is_made_smaller_and_keeps_its_shape(make_picture, mode):
  large = make_picture("PNG", width=900, height=600, mode=mode)
  small = previews.fitting(large)
  assert len(small) <= previews.MOST_BYTES < len(large)
  width, height = _size(small)
  assert width <= 640
  assert width / height == pytest.approx(1.5, abs=0.02)


def test_what_pillow_does_not_implement_has_no_preview(make_picture):
  dds = bytearray(make_picture("DDS"))
  dds[80:84] = bytes(4)  # no pixel format
  assert previews.fitting(bytes(dds)) is None


def test_a_picture_that_browsers_do_not_show_becomes_one_that_they_do(make_picture):
  tiff = make_picture("TIFF")
  assert previews.uri(tiff) is None
  assert previews.uri(previews.fitting(tiff)).startswith("data:image/jpeg;base64,")


def test_a_preview_stands_as_its_picture_is_seen(make_picture):
  exif = Image.Exif()
  exif[0x0112] = 6  # on its side
  turned = make_picture("JPEG", width=900, height=600, exif=exif, quality=95)
  width, height = _size(previews.fitting(turned))
  assert width < height


@pytest.mark.parametrize("data", [b"", b"a text", b"\x89PNG cut off" + b"x" * 100_000])
def test_what_is_no_picture_has_no_preview(data):
  assert previews.fitting(data) is None


def test_a_file_that_is_gone_has_no_preview(tmp_path):
  assert previews.of_file(str(tmp_path / "gone.png")) is None
  assert previews.of_file("a\0b") is None


def test_the_size_is_that_which_browsers_show(make_picture):
  exif = Image.Exif()
  exif[0x0112] = 6  # on its side
  for kind, told, size in (("PNG", {}, (12, 10)), ("JPEG", {"exif": exif}, (10, 12))):
    assert previews.size(previews.uri(make_picture(kind, **told))) == size
  assert previews.size("data:image/png;base64,AAAA") is None
