"""The network that starts from nothing: depth, width and size of its maps; its augmentation."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipeline.explanations.pictures import explain
from pipeline.explanations.target import Target
from pipeline.tasks.images.augmentation import Augmentation
from pipeline.tasks.images.cnn import cnn
from pipeline.tasks.images.params import ImageParams, widths_for
from pipeline.tasks.images.recipe import compile_args


def _maps(model):
  return [layer.output.shape[1] for layer in model.layers if "max_pooling" in layer.name]


@pytest.mark.parametrize("size", [8, 12, 16, 20, 28, 31, 32, 40, 48, 64, 80, 96, 128, 224])
def test_the_last_map_sees_the_whole_picture(size):
  model = cnn(ImageParams(image_size=size, widths=widths_for(size)), 3)
  assert 2 <= _maps(model)[-1] <= 7
  assert model.output_shape == (None, 3)


def test_more_blocks_than_a_picture_can_be_halved_are_no_error():
  model = cnn(ImageParams(image_size=12, widths=[2] * 6), 3)
  assert _maps(model) == [5, 2, 1, 1, 1, 1]


@pytest.mark.parametrize(("residual", "convolutions"), [(False, 2), (True, 3)])
def test_a_residual_block_has_a_shortcut_and_one_more_convolution(residual, convolutions):
  model = cnn(ImageParams(image_size=16, widths=[3, 5], residual=residual), 2)
  found = [layer.filters for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
  assert found == [3] * convolutions + [5] * convolutions
  assert sum(isinstance(layer, keras.layers.Add) for layer in model.layers) == 2 * residual


def test_the_fixed_filters_are_not_trained():
  model = cnn(ImageParams(image_size=16, widths=[3]), 2)
  model.compile(loss="mse", optimizer=compile_args(ImageParams())["optimizer"](0.1))
  before = model.get_layer("whitening").get_weights()
  model.fit(np.random.default_rng(0).uniform(0, 255, (8, 16, 16, 3)), np.ones((8, 2)), verbose=0)
  bias, kernel = model.get_layer("whitening").get_weights()
  assert np.array_equal(kernel, before[1])
  assert not np.array_equal(bias, before[0])


def test_only_filters_are_shrunk():
  """A step with a gradient of zero shrinks by rate times decay, and nothing else moves."""
  model = cnn(ImageParams(image_size=16, widths=[3], weight_decay=0.5), 2)
  optimizer = compile_args(ImageParams(weight_decay=0.5))["optimizer"](0.1)
  weights = model.trainable_variables
  for each in weights:
    each.assign(tf.ones_like(each))
  optimizer.apply([tf.zeros_like(each) for each in weights], weights)
  for each in weights:
    expected = 0.95 if "kernel" in each.path else 1.0
    np.testing.assert_allclose(each.numpy(), expected, rtol=1e-5, err_msg=each.path)


def _layer(**changes):
  values = {"size": 8, "shift": 0, "flip": False, "cutout": 0, "name": "a", "seed": 1, **changes}
  return Augmentation(**values)


@pytest.fixture
def pixels():
  return np.random.default_rng(0).integers(0, 256, (64, 8, 8, 3)).astype("float32")


def test_pictures_are_moved_by_whole_pixels_up_to_the_limit(pixels):
  moved = np.asarray(_layer(shift=2)(pixels, training=True))
  padded = np.pad(pixels, ((0, 0), (2, 2), (2, 2), (0, 0)), mode="reflect")
  places = [
    [(y, x) for y in range(5) for x in range(5) if np.array_equal(p[y : y + 8, x : x + 8], m)]
    for p, m in zip(padded, moved, strict=True)
  ]
  assert all(len(each) == 1 for each in places)
  assert len({each[0] for each in places}) > 12


@pytest.mark.parametrize("shift", [8, 20])
def test_a_move_beyond_the_picture_is_mirrored_at_each_edge(pixels, shift):
  moved = np.asarray(_layer(shift=shift)(pixels, training=True))
  padded = np.pad(pixels, ((0, 0), (shift, shift), (shift, shift), (0, 0)), mode="reflect")
  starts = range(2 * shift + 1)
  for picture, found in zip(padded, moved, strict=True):
    parts = (picture[y : y + 8, x : x + 8] for y in starts for x in starts)
    assert any(np.array_equal(each, found) for each in parts)


def test_a_square_of_the_mean_colour_covers_each_picture_elsewhere(pixels):
  covered = np.asarray(_layer(cutout=4)(pixels, training=True))
  changed = (covered != pixels).any(axis=-1)
  means = np.broadcast_to(pixels.mean(axis=(1, 2), keepdims=True), pixels.shape)
  np.testing.assert_allclose(covered[changed], means[changed], rtol=1e-5)
  assert 4 <= changed.sum(axis=(1, 2)).min() <= changed.sum(axis=(1, 2)).max() <= 25
  assert len({each.tobytes() for each in changed}) > 20


@pytest.mark.parametrize("cutout", [1, 3, 4])
def test_the_square_is_as_large_as_asked_for(pixels, cutout):
  covered = np.asarray(_layer(cutout=cutout)(pixels, training=True))
  assert (covered != pixels).any(axis=-1).sum(axis=(1, 2)).max() == cutout**2


def test_xla_compiles_every_change(pixels):
  layer = _layer(shift=2, flip=True, cutout=3)
  compiled = tf.function(lambda x: layer(x, training=True), jit_compile=True, autograph=False)
  assert compiled(tf.constant(pixels)).shape == pixels.shape
  assert layer.supports_jit


def _pictures():
  return np.random.default_rng(1).uniform(0, 255, (3, 16, 16, 3)).astype("float32")


def _plain_and_mirrored(flip=True, **changes):
  """Two networks of the same weights, of which the second looks at pictures mirrored, too."""
  values = {"image_size": 16, "widths": [4], "flip": flip, "shift": 0.0, "cutout": 0.0, **changes}
  plain = cnn(ImageParams(**values, dropout=0.0, mirrored_answers=False), 2)
  both = cnn(ImageParams(**values, dropout=0.0, mirrored_answers=True), 2)
  both.set_weights(plain.get_weights())
  return plain, both


def test_an_answer_may_be_the_mean_over_a_picture_and_its_mirror_image():
  plain, both = _plain_and_mirrored()
  pixels = _pictures()
  expected = (plain(pixels) + plain(pixels[:, :, ::-1])) / 2
  np.testing.assert_allclose(both(pixels), expected, rtol=1e-4, atol=1e-5)
  np.testing.assert_allclose(both(pixels[:, :, ::-1]), expected, rtol=1e-4, atol=1e-5)
  assert np.abs(plain(pixels) - expected).max() > 1e-3


def test_training_sees_each_picture_once():
  _, both = _plain_and_mirrored()
  assert both(_pictures(), training=True).shape == (3, 2)
  seen = both.get_layer("augmentation")(_pictures(), training=True)
  assert seen.shape == (3, 16, 16, 3)


@pytest.mark.parametrize("flip", [None, False])
def test_answers_are_not_mirrored_where_training_is_not(flip):
  plain, both = _plain_and_mirrored(flip)
  pixels = _pictures()
  np.testing.assert_allclose(both(pixels), plain(pixels), rtol=1e-5)
  if flip is None:
    both.get_layer("augmentation").flip = True  # as decided from the pictures
    assert np.abs(both(pixels) - plain(pixels)).max() > 1e-3


def test_an_answer_by_both_is_explained_in_the_pictures_own_places():
  _, both = _plain_and_mirrored()
  target = Target(
    features={"pixels"},
    inputs=lambda features: features["pixels"],
    numbers=lambda said, features: tf.cast(said, tf.float32),
    labels=["cat", "dog"],
  )
  explanation = tf.function(explain(both, target), autograph=False)
  pixels = _pictures()
  of_plain, of_mirrored = (
    explanation({"pixels": tf.constant(each)}) for each in (pixels, pixels[:, :, ::-1])
  )
  assert of_plain["map"].shape == (3, 7, 7)
  np.testing.assert_allclose(of_mirrored["map"], of_plain["map"][:, :, ::-1], rtol=1e-3, atol=1e-5)
  np.testing.assert_allclose(of_plain["unexplained"], 0, atol=1e-4)


def test_answers_by_both_are_float32_in_mixed_precision():
  before = keras.config.dtype_policy()
  keras.config.set_dtype_policy("mixed_float16")
  try:
    plain, both = _plain_and_mirrored()
    found = both(_pictures())
    assert found.dtype == tf.float32
    expected = (plain(_pictures()) + plain(_pictures()[:, :, ::-1])) / 2
    np.testing.assert_allclose(found, expected, rtol=0.05, atol=0.02)
  finally:
    keras.config.set_dtype_policy(before)
