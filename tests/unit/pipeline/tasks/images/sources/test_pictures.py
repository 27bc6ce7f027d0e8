"""What is used and what is quarantined, one test for each kind of picture, judged by TensorFlow."""

from __future__ import annotations

import io
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from dlpipe.errors import BadInputError
from dlpipe.records import Record, Rejected
from pipeline.tasks.images.sources import headers, pictures

KINDS = ("JPEG", "PNG", "BMP", "GIF")


@tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
def graph(encoded):
  """Decodes as the Transform graph does."""

  def decode(data):
    pixels = tf.io.decode_image(data, channels=3, expand_animations=False)
    return tf.cast(tf.image.resize(pixels, [8, 8], antialias=True), tf.uint8)

  return tf.map_fn(decode, encoded, fn_output_signature=tf.TensorSpec([8, 8, 3], tf.uint8))


def used(data: bytes, **limits) -> headers.Header:
  """The header of a picture that must be used, and that the graph must decode."""
  header = pictures.check(data, max_pixels=limits.get("max_pixels", pictures.MAX_PIXELS))
  assert graph([data]).shape == (1, 8, 8, 3)
  return header


def refused(data: bytes, **limits) -> str:
  with pytest.raises(pictures.UnusablePictureError) as caught:
    pictures.check(data, max_pixels=limits.get("max_pixels", pictures.MAX_PIXELS))
  return str(caught.value)


@pytest.mark.parametrize("kind", KINDS)
def test_a_sound_picture_is_used(kind, make_picture):
  mode = "L" if kind == "GIF" else "RGB"
  assert used(make_picture(kind, mode=mode)) == headers.Header(kind, 12, 10)


def test_zero_bytes_are_refused():
  assert refused(b"") == "the file is empty (zero bytes)"


@pytest.mark.parametrize(
  ("data", "words"),
  [
    (b"just some words, saved as .jpg\n", "text"),
    ("ein Satz über Bäume".encode(), "text"),
    (b"RIFF\x24\0\0\0WEBPVP8 ", "a WebP picture"),
    (b"II*\0\x08\0\0\0", "a TIFF picture"),
    (b"\0\0\0\x18ftypheic", "a HEIF or AVIF picture, or a video"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "a JPEG 2000 picture"),
    (
      b"version https://git-lfs.github.com/spec/v1\n",
      "a Git LFS pointer; fetch the file with `git lfs pull`",
    ),
    (b"<svg xmlns=''/>", "an SVG drawing"),
    (b"\x00\x01\x02\x03\xff\xfe", "an unknown format"),
  ],
)
def test_what_is_no_picture_is_refused_by_name(data, words):
  assert refused(data) == f"not a JPEG, PNG, GIF or BMP picture, but {words}"


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.binary(min_size=1), st.text(min_size=1).map(lambda text: text.encode("utf-8"))))
def test_what_is_no_picture_is_called_alike_before_tensorflow_is_loaded(data):
  if headers.kind_of(data) is None:
    assert refused(data).endswith(f", but {headers.describe(data)}")


@pytest.mark.parametrize(
  ("kind", "reason"),
  [("JPEG", "cut off: the JPEG has no end"), ("PNG", "cut off: the PNG has no end")],
)
def test_a_truncated_picture_is_refused(kind, reason, make_picture):
  data = make_picture(kind, width=64, height=64)
  assert refused(data[: len(data) // 2]) == reason


def test_a_truncated_bmp_is_refused(make_picture):
  data = make_picture("BMP", width=64, height=64)
  assert refused(data[: len(data) // 2]) == "cut off: the BMP has no end"


def test_a_picture_cut_inside_its_header_is_refused(make_picture):
  assert refused(make_picture("PNG")[:14]) == "cut off: the PNG has no end"
  bmp, gif = make_picture("BMP")[:30], make_picture("GIF", mode="L")
  assert refused(bmp) == "cut off: the BMP has no end"
  assert refused(gif[:-20]) == "cut off or damaged: the GIF has no whole frame"


def test_a_16_bit_png_is_used_by_its_upper_bits(make_picture):
  data = make_picture("PNG", mode="I;16")
  assert used(data).kind == "PNG"
  decoded = tf.io.decode_image(data, channels=3).numpy()
  sixteen = np.asarray(Image.open(io.BytesIO(data)))
  assert np.abs(decoded[..., 0].astype(int) - (sixteen >> 8).astype(int)).max() <= 1


def test_a_cmyk_jpeg_is_used(make_picture):
  data = make_picture("JPEG", mode="CMYK")
  assert Image.open(io.BytesIO(data)).mode == "CMYK"
  assert used(data).width == 12


def test_alpha_is_used_and_dropped(make_picture):
  data = make_picture("PNG", mode="RGBA")
  assert used(data).height == 10
  expected = np.asarray(Image.open(io.BytesIO(data)))[..., :3]
  assert (tf.io.decode_image(data, channels=3).numpy() == expected).all()


def test_of_an_animation_the_first_frame_is_used():
  frames = [Image.new("RGB", (8, 8), color) for color in ("red", "blue", "lime")]
  buffer = io.BytesIO()
  frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:])
  data = buffer.getvalue()
  assert Image.open(io.BytesIO(data)).n_frames == 3
  assert used(data) == headers.Header("GIF", 8, 8)
  assert graph([data]).numpy()[0, 4, 4].tolist() == [255, 0, 0]


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_one_channel_is_used(kind, make_picture):
  assert used(make_picture(kind, mode="L")).kind == kind


def test_a_grey_bmp_is_used(make_picture):
  data = make_picture("BMP", mode="L")
  assert used(data) == headers.Header("BMP", 12, 10)
  expected = np.asarray(Image.open(io.BytesIO(data)))
  assert (tf.io.decode_image(data, channels=3).numpy() == expected[..., np.newaxis]).all()


def test_a_bmp_with_a_palette_is_refused_because_its_colours_would_be_wrong(make_picture):
  buffer = io.BytesIO()
  Image.open(io.BytesIO(make_picture("PNG"))).convert("P").save(buffer, "BMP")
  assert (
    refused(buffer.getvalue())
    == "a BMP with a colour palette, compression or 16-bit colours; save it as PNG"
  )


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP"])
def test_one_pixel_is_used(kind, make_picture):
  assert used(make_picture(kind, width=1, height=1)) == headers.Header(kind, 1, 1)


def test_over_the_pixel_limit_is_refused_without_decoding(make_picture):
  data = make_picture("PNG", width=20, height=10)
  assert used(data, max_pixels=200).width == 20
  expected = "too large: 20 x 10 pixels, more than data.max_pixels = 199"
  assert refused(data, max_pixels=199) == expected
  # The first bytes alone say so: nothing of a decompression bomb is unpacked.
  assert refused(data[:40], max_pixels=199) == expected


def test_the_pixel_limit_is_50_million_unless_set():
  assert pictures.max_pixels({}) == pictures.max_pixels({"max_pixels": None}) == 50_000_000
  assert pictures.max_pixels({"max_pixels": 7}) == 7
  for bad in (0, -1, "many", True):
    with pytest.raises(BadInputError, match="data.max_pixels must be a positive int"):
      pictures.max_pixels({"max_pixels": bad})


def read(path, **kwargs):
  arguments = {"label": "a", "split": None, "origin": "a/x", "max_pixels": 100_000} | kwargs
  return pictures.read_file(str(path), **arguments)


def test_a_file_becomes_a_record(tmp_path, make_picture):
  file = tmp_path / "x.png"
  file.write_bytes(make_picture(width=200, height=40))
  assert read(file, split="eval") == Record(
    features={"image": file.read_bytes(), "label": "a", "size_bucket": "129-512"},
    content=file.read_bytes(),
    split="eval",
    origin="a/x",
  )


def test_a_bad_file_is_rejected_with_its_path(tmp_path):
  file = tmp_path / "x.jpg"
  file.write_bytes(b"hello")
  assert read(file) == Rejected(
    origin="a/x", reason="not a JPEG, PNG, GIF or BMP picture, but text", file=str(file)
  )


def test_a_missing_file_is_rejected(tmp_path):
  result = read(tmp_path / "gone.png")
  assert result.reason == "the file cannot be read: No such file or directory"


_READ_AS_NOBODY = """
import os, sys
import tensorflow  # before the user changes: its folder may be closed to others
from pipeline.tasks.images.sources import pictures
if os.getuid() == 0:  # root may read anything, so another user asks
  os.setgid(65534)
  os.setuid(65534)
for path in sys.argv[1:]:
  print(pictures.read_file(path, label="a", split=None, origin="x", max_pixels=9999).reason)
"""


def test_a_file_without_permission_is_rejected(make_picture):
  with tempfile.TemporaryDirectory() as folder:
    # pytest's own folders are closed to others; then every file would be unreadable.
    os.chmod(folder, 0o755)
    open_file, closed_file = pathlib.Path(folder, "open"), pathlib.Path(folder, "closed")
    open_file.write_bytes(b"hello")
    closed_file.write_bytes(make_picture())
    closed_file.chmod(0)
    done = subprocess.run(
      [sys.executable, "-c", _READ_AS_NOBODY, str(open_file), str(closed_file)],
      capture_output=True,
      text=True,
      env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
    )
  assert done.stdout.splitlines() == [
    "not a JPEG, PNG, GIF or BMP picture, but text",
    "the file cannot be read: Permission denied",
  ], done.stderr


def test_size_buckets_are_by_the_longer_side():
  sides = (1, 32, 33, 128, 129, 512, 513)
  names = [headers.Header("PNG", side, 1).size_bucket for side in sides]
  assert names == ["<=32", "<=32", "33-128", "33-128", "129-512", "129-512", ">512"]
  assert headers.Header("PNG", 4, 600).size_bucket == ">512"


def test_a_jpeg_with_a_long_profile_shows_its_size(make_picture):
  data = make_picture("JPEG", icc_profile=b"\xff\xc0" * 40_000)
  assert headers.read_header(data) == headers.Header("JPEG", 12, 10)


def _damaged(data: bytes, end: float, flips: list[tuple[float, int]]) -> bytes:
  damaged = bytearray(data[: int(len(data) * end)])
  for where, value in flips:
    if damaged:
      damaged[min(int(where * len(damaged)), len(damaged) - 1)] ^= value
  return bytes(damaged)


@pytest.fixture(scope="session")
def originals(make_picture):
  interlaced = io.BytesIO()
  Image.open(io.BytesIO(make_picture("PNG"))).convert("P").save(interlaced, "PNG")
  return [
    make_picture("JPEG", width=40, height=30),
    make_picture("JPEG", width=40, height=30, progressive=True),
    make_picture("JPEG", mode="CMYK"),
    make_picture("PNG", width=40, height=30),
    make_picture("PNG", mode="RGBA"),
    make_picture("PNG", mode="I;16"),
    interlaced.getvalue(),
    make_picture("BMP"),
    make_picture("GIF", mode="L"),
  ]


@settings(max_examples=600, deadline=None)
@given(
  which=st.integers(0, 8),
  end=st.one_of(st.just(1.0), st.floats(0, 1)),
  flips=st.lists(st.tuples(st.floats(0, 1), st.integers(1, 255)), max_size=6),
)
def test_whatever_passes_is_decoded_by_the_graph(which, end, flips, originals):
  data = _damaged(originals[which], end, flips)
  try:
    pictures.check(data, max_pixels=1_000_000)
  except pictures.UnusablePictureError:
    return
  assert graph([data]).shape == (1, 8, 8, 3)


def test_a_pipe_that_a_table_names_is_not_waited_for(tmp_path):
  os.mkfifo(tmp_path / "x.png")
  path = str(tmp_path / "x.png")
  found = pictures.read_file(path, label="a", split=None, origin="x.png", max_pixels=9)
  assert found == Rejected(
    origin="x.png", reason="the path is no file, but a pipe, a socket or a device"
  )
