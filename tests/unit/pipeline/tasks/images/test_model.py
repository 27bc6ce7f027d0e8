"""The images task's models: shapes, augmentation in training only, and what a caller reads."""

import re

import keras
import keras_tuner
import numpy as np
import pytest
import tensorflow as tf

from dlpipe.errors import BadInputError
from pipeline.tasks.images.model import build_model, search_space
from pipeline.tasks.images.params import ImageParams
from pipeline.tasks.images.plan import training_plan
from pipeline.tasks.images.recipe import compile_args
from pipeline.tasks.images.task import TASK
from pipeline.training.answering import answering

_DEFAULTS = ImageParams(image_size=12, widths=[4, 8], label_smoothing=0.1, flip=False)


def _build(graph, **changes):
  keras.utils.set_random_seed(1)
  return build_model(_DEFAULTS.replace(**changes), graph.output)


@pytest.fixture(scope="module")
def cnn(graph):
  return _build(graph, widths=[4, 8], shift=0.3, flip=True, dropout=0.5)


@pytest.fixture(scope="module")
def transfer(graph):
  return _build(graph, backbone="squeezenet", image_size=64, shift=0.3, dropout=0.5)


@pytest.fixture(scope="module")
def pixels():
  return np.random.default_rng(0).integers(0, 256, (3, 12, 12, 3)).astype("float32")


@pytest.mark.parametrize("kind", ["cnn", "transfer"])
def test_a_model_goes_from_pixels_to_logits(request, kind):
  model = request.getfixturevalue(kind)
  size = 12 if kind == "cnn" else 64
  assert model.input_shape == (None, size, size, 3)
  assert model.output_shape == (None, 2)
  logits = model(np.zeros((2, size, size, 3), "float32"), training=False)
  assert logits.dtype == tf.float32


def test_augmentation_happens_in_training_only(cnn, pixels):
  [first, again] = [cnn(pixels, training=False).numpy() for _ in range(2)]
  np.testing.assert_array_equal(first, again)
  layer = cnn.get_layer("augmentation")
  np.testing.assert_array_equal(layer(pixels, training=False)[: len(pixels)], pixels)
  augmented = [np.asarray(layer(pixels, training=True)) for _ in range(2)]
  assert not np.array_equal(augmented[0], pixels)
  assert not np.array_equal(augmented[0], augmented[1])
  # Moved and mirrored, never recoloured.
  assert augmented[0].min() >= 0
  assert augmented[0].max() <= 255


@pytest.mark.parametrize("flip", [False, True])
def test_pictures_are_mirrored_only_where_asked(graph, pixels, flip):
  layer = _build(graph, shift=0.0, cutout=0.0, flip=flip).get_layer("augmentation")
  seen = [np.asarray(layer(pixels, training=True)) for _ in range(8)]
  mirrored = [np.array_equal(s[i], pixels[i, :, ::-1]) for s in seen for i in range(3)]
  kept = [np.array_equal(s[i], pixels[i]) for s in seen for i in range(3)]
  assert all(m or k for m, k in zip(mirrored, kept, strict=True))
  assert any(mirrored) is flip
  assert any(kept)


def test_a_backbone_runs_as_in_inference_even_in_training(graph):
  still = {"shift": 0.0, "dropout": 0.0, "weights": None}
  model = _build(graph, backbone="MobileNetV2", image_size=32, **still)
  data = np.random.default_rng(0).uniform(0, 255, (4, 32, 32, 3)).astype("float32")
  before = [np.array(w) for w in model.get_layer("backbone").non_trainable_weights]
  assert before
  # As in fit: what the whole model is told reaches the layers in it.
  model(data, training=True)
  backbone = model.get_layer("backbone")
  np.testing.assert_array_equal(backbone(data, training=True), backbone(data, training=False))
  after = model.get_layer("backbone").non_trainable_weights
  for old, new in zip(before, after, strict=True):
    np.testing.assert_array_equal(old, new)


def test_the_plan_freezes_layers_that_the_model_starts_with(transfer):
  params = _DEFAULTS.replace(backbone="squeezenet")
  head, fine_tune = training_plan(params)
  assert [layer.name for layer in transfer.layers[:3]] == list(head.frozen)
  assert (head.epochs, head.learning_rate, head.min_steps) == (30, 0.003, 600)
  assert fine_tune.frozen == ()
  assert (fine_tune.epochs, fine_tune.learning_rate) == (2, pytest.approx(0.003 * 0.005))
  assert (head.epochs_setting, fine_tune.epochs_setting) == ("head_epochs", "fine_tune_epochs")
  [only] = training_plan(params.replace(fine_tune_epochs=0))
  assert only == head


def test_the_cnns_plan_is_one_phase_over_all_layers():
  [phase] = training_plan(_DEFAULTS)
  assert (phase.frozen, phase.epochs, phase.min_steps) == ((), 16, 600)
  assert phase.warmup == 0.2


@pytest.mark.parametrize(
  "changes",
  [{}, {"backbone": "squeezenet"}, {"backbone": "squeezenet", "fine_tune_epochs": 0}],
)
def test_what_is_refused_as_unread_is_what_is_not_read(graph, recorded, changes):
  params = _DEFAULTS.replace(image_size=64, **changes)
  watched, read = recorded(params)
  build_model(watched, graph.output)
  training_plan(watched)
  arguments = compile_args(watched)
  arguments.get("optimizer", lambda _: None)(0.1)
  # What is said of the weights of a cnn is refused beside the check of the file.
  assert set(_DEFAULTS.as_json()) - read - {"batch_size", "weights"} == set(params.unread())


@pytest.mark.parametrize("widths", [[], [8, 0], [-1]])
def test_widths_must_be_positive(graph, widths):
  expected = "model.widths must be null or a list of whole numbers from 1 to 10,000. Received: ["
  with pytest.raises(BadInputError, match=re.escape(expected)):
    _build(graph, widths=widths)


def test_an_unknown_backbone_is_bad_input(graph):
  with pytest.raises(BadInputError, match="Did you mean 'squeezenet'"):
    _build(graph, backbone="squeezent", image_size=64)


def test_the_loss_takes_logits_and_integer_labels():
  compiled = compile_args(_DEFAULTS.replace(label_smoothing=0.0))
  logits = np.array([[2.0, 0.0], [0.0, 2.0]], "float32")
  loss = float(compiled["loss"](np.array([0, 0]), logits))
  assert loss == pytest.approx((np.log1p(np.exp(-2)) + np.log1p(np.exp(2))) / 2, rel=1e-5)
  [accuracy] = compiled["metrics"]
  accuracy.update_state(np.array([0, 0]), logits)
  assert float(accuracy.result()) == 0.5


def test_the_search_space_is_around_this_runs_values():
  space = keras_tuner.HyperParameters()
  search_space(space, _DEFAULTS.replace(learning_rate=0.02, dropout=0.21))
  assert space.values == {"learning_rate": 0.02, "dropout": 0.2}
  rate, _ = space.space
  assert (rate.min_value, rate.max_value, rate.sampling) == (0.002, 0.2, "log")


@pytest.mark.parametrize(
  ("changes", "varied"),
  [
    ({}, {"learning_rate", "dropout"}),
    ({"backbone": "squeezenet"}, {"learning_rate", "dropout", "head_l2"}),
    ({"backbone": "squeezenet", "head_l2": 0.0}, {"learning_rate", "dropout"}),
  ],
)
def test_the_search_space_is_that_of_the_model(changes, varied):
  space = keras_tuner.HyperParameters()
  search_space(space, _DEFAULTS.replace(**changes))
  assert {each.name for each in space.space} == varied


def test_what_a_caller_reads(graph, cnn, pixels):
  answer = answering(TASK, cnn, graph.output, {})({"pixels": tf.constant(pixels)})
  scores = answer["scores"].numpy()
  expected = tf.nn.softmax(cnn(pixels, training=False)).numpy()
  np.testing.assert_allclose(scores, expected, atol=1e-6)
  assert answer["score"].numpy().tolist() == scores.max(axis=1).tolist()
  assert answer["labels"].numpy().tolist() == [[b"cat", b"dog"]] * 3
  best = [(b"cat", b"dog")[i] for i in scores.argmax(axis=1)]
  assert answer["label"].numpy().tolist() == best
