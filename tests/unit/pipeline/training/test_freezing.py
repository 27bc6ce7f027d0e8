"""Features of frozen first layers: of rows as they are, and of further views of train."""

import dataclasses

import keras
import numpy as np
import pytest

from pipeline.task import Phase
from pipeline.training import datasets
from pipeline.training.freezing import FrozenFeatures, frozen


@pytest.fixture
def model():
  keras.utils.set_random_seed(1)
  return keras.Sequential(
    [
      keras.Input((4,)),
      keras.layers.GaussianNoise(0.1, seed=1, name="augmentation"),
      keras.layers.Dense(3, name="body"),
      keras.layers.Dense(2, name="head"),
    ]
  )


@pytest.fixture
def splits():
  draw = np.random.default_rng(0)

  def split(rows):
    return datasets.in_memory(
      {"x": draw.integers(0, 255, (rows, 4)).astype("uint8")}, np.arange(rows, dtype="int64")
    )

  return split(70), split(40)


def _features(model, splits, views, kept=None):
  phase = Phase(
    name="head", epochs=1, learning_rate=1.0, frozen=("augmentation", "body"), views=views
  )
  with frozen(model, phase, splits, kept or FrozenFeatures()) as (_, found):
    return [(split.arrays[0]["features"], split.arrays[1]) for split in found]


def test_each_view_of_train_adds_all_its_rows_with_their_labels(model, splits):
  (train, labels), (val, _) = _features(model, splits, 3)
  assert (train.shape, val.shape) == ((210, 3), (40, 3))
  np.testing.assert_array_equal(labels, np.tile(np.arange(70), 3))
  plain, first, second = np.split(train, 3)
  np.testing.assert_allclose(plain, model.get_layer("body")(splits[0].arrays[0]["x"]), rtol=1e-5)
  for one, other in ((plain, first), (plain, second), (first, second)):
    assert not np.allclose(one, other, atol=1e-4)
    np.testing.assert_allclose(one, other, atol=2)


def test_val_is_seen_as_it_is(model, splits):
  _, (val, _) = _features(model, splits, 3)
  np.testing.assert_allclose(val, model.get_layer("body")(splits[1].arrays[0]["x"]), rtol=1e-5)


def test_features_are_kept_for_the_same_number_of_views_only(model, splits):
  kept = FrozenFeatures()
  [(first, _), _] = _features(model, splits, 2, kept)
  [(again, _), _] = _features(model, splits, 2, kept)
  [(other, _), _] = _features(model, splits, 1, kept)
  assert again is first
  assert len(other) == 70


def test_a_split_that_is_not_kept_in_memory_has_no_views_and_says_so(model, splits, caplog):
  streamed = tuple(dataclasses.replace(each, arrays=None) for each in splits)
  phase = Phase(name="head", epochs=1, learning_rate=1.0, frozen=("augmentation",), views=3)
  with caplog.at_level("INFO"), frozen(model, phase, streamed, FrozenFeatures()) as (_, found):
    assert found == streamed
  assert "instead of 3 times" in caplog.text
