"""What is decided from the training pictures before training: mirroring, and the first layer."""

import weakref

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipeline.tasks.images.cnn import cnn
from pipeline.tasks.images.first_look import _some, adapt, mirrored
from pipeline.tasks.images.params import ImageParams

_SIZE = 16


def _arrow(to_the_right, row):
  """A dark arrow on light ground: its head is on one side."""
  picture = np.full((_SIZE, _SIZE, 3), 220, "uint8")
  picture[row, 2:14] = 20
  for step in (1, 2, 3):
    column = 13 - step if to_the_right else 2 + step
    picture[row - step, column] = picture[row + step, column] = 20
  return picture


def _arrows():
  rows = range(4, 12)
  pictures = [_arrow(right, row) for right in (False, True) for row in rows]
  return np.stack(pictures), np.repeat([0, 1], len(rows))


def _photos(seed=0, count=60):
  """Two classes that differ from top to bottom, each picture mirrored or not at random."""
  draw = np.random.default_rng(seed)
  labels = np.arange(count) % 2
  ramp = np.linspace(0, 160, _SIZE)[:, None] + np.linspace(0, 40, _SIZE)[None]
  pictures = []
  for label in labels:
    picture = ramp[::-1] if label else ramp
    picture = picture[:, ::-1] if draw.random() < 0.5 else picture
    pictures.append(picture[..., None] + draw.uniform(0, 40, (_SIZE, _SIZE, 3)))
  return np.stack(pictures).astype("uint8"), labels


def _model(**changes):
  return cnn(ImageParams(image_size=_SIZE, widths=[4], **changes), 2)


def _batches(pictures, labels):
  return tf.data.Dataset.from_tensor_slices((pictures, labels)).batch(7)


def test_pictures_whose_class_is_the_same_in_a_mirror_may_be_mirrored():
  found = mirrored(*_photos())
  assert found.harmless
  assert found.plain == pytest.approx(found.mirrored, abs=0.1)


def test_arrows_to_the_left_and_to_the_right_may_not():
  found = mirrored(*_arrows())
  assert not found.harmless
  assert found.plain > found.mirrored == 0


def _bars(count):
  """Twelve classes, each with a bar at a height of its own; the mirror changes none."""
  draw = np.random.default_rng(0)
  labels = np.arange(count) % 12
  pictures = draw.uniform(200, 220, (count, _SIZE, _SIZE, 3))
  pictures[np.arange(count), labels + 2] = 20
  return pictures.astype("uint8"), labels


def test_one_pair_of_classes_that_swap_is_enough_to_keep_all_as_they_are():
  bars, labels = _bars(96)
  arrows, sides = _arrows()
  found = mirrored(np.concatenate([bars, arrows]), np.concatenate([labels, sides + 12]))
  assert found.swapped == (12, 13)
  assert found.mirrored > 0.8
  assert not found.harmless


def test_a_common_class_does_not_decide_for_a_rare_one():
  bars, labels = _bars(600)
  arrows, sides = _arrows()
  found = mirrored(
    np.concatenate([bars, arrows, arrows]), np.concatenate([labels * 0, sides, sides])
  )
  assert found.swapped is None
  assert found.plain > 0.9
  assert not found.harmless


@pytest.mark.parametrize(("data", "expected"), [(_photos, True), (_arrows, False)])
def test_the_decision_reaches_the_model_and_is_said(data, expected, caplog):
  model = _model()
  with caplog.at_level("INFO"):
    adapt(ImageParams(), model, _batches(*data()))
  assert model.get_layer("augmentation").flip is expected
  word = "are mirrored" if expected else "are not mirrored"
  assert [word in line for line in caplog.messages] == [True]


@pytest.mark.parametrize(
  ("data", "said"), [(_photos, "answers are the mean of both"), (_arrows, "answers neither")]
)
def test_whether_answers_are_mirrored_is_said(data, said, caplog):
  with caplog.at_level("INFO"):
    adapt(ImageParams(), _model(mirrored_answers=True), _batches(*data()))
    adapt(ImageParams(), _model(mirrored_answers=False), _batches(*data()))
  ends = [f"{said} (model.mirrored_answers)" in line for line in caplog.messages]
  assert ends == [True, False]


@pytest.mark.parametrize("flip", [True, False])
def test_what_a_user_says_holds(flip, caplog):
  model = _model(flip=flip)
  with caplog.at_level("INFO"):
    adapt(ImageParams(flip=flip), model, _batches(*(_arrows if flip else _photos)()))
  assert model.get_layer("augmentation").flip is flip
  assert caplog.messages == []


def test_the_first_layer_makes_values_of_a_patch_uncorrelated():
  pictures, labels = _photos(count=200)
  model = _model(flip=False)
  adapt(ImageParams(flip=False), model, _batches(pictures, labels))
  seen = model.get_layer("whitening")(pictures.astype("float32") / 255)
  half = np.asarray(seen)[..., :12].reshape(-1, 12)
  covariance = np.cov(half, rowvar=False)
  np.testing.assert_allclose(covariance - np.diag(np.diag(covariance)), 0, atol=0.01)
  assert np.diag(covariance).max() == pytest.approx(1, abs=0.1)
  np.testing.assert_allclose(np.asarray(seen)[..., 12:].reshape(-1, 12), -half, atol=1e-4)


def test_grey_pictures_do_not_blow_up_the_differences_between_colours():
  grey = np.repeat(_photos()[0][..., :1], 3, axis=-1)
  model = _model(flip=False)
  adapt(ImageParams(flip=False), model, _batches(grey, np.zeros(len(grey))))
  whitening = model.get_layer("whitening")
  assert np.abs(whitening.kernel.numpy()).max() < 100
  # What train never had does not count: a tinge of colour changes nothing.
  tinged = grey[:5].astype("float32") / 255 + np.array([0.05, -0.05, 0], "float32")
  lighter = np.repeat(tinged.mean(axis=-1, keepdims=True), 3, axis=-1)
  np.testing.assert_allclose(whitening(tinged), whitening(lighter), atol=1e-3)


def test_the_patches_of_many_large_pictures_are_of_all_of_them(monkeypatch):
  monkeypatch.setattr("pipeline.tasks.images.cnn._PATCHES", 200)
  pictures = _photos(count=20)[0]
  pictures[0] = 255
  whitening = _model().get_layer("whitening")
  whitening.fit(pictures)
  # Of the white picture alone, each filter would be as large as filters can become.
  assert np.abs(whitening.kernel.numpy()).max() < 30


def test_without_whitening_there_is_nothing_to_look_at(monkeypatch):
  model = _model(flip=False, whitening=False)
  adapt(ImageParams(flip=False, whitening=False), model, None)
  assert "whitening" not in [layer.name for layer in model.layers]
  assert isinstance(model, keras.Model)


def test_all_parts_of_the_data_are_looked_at(monkeypatch):
  """Data may be sorted by class."""
  monkeypatch.setattr("pipeline.tasks.images.first_look._LOOKED_AT", 20)
  pictures, labels = _photos(count=400)
  order = np.argsort(labels, kind="stable")
  kept, found = _some(_batches(pictures[order], labels[order]))
  assert 20 <= len(kept) <= 40
  assert found.mean() == pytest.approx(0.5, abs=0.1)


def test_of_a_batch_only_the_pictures_that_are_kept_stay_in_memory():
  read, alive = [], []

  class Batches:
    def as_numpy_iterator(self):
      for _ in range(20):
        pixels = np.zeros((8, 4, 4, 3), "uint8")
        read.append(weakref.ref(pixels))
        yield pixels, np.zeros(8)
      alive.extend(each for each in read if each() is not None)

  _some(Batches())
  assert len(alive) <= 2


def test_a_model_of_ones_own_needs_neither_layer_nor_setting():
  own = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
  adapt(object(), own, None)
