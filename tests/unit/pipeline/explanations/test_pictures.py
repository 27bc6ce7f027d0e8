"""Maps of pictures: what they add up to, and what a network that offers none gets."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from pipeline.explanations import pictures
from pipeline.explanations.target import CannotExplain, Target

_SIDE = 8


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
  wanted = np.einsum("nhwc,cn->nhw", places, kernel[:, chosen]) / 16
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
  assert found["map"].shape == (4, _SIDE, _SIDE)
  plain = np.broadcast_to(batch.mean(axis=(1, 2), keepdims=True), batch.shape)
  chosen = model(batch).numpy().argmax(axis=1)
  nothing = model(plain).numpy()[np.arange(4), chosen]
  np.testing.assert_allclose(found["unexplained"], nothing, rtol=1e-3, atol=1e-2)


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
  batch[0, :4, :4] = 200  # bright, and so for the answer
  found = _explained(model, batch, _target(labels=None))
  shown = tf.io.decode_png(found["map_png_bytes"][0]).numpy().astype(int)
  assert shown.shape == (112, 112, 3)  # fourteen times as large
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
