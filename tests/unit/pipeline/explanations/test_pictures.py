"""Maps of pictures: what they add up to, and what a network that offers none gets."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from pipeline.explanations import pictures
from pipeline.explanations.target import CannotExplain, Target

_SIDE = 16


def _target(**changes):
  given = {
    "features": {"pixels"},
    "inputs": lambda features: features["pixels"],
    "numbers": lambda said, features: tf.cast(said, tf.float32),
    "labels": ["cat", "dog", "cow"],
  }
  return Target(**{**given, **changes})


def _network(*last, units=3, seed=1):
  keras.utils.set_random_seed(seed)
  return keras.Sequential(
    [
      keras.Input((_SIDE, _SIDE, 3)),
      layers.Conv2D(5, 3, strides=2, padding="same", activation="relu"),
      *last,
      layers.Dense(units, bias_initializer="normal"),
    ]
  )


def _batch(count=4, seed=2):
  return np.random.default_rng(seed).uniform(0, 255, (count, _SIDE, _SIDE, 3)).astype("float32")


def _explained(model, batch, target=None):
  explanation = pictures.explain(model, target or _target())
  traced = tf.function(explanation, autograph=False)
  return {k: v.numpy() for k, v in traced({"pixels": tf.constant(batch)}).items()}


def test_a_class_activation_is_the_map_weighed_by_the_last_layer():
  model, batch = _network(layers.GlobalAveragePooling2D()), _batch()
  found = _explained(model, batch)
  logits = model(batch).numpy()
  kernel, bias = model.layers[-1].get_weights()
  chosen = logits.argmax(axis=1)
  assert found["label"].tolist() == [[b"cat", b"dog", b"cow"][each] for each in chosen]
  places = model.layers[0](batch).numpy()
  wanted = np.einsum("nhwc,cn->nhw", places, kernel[:, chosen]) / 64
  np.testing.assert_allclose(found["map"], wanted, rtol=1e-4, atol=1e-4)
  np.testing.assert_allclose(found["intercept"], bias[chosen], atol=1e-5)
  np.testing.assert_allclose(found["explained"], logits.max(axis=1), rtol=1e-5)


@pytest.mark.parametrize(
  "last",
  [
    [layers.GlobalAveragePooling2D, layers.BatchNormalization],
    [layers.GlobalMaxPooling2D],
    [layers.Flatten],
  ],
)
def test_the_places_add_up_to_the_answer(last):
  model, batch = _network(*(each() for each in last)), _batch()
  found = _explained(model, batch)
  total = found["map"].sum(axis=(1, 2)) + found["intercept"]
  np.testing.assert_allclose(total, found["explained"], atol=1e-3)
  np.testing.assert_allclose(found["unexplained"], 0, atol=1e-3)


def test_what_a_bent_head_leaves_open_is_told():
  model = _network(layers.GlobalAveragePooling2D(), layers.Dense(4, activation="sigmoid"))
  found = _explained(model, _batch() / 50)
  total = found["map"].sum(axis=(1, 2)) + found["intercept"] + found["unexplained"]
  np.testing.assert_allclose(total, found["explained"], atol=1e-5)
  assert np.abs(found["unexplained"]).max() > 1e-3


def test_a_network_without_a_last_map_has_integrated_gradients():
  """Of a linear network they are exact, up to what it says of the plain picture."""

  class Linear(keras.Model):
    def __init__(self):
      super().__init__()
      self.dense = layers.Dense(3)

    def call(self, pixels):
      return self.dense(tf.reshape(pixels, [-1, 3 * _SIDE**2]))

  keras.utils.set_random_seed(1)
  model, batch = Linear(), _batch()
  model(batch)
  with pytest.raises(CannotExplain, match="does not take one picture of a fixed size"):
    pictures.explain(model, _target())
  inputs = keras.Input((_SIDE, _SIDE, 3))
  functional = keras.Model(inputs, model(inputs))
  found = _explained(functional, batch)
  assert found["map"].shape == (4, _SIDE // 2, _SIDE // 2)
  wide = keras.Input((30, 31, 3))
  in_cells = keras.Model(wide, layers.Dense(2)(layers.Lambda(lambda x: x[:, 0, 0])(wide)))
  picture = np.random.default_rng(1).uniform(0, 255, (2, 30, 31, 3)).astype("float32")
  cells = _explained(in_cells, picture, _target(labels=["cat", "dog"]))["map"]
  assert cells.shape == (2, 8, 8)  # of four pixels a side
  assert cells[:, 0, 0].all()
  cells[:, 0, 0] = 0
  assert not cells.any()
  plain = np.broadcast_to(batch.mean(axis=(1, 2), keepdims=True), batch.shape)
  chosen = model(batch).numpy().argmax(axis=1)
  nothing = model(plain).numpy()[np.arange(4), chosen]
  np.testing.assert_allclose(found["unexplained"], nothing, rtol=1e-3, atol=1e-2)


@pytest.mark.parametrize(("side", "cells"), [(8, 8), (28, 7), (32, 8), (224, 14)])
def test_cells_have_four_pixels_or_there_are_seven_of_them(side, cells):
  parts = tf.ones([1, side, side])
  found = pictures._in_cells(parts)
  assert found.shape == (1, cells, cells)
  assert float(tf.reduce_sum(found)) == side * side


def test_a_number_is_explained_in_its_unit():
  def numbers(said, features):
    return said * 50 + 300

  model, batch = _network(layers.GlobalAveragePooling2D(), units=1), _batch()
  found = _explained(model, batch, _target(numbers=numbers, labels=None))
  assert "label" not in found
  np.testing.assert_allclose(found["explained"], model(batch).numpy()[:, 0] * 50 + 300, rtol=1e-5)
  np.testing.assert_allclose(found["unexplained"] / found["explained"], 0, atol=1e-5)


def test_the_png_shows_the_picture_with_what_is_for_it_in_red():
  model = _network(layers.GlobalAveragePooling2D(), units=1)
  model.layers[0].set_weights([np.ones((3, 3, 3, 5)) / 27, np.zeros(5)])
  model.layers[-1].set_weights([np.ones((5, 1)), np.zeros(1)])
  batch = np.zeros((1, _SIDE, _SIDE, 3), "float32")
  batch[0, :8, :8] = 200  # bright, and so for the answer
  found = _explained(model, batch, _target(labels=None))
  shown = tf.io.decode_png(found["map_png_bytes"][0]).numpy().astype(int)
  assert shown.shape == (112, 112, 3)  # seven times as large
  red = shown[..., 0] - shown[..., 2]
  assert red[:28, :28].mean() > 60
  assert abs(red[84:, 84:]).max() == 0


def test_a_map_of_nothing_is_drawn_in_grey():
  model = _network(layers.GlobalAveragePooling2D())
  model.layers[-1].set_weights([np.zeros((5, 3)), np.arange(3.0)])
  found = _explained(model, _batch())
  assert not found["map"].any()
  shown = tf.io.decode_png(found["map_png_bytes"][0]).numpy()
  assert (shown[..., 0] == shown[..., 2]).all()


def test_a_map_of_few_places_is_not_taken():
  keras.utils.set_random_seed(1)
  small = keras.Sequential(
    [
      keras.Input((_SIDE, _SIDE, 3)),
      layers.Conv2D(5, 3, strides=3, padding="same", activation="relu"),
      layers.GlobalAveragePooling2D(),
      layers.Dense(3),
    ]
  )
  # Class activation leaves nothing unexplained; integrated gradients, which have no start, do.
  assert np.abs(_explained(small, _batch())["unexplained"]).min() > 1e-3
  large = _explained(_network(layers.GlobalAveragePooling2D()), _batch())
  assert np.abs(large["unexplained"]).max() < 1e-3


def test_a_network_that_joins_maps_of_several_depths_has_integrated_gradients():
  keras.utils.set_random_seed(1)
  inputs = keras.Input((_SIDE, _SIDE, 3))
  first = layers.Conv2D(4, 3, padding="same", activation="relu")(inputs)
  second = layers.Conv2D(4, 3, padding="same", activation="relu")(first)
  pooled = [layers.GlobalAveragePooling2D()(each) for each in (first, second)]
  joined = keras.Model(inputs, layers.Dense(3)(layers.Concatenate()(pooled)))
  found = _explained(joined, _batch())
  assert found["map"].shape == (4, _SIDE // 2, _SIDE // 2)
  total = found["map"].sum(axis=(1, 2)) + found["unexplained"]
  np.testing.assert_allclose(total, joined(_batch()).numpy().max(axis=1), rtol=1e-4)


def test_a_network_that_grew_layer_by_layer_has_its_last_map():
  keras.utils.set_random_seed(1)
  model = keras.Sequential()
  model.add(keras.Input((_SIDE, _SIDE, 3)))
  model.add(layers.Conv2D(5, 3, strides=2, padding="same", activation="relu"))
  model.add(layers.GlobalAveragePooling2D())
  model.add(layers.Dense(3))
  assert _explained(model, _batch())["map"].shape == (4, 8, 8)


@pytest.mark.parametrize("strides", [2, 3], ids=["class activation", "integrated gradients"])
def test_deleting_what_it_names_lowers_the_score_more_than_chance(strides):
  """The score of a red patch in noise; the bound of a trained network is 0.05."""
  keras.utils.set_random_seed(1)
  redness = layers.Conv2D(2, 3, strides=strides, padding="same", activation="relu")
  pooled = layers.GlobalAveragePooling2D()
  model = keras.Sequential([keras.Input((_SIDE, _SIDE, 3)), redness, pooled, layers.Dense(2)])
  kernel = np.zeros((3, 3, 3, 2))
  kernel[..., 0, :], kernel[..., 1:, :] = 1 / 900, -1 / 1800
  redness.set_weights([kernel, np.zeros(2)])
  model.layers[-1].set_weights([np.full((2, 2), [[5, 0]]), np.array([-1.0, 0])])
  random = np.random.default_rng(1)
  batch = random.uniform(80, 120, (30, _SIDE, _SIDE, 3)).astype("float32")
  corners = random.integers(0, _SIDE - 5, (30, 2))
  for picture, (row, column) in zip(batch, corners, strict=True):
    picture[row : row + 5, column : column + 5] = (250, 20, 20)
  found = _explained(model, batch, _target(labels=["red", "grey"]))
  assert set(found["label"].tolist()) == {b"red"}
  cells = tf.image.resize(found["map"][..., np.newaxis], (4, 4), antialias=True)
  named = np.argsort(-cells.numpy().reshape(30, 16), axis=1)
  chance = random.permuted(np.tile(np.arange(16), (30, 1)), axis=1)
  assert _area(model, batch, named) < _area(model, batch, chance) - 0.05


def _area(model, batch, order):
  """The mean score of the first class while half of 16 patches are deleted, one by one."""
  left, mean, scores = batch.copy(), batch.mean(axis=(1, 2)), []
  for count in range(9):
    logits = tf.nn.softmax(model(left))
    scores.append(logits[:, 0])
    for picture, colour, place in zip(left, mean, order[:, count], strict=True):
      row, column = divmod(int(place), 4)
      picture[4 * row : 4 * row + 4, 4 * column : 4 * column + 4] = colour
  return float(np.mean(scores))
