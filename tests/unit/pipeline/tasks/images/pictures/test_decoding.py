"""Pictures as viewers show them: Pillow is the viewer."""

import io
import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageOps

from pipeline.tasks.images.pictures import gif, orientation
from pipeline.tasks.images.pictures.decoding import decode

_SIDE = 16


@tf.function(input_signature=[tf.TensorSpec([None], tf.string)], autograph=False)
def _graph(data):
  return decode(data, _SIDE)


def decoded(data):
  return _graph(tf.constant([data])).numpy()[0]


def encoded(picture, kind="PNG", **options):
  buffer = io.BytesIO()
  picture.save(buffer, kind, **options)
  return buffer.getvalue()


def shown(data):
  """What a viewer shows of a picture of 8 bits on a white page: `[height, width, 3]` uint8."""
  picture = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGBA")
  page = Image.new("RGBA", picture.size, "white")
  return np.asarray(Image.alpha_composite(page, picture).convert("RGB"))


def turned(pixels, orientation):
  """What a viewer makes of pixels as they are stored."""
  picture = Image.fromarray(pixels.astype(np.uint8))
  picture.getexif()[0x0112] = orientation
  return np.asarray(ImageOps.exif_transpose(picture))


@pytest.fixture
def quarters():
  """Four colours and a slope, so that no two ways of turning it look alike."""
  pixels = np.zeros((_SIDE, _SIDE, 3), np.uint8)
  half = _SIDE // 2
  pixels[:half, :half], pixels[:half, half:] = (200, 30, 30), (30, 200, 30)
  pixels[half:, :half], pixels[half:, half:] = (30, 30, 200), (230, 230, 230)
  pixels[..., 0] += np.arange(_SIDE, dtype=np.uint8)
  return Image.fromarray(pixels)


def tiff(orientation, *, order="II", kind=3, tag=0x0112, before=0):
  """An EXIF block: a first directory with some other entries before the orientation."""
  end = "<" if order == "II" else ">"
  value = (
    struct.pack(f"{end}H2x", orientation) if kind == 3 else struct.pack(f"{end}I", orientation)
  )
  others = b"".join(struct.pack(f"{end}HHI4x", 0x0100 + i, 4, 1) for i in range(before))
  entry = struct.pack(f"{end}HHI", tag, kind, 1) + value
  directory = struct.pack(f"{end}H", before + 1) + others + entry + b"\0\0\0\0"
  return order.encode() + struct.pack(f"{end}HI", 42, 8) + directory


def with_exif(data, block):
  """The JPEG or PNG with this EXIF block in it."""
  if data.startswith(b"\x89PNG"):
    content = b"eXIf" + block
    chunk = struct.pack(">I", len(block)) + content + struct.pack(">I", zlib.crc32(content))
    return data[:33] + chunk + data[33:]
  segment = b"Exif\0\0" + block
  return data[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + data[2:]


@pytest.mark.parametrize("order", ["II", "MM"])
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_turned_as_exif_says(quarters, orientation, kind, order):
  data = with_exif(encoded(quarters, kind), tiff(orientation, order=order, before=3))
  assert Image.open(io.BytesIO(data)).getexif()[0x0112] == orientation
  stored = decoded(encoded(quarters, kind))
  np.testing.assert_array_equal(decoded(data), turned(stored, orientation))
  if orientation > 1:
    assert (decoded(data) != stored).any()


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("orientation", range(2, 9))
def test_turning_a_stretched_picture_is_stretching_a_turned_one(make_picture, orientation, kind):
  data = make_picture(kind, width=40, height=22)
  stored = tf.io.decode_image(data, channels=3).numpy()
  upright = encoded(Image.fromarray(turned(stored, orientation)))
  np.testing.assert_allclose(decoded(with_exif(data, tiff(orientation))), decoded(upright), atol=1)


@pytest.mark.parametrize("mode", ["1", "L", "P"])
def test_a_turned_picture_of_few_bits_keeps_its_greys(quarters, mode):
  data = encoded(quarters.convert("L").convert(mode))
  np.testing.assert_array_equal(decoded(with_exif(data, tiff(3))), turned(decoded(data), 3))


def test_exif_is_found_behind_other_segments_and_fillers(quarters):
  data = encoded(quarters, "JPEG", icc_profile=bytes(60_000), comment=b"Exif\0\0II*\0")
  exif = b"Exif\0\0" + tiff(6)
  segment = b"\xff\xff\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif
  at = data.index(b"\xff\xdb")
  late = data[:at] + segment + data[at:]
  np.testing.assert_array_equal(decoded(late), decoded(with_exif(data, tiff(6))))
  assert (decoded(late) != decoded(data)).any()


_BROKEN = {
  "nothing": b"",
  "two bytes": b"II",
  "another magic number": tiff(6).replace(b"\x2a", b"\x2b", 1),
  "another byte order": b"XX" + tiff(6)[2:],
  "a directory beyond the end": b"II*\0\xff\xff\xff\x7f" + tiff(6)[8:],
  "a directory at the last byte": b"II*\0" + struct.pack("<I", len(tiff(6)) - 1) + tiff(6)[8:],
  "more entries than there are": tiff(6)[:8] + b"\xff\xff" + tiff(1)[10:],
  "cut in the entry": tiff(6)[:15],
  "0": tiff(0),
  "9": tiff(9),
  "65535": tiff(65535),
  "a long number": tiff(6, kind=4),
  "another tag": tiff(6, tag=0x0113),
}


@pytest.mark.parametrize("block", _BROKEN.values(), ids=_BROKEN)
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_broken_exif_says_nothing(quarters, kind, block):
  data = encoded(quarters, kind)
  np.testing.assert_array_equal(decoded(with_exif(data, block)), decoded(data))


def test_what_follows_the_pixels_says_nothing(quarters):
  data = encoded(quarters, "JPEG")
  another = with_exif(data, tiff(6))
  np.testing.assert_array_equal(decoded(data + another), decoded(data))


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "PA", "1", "L", "RGB"])
def test_transparency_lies_on_white(quarters, mode):
  opacity = np.tile(np.arange(0, 256, 17, dtype=np.uint8), (_SIDE, 1))
  colored = quarters.copy()
  colored.putalpha(Image.fromarray(opacity))
  options = {}
  if mode == "P":
    picture, options = quarters.quantize(16), {"transparency": bytes(range(0, 256, 16))}
  elif mode == "PA":
    picture = colored.quantize(16)
  else:
    picture = colored.convert(mode)
  data = encoded(picture, **options)
  np.testing.assert_allclose(decoded(data), shown(data), atol=1)


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_colour_that_stands_for_nothing_is_white(quarters, mode):
  picture = quarters.convert(mode)
  first = picture.getpixel((0, 0))
  data = encoded(picture, transparency=first)
  assert (shown(data)[0, 0] == 255).all()
  np.testing.assert_array_equal(decoded(data), shown(data))


def test_black_on_nothing_is_seen():
  """Icons are often black where they are opaque, and black where they are not."""
  icon = Image.new("RGBA", (_SIDE, _SIDE), (0, 0, 0, 0))
  icon.paste((0, 0, 0, 255), (4, 4, 12, 12))
  pixels = decoded(encoded(icon))
  assert (pixels[5:11, 5:11] == 0).all()
  assert (pixels[:4] == 255).all()


def test_of_a_gif_what_is_transparent_is_white(quarters):
  picture = quarters.quantize(8)
  for index in range(8):
    data = encoded(picture, "GIF", transparency=index, optimize=False)
    np.testing.assert_array_equal(decoded(data), shown(data))


def test_of_an_animation_the_first_frame_is_shown(quarters):
  frames = [quarters.quantize(8), quarters.rotate(90).quantize(8)]
  data = encoded(
    frames[0], "GIF", save_all=True, append_images=frames[1:], transparency=0, comment=b"x" * 300
  )
  assert Image.open(io.BytesIO(data)).n_frames == 2
  np.testing.assert_array_equal(decoded(data), shown(data))


def _gif_on_a_canvas(canvas, left, top, width, height):
  """A GIF whose frame of one red colour, from a table of its own, does not fill its canvas."""
  still = encoded(Image.new("P", (width, height)), "GIF")
  image = still.index(b"\x2c")
  pixels = still[image + 10 :]
  header = b"GIF89a" + struct.pack("<HHBBB", *canvas, 0, 0, 0)
  descriptor = b"\x2c" + struct.pack("<HHHHB", left, top, width, height, 0x80)
  return header + descriptor + bytes((200, 0, 0, 9, 9, 9)) + pixels


def test_a_frame_lies_on_its_canvas():
  data = _gif_on_a_canvas((16, 16), left=3, top=5, width=4, height=6)
  expected = np.full((16, 16, 3), 255, np.uint8)
  expected[5:11, 3:7] = (200, 0, 0)
  np.testing.assert_array_equal(decoded(data), expected)


def test_a_gif_is_cut_after_its_first_frame():
  """However many frames follow, they cost nothing."""
  one = _gif_on_a_canvas((16, 16), left=0, top=0, width=16, height=16)
  bomb = one[:-1] + one[one.index(b"\x2c") : -1] * 50 + b";"
  frame = gif.first_frame(tf.constant(bomb))
  assert frame.data.numpy() == one
  assert frame.is_whole
  for cut in range(13, len(one) - 1):
    assert not gif.first_frame(tf.constant(one[:cut])).is_whole


def _png_16(pixels):
  """A PNG of `[height, width]` uint16 grey or `[height, width, 3]` RGB or `[..., 4]` RGBA."""
  color_type = {2: 0, 3: {3: 2, 4: 6}.get(pixels.shape[-1])}[pixels.ndim]
  rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
  height, width = pixels.shape[:2]

  def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

  header = struct.pack(">IIBBBBB", width, height, 16, color_type, 0, 0, 0)
  parts = (chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b""))
  return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_16_bits_are_read_by_the_range_that_is_used(bits):
  slope = np.linspace(0, 2**bits - 1, _SIDE**2).astype(np.uint16).reshape(_SIDE, _SIDE)
  expected = np.round(slope * 255.0 / (2**bits - 1))
  pixels = decoded(_png_16(slope))
  np.testing.assert_allclose(pixels, np.repeat(expected[..., np.newaxis], 3, axis=2), atol=1)
  assert len(np.unique(pixels)) > 200
  np.testing.assert_array_equal(decoded(_png_16(np.dstack([slope] * 3))), pixels)


def test_two_dark_pictures_of_one_sensor_are_not_stretched_apart():
  """The range is the sensor's, not the picture's: half as bright stays half as bright."""
  bright, dim = (np.full((_SIDE, _SIDE), value, np.uint16) for value in (4000, 2000))
  assert decoded(_png_16(bright)).mean() == pytest.approx(2 * decoded(_png_16(dim)).mean(), abs=1)


def test_16_bits_lie_on_white_too():
  pixels = np.zeros((_SIDE, _SIDE, 4), np.uint16)
  pixels[..., 0], pixels[4:, :, 3], pixels[:2, :, 3] = 65535, 65535, 32768
  found = decoded(_png_16(pixels))
  assert (found[3] == 255).all()
  assert (found[6] == (255, 0, 0)).all()
  np.testing.assert_allclose(found[0], np.tile([255, 127.5, 127.5], (_SIDE, 1)), atol=1)


def _bmp_32(pixels, *, alpha_mask):
  """A BMP of `[height, width, 4]` RGBA with bit masks and the header of version 5."""
  height, width = pixels.shape[:2]
  data = np.ascontiguousarray(pixels[::-1, :, [2, 1, 0, 3]]).tobytes()
  info = struct.pack("<IiiHHIIiiII", 124, width, height, 1, 32, 3, len(data), 0, 0, 0, 0)
  info += struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, alpha_mask)
  info = info.ljust(124, b"\0")
  return b"BM" + struct.pack("<IHHI", 14 + len(info) + len(data), 0, 0, 138) + info + data


def test_a_bmp_is_transparent_where_it_says_so():
  pixels = np.zeros((_SIDE, _SIDE, 4), np.uint8)
  pixels[..., 1], pixels[4:, :, 3] = 99, 255
  said = _bmp_32(pixels, alpha_mask=0xFF000000)
  np.testing.assert_array_equal(decoded(said), shown(said))
  unsaid = _bmp_32(pixels, alpha_mask=0)
  assert (decoded(unsaid) == (0, 99, 0)).all()
  pixels[..., 3] = 0
  assert (decoded(_bmp_32(pixels, alpha_mask=0xFF000000)) == (0, 99, 0)).all()


def test_the_decoding_of_rare_pictures_is_traced_once_in_a_process(monkeypatch):
  traced = []

  def of_png(data):
    traced.append(data)
    return of_png.real(data)

  of_png.real = orientation.of_png
  monkeypatch.setattr(orientation, "of_png", of_png)
  for _ in range(2):
    function = tf.function(lambda data: decode(data, _SIDE + 1), autograph=False)
    function.get_concrete_function(tf.TensorSpec([None], tf.string))
  assert len(traced) == 1
