"""Weights that are carried from one export into another model: by name, and never by place."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipeline import carried_rows
from pipeline.carried_rows import contrast, name_outputs, name_rows, named, placed
from pipeline.training.warm import carrying, weights_file

_LABELS = {"labels": ("a", 2)}


def _model(words, labels, *, units=4, naming=True, seed=0, buckets=3):
  """Embeds a word, and answers with a label."""
  keras.utils.set_random_seed(seed)
  embed = keras.layers.Embedding(1 + len(words) + buckets, units)
  answer = keras.layers.Dense(len(labels))
  if naming:
    rows = [named("words", ["<padding>", *words]), placed("hashed", buckets)]
    name_rows(embed, "embeddings", 0, rows)
    name_outputs(answer, labels)
  ids = keras.Input((), dtype="int32")
  hidden = keras.layers.Dense(units, activation="relu")(embed(ids))
  return keras.Model(ids, answer(hidden))


def _exported(model, root, vocabularies=_LABELS):
  module = tf.Module()
  module.variables_by_value = [variable.value for variable in model.variables]
  tf.saved_model.save(module, str(root))
  weights_file.write(root, model, vocabularies=vocabularies, generation=2, cold={"best": 0.5})
  return weights_file.read(root)


@pytest.fixture
def carry(tmp_path):
  def carried(old, new, before=_LABELS, now=_LABELS):
    return carrying.carry(new, tmp_path, _exported(old, tmp_path, before), now)

  return carried


def _logits(model, ids):
  return model(np.array(ids)).numpy()


def test_the_same_model_answers_as_before(carry):
  old = _model(["good", "bad"], ["no", "yes"])
  new = _model(["good", "bad"], ["no", "yes"], seed=1)
  found = carry(old, new)
  np.testing.assert_array_equal(_logits(old, range(6)), _logits(new, range(6)))
  assert (found.weights, found.total, found.numbers, found.anew) == (5, 5, 1.0, ())
  assert found.sentence() == "carried 5 of 5 weights; words: all; classes: all"


def test_words_and_classes_are_carried_by_name(carry):
  old = _model(["good", "bad", "gone"], ["no", "yes"])
  new = _model(["new", "bad", "good"], ["maybe", "yes", "no"], seed=1)
  before = _logits(new, [1])
  found = carry(old, new)
  # Padding, bad and good, then the hashed rows, which follow four names in both.
  np.testing.assert_allclose(
    _logits(new, [0, 2, 3, 4, 6])[:, [2, 1]], _logits(old, [0, 2, 1, 4, 6]), rtol=1e-6
  )
  words, classes = found.kinds["words"], found.kinds["classes"]
  assert (words.carried, words.total, words.new, words.gone) == (3, 4, ("new",), ("gone",))
  assert (classes.carried, classes.new) == (2, ("maybe",))
  assert "3 of 4 words, new: new, gone: gone; 2 of 3 classes, new: maybe" in found.sentence()
  assert not np.allclose(before, _logits(new, [1]))  # its own first vector, behind carried layers
  assert 0 < found.numbers < 1


def test_one_column_for_two_classes_turns_its_sign(carry):
  def model(labels):
    layer = keras.layers.Dense(1)
    for weight in ("kernel", "bias"):
      name_rows(layer, weight, -1, [contrast("classes", labels)])
    return keras.Sequential([keras.Input((3,)), layer])

  old, new = model(["no", "yes"]), model(["yes", "no"])
  old.layers[-1].bias.assign([0.5])
  carry(old, new)
  row = np.ones((1, 3), "float32")
  np.testing.assert_allclose(new(row), -old(row))
  third = model(["yes", "perhaps"])
  assert carry(old, third).weights == 0


def test_another_shape_begins_anew_and_is_named(carry):
  old = _model(["good"], ["no", "yes"], units=4)
  new = _model(["good"], ["no", "yes"], units=5, seed=1)
  before = _logits(new, range(5))
  found = carry(old, new)
  # Only the output's bias has the shape that it had, which is no model to begin from.
  assert (found.weights, found.total, found.is_enough) == (1, 5, False)
  assert "embedding/embeddings" in found.anew
  np.testing.assert_array_equal(before, _logits(new, range(5)))


def test_what_is_less_than_half_is_not_carried_at_all(carry):
  words = [f"word {n}" for n in range(20)]
  old, new = (_model(words, ["no", "yes"], seed=seed) for seed in (0, 1))
  old.layers[-1].bias.assign([1.0, 2.0])
  assert carry(old, new).is_enough
  for changed, is_enough in (({"buckets": 2}, True), ({"units": 5}, False)):
    other = _model(words, ["no", "yes"], seed=2, **changed)
    before = other.layers[-1].bias.numpy()
    assert carry(old, other).is_enough is is_enough
    assert np.array_equal(other.layers[-1].bias.numpy(), before) is not is_enough


def test_rows_of_another_hash_begin_anew(carry):
  words = ["good"]
  old, new = _model(words, ["no", "yes"]), _model(words, ["no", "yes"], buckets=2, seed=1)
  before = _logits(new, [2, 3])
  carry(old, new)
  np.testing.assert_array_equal(_logits(new, [1]), _logits(old, [1]))
  assert not np.allclose(_logits(new, [2, 3]), _logits(old, [2, 3]))
  assert before.shape == (2, 2)


@pytest.mark.parametrize(
  ("now", "weights"),
  [
    # The same vocabularies: places are names.
    ({"labels": ("a", 2), "words": ("w", 5)}, 5),
    # Other words: 1 + 5 + 3 rows may be theirs.
    ({"labels": ("a", 2), "words": ("v", 5)}, 4),
    # Two labels in another order: the outputs may be theirs.
    ({"labels": ("b", 2), "words": ("w", 5)}, 3),
  ],
)
def test_rows_that_nobody_named_are_not_carried_to_another_vocabulary(carry, now, weights):
  words = ["a", "b", "c", "d", "e"]
  old, new = (_model(words, ["no", "yes"], naming=False, seed=seed) for seed in (0, 1))
  before = {"labels": ("a", 2), "words": ("w", 5)}
  assert carry(old, new, before, now).weights == weights


def test_facts_of_a_layer_come_with_its_weights(carry):
  old, new = (_model(["good"], ["no", "yes"], seed=seed) for seed in (0, 1))
  carried_rows.keep_fact(old.layers[2], "shrinkage", 0.3)
  carry(old, new)
  assert carried_rows.facts_of(new.layers[2]) == {"shrinkage": 0.3}
  assert all(carried_rows.is_carried(layer) for layer in new.layers[1:])
  changed = _model(["good", "new"], ["no", "yes"], seed=2)
  carry(old, changed)
  assert [carried_rows.is_carried(layer) for layer in changed.layers[1:]] == [False, True, True]


def test_an_export_without_the_file_or_with_a_damaged_one_says_nothing(tmp_path):
  assert weights_file.read(tmp_path) is None
  path = tmp_path / weights_file.FILE
  path.parent.mkdir()
  path.write_bytes(b"no gzip")
  assert weights_file.read(tmp_path) is None


def test_the_same_model_writes_the_same_bytes(tmp_path):
  contents = []
  for name in ("first", "second"):
    _exported(_model(["good"], ["no", "yes"]), tmp_path / name)
    contents.append((tmp_path / name / weights_file.FILE).read_bytes())
  assert contents[0] == contents[1]


def test_names_that_are_no_names_of_the_rows_are_refused():
  layer = name_outputs(keras.layers.Dense(3), ["no", "yes"])
  model = keras.Sequential([keras.Input((2,)), layer])
  with pytest.raises(ValueError, match="has 3 rows. Received: names of 2"):
    weights_file.weights_of(model)
