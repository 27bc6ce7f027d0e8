"""Decoding, resizing and label numbers, in eager mode and through a real transform graph."""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from pipeline.tasks.images.preprocessing import decode
from pipeline.training.datasets import transform_fn


def _decode(*encoded, size=16):
  return decode(tf.constant(encoded), size).numpy()


def _save(picture, kind, **options):
  buffer = io.BytesIO()
  picture.save(buffer, kind, **options)
  return buffer.getvalue()


@pytest.fixture
def smooth():
  """A 16 x 16 picture without edges, which JPEG keeps almost as it is."""
  row, column = np.mgrid[0:16, 0:16]
  return np.stack([row * 16, column * 16, 255 - row * 16], axis=-1).astype("uint8")


@pytest.mark.parametrize("kind", ["PNG", "BMP"])
def test_lossless_pictures_come_back_as_they_are(smooth, kind):
  [pixels] = _decode(_save(Image.fromarray(smooth), kind))
  assert pixels.dtype == np.float32
  np.testing.assert_array_equal(pixels, smooth)


def test_a_jpeg_comes_back_nearly(smooth):
  [pixels] = _decode(_save(Image.fromarray(smooth), "JPEG", quality=95, subsampling=0))
  np.testing.assert_allclose(pixels, smooth, atol=12)
  assert np.abs(pixels - smooth).mean() < 2


def test_an_animation_is_its_first_frame(smooth):
  frames = [Image.fromarray(f).convert("P") for f in (smooth, smooth[::-1], smooth[:, ::-1])]
  animated = _save(frames[0], "GIF", save_all=True, append_images=frames[1:])
  still = _save(frames[0], "GIF")
  np.testing.assert_array_equal(_decode(animated), _decode(still))
  np.testing.assert_allclose(_decode(still)[0], np.array(frames[0].convert("RGB")), atol=0)


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_grey_becomes_three_equal_channels(smooth, kind):
  grey = Image.fromarray(smooth[..., 0])
  assert grey.mode == "L"
  [pixels] = _decode(_save(grey, kind))
  np.testing.assert_array_equal(pixels[..., 0], pixels[..., 1])
  np.testing.assert_array_equal(pixels[..., 0], pixels[..., 2])
  np.testing.assert_allclose(pixels[..., 0], smooth[..., 0], atol=4)


def test_a_batch_of_many_sizes_and_kinds_becomes_one_shape_of_whole_numbers(make_picture):
  batch = [
    make_picture("PNG", width=30, height=7),
    make_picture("JPEG", width=1, height=1),
    make_picture("BMP", width=5, height=90),
    make_picture("PNG", mode="LA", width=40, height=40),
  ]
  pixels = _decode(*batch, size=9)
  assert pixels.shape == (4, 9, 9, 3)
  np.testing.assert_array_equal(pixels, np.round(pixels))
  assert pixels.min() >= 0
  assert pixels.max() <= 255


def test_halving_averages_so_that_thin_strokes_stay():
  stroke = np.zeros((32, 32), "uint8")
  stroke[:, 10] = 255
  [pixels] = _decode(_save(Image.fromarray(stroke), "PNG"), size=8)
  columns = pixels[..., 0].mean(axis=0)
  # A quarter of the width of one pixel: about 64 in all, however it is spread.
  assert columns.sum() == pytest.approx(255 / 4, abs=4)
  assert columns.argmax() == 2


def test_bytes_that_are_no_picture_are_an_error():
  with pytest.raises(tf.errors.InvalidArgumentError):
    _decode(b"no picture")


def test_the_transform_graph_numbers_labels_by_frequency(graph):
  assert graph.output.vocabulary_by_name("labels") == [b"cat", b"dog"]
  features = transform_fn(graph.output)(tf.constant(graph.examples))
  expected = [("cat", "dog").index(name) for name in graph.labels]
  assert features["label_id"].dtype == tf.int64
  assert features["label_id"].numpy().tolist() == expected


def test_the_transform_graph_decodes_as_eager_code_does(graph):
  features = transform_fn(graph.output)(tf.constant(graph.examples))
  np.testing.assert_array_equal(features["pixels"], _decode(*graph.pictures, size=12))


def test_a_label_that_train_does_not_have_is_minus_one(graph):
  layer = graph.output.transform_features_layer()
  raw = {
    "image": tf.constant(graph.pictures[:2])[:, None],
    "label": tf.constant([["cow"], ["dog"]]),
  }
  shape = graph.output.raw_feature_spec()["label"].shape
  raw = {name: tf.reshape(value, [-1, *shape]) for name, value in raw.items()}
  assert layer(raw)["label_id"].numpy().tolist() == [-1, 1]


def test_pixels_do_not_need_the_label(graph):
  layer = graph.output.transform_features_layer()
  shape = graph.output.raw_feature_spec()["image"].shape
  features = layer({"image": tf.reshape(tf.constant(graph.pictures[:2]), [-1, *shape])})
  assert set(features) == {"pixels"}
