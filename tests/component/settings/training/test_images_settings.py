"""What every setting of `model` does to the model of images and to how it is trained."""

from __future__ import annotations

import h5py
import keras
import pytest

from dlpipe.errors import BadInputError

TASKS = ("images",)
SECTIONS = ("model",)

_BACKBONE = ("model.backbone=squeezenet", "model.image_size=32")
# Trainings are dear; these do not depend on each other.
_CNN_TOGETHER = (
  *("model.widths=[3, 5, 7]", "model.dropout=0.45", "model.shift=0.2", "model.flip=true"),
)
_BACKBONE_TOGETHER = (
  *_BACKBONE,
  *("model.head_epochs=3", "model.head_l2=0.25", "model.fine_tune_epochs=4"),
  *("model.fine_tune_factor=0.125", "train.learning_rate=0.5", "model.dropout=0.45"),
)


def _check_backbone(desk) -> None:
  assert desk.seen().model.name == "cnn"
  assert desk.seen(*_BACKBONE).model.get_layer("backbone")
  with pytest.raises(BadInputError, match="Did you mean 'mobilenetv2'"):
    desk.run(desk.task, "model.backbone=MobilNetV2")


def _save(model, path):
  """Writes SqueezeNet's weights as Keras' legacy files name them."""
  with h5py.File(path, "w") as file:
    for layer in model.layers:
      if layer.weights:
        group = file.create_group("/".join(layer.name.split("_", 1)))
        for name, array in zip(("kernel:0", "bias:0"), layer.get_weights(), strict=True):
          group[name] = array


def _check_weights(desk) -> None:
  path = desk.folder / "squeezenet.h5"
  first = desk.seen(*_BACKBONE, "train.seed=3").model.get_layer("backbone").model
  _save(first, path)
  usual, given = (
    desk.seen(*_BACKBONE, *settings).model.get_layer("backbone").model.get_weights()
    for settings in ((), (f"model.weights={path}",))
  )
  assert all((a == b).all() for a, b in zip(first.get_weights(), given, strict=True))
  assert any((a != b).any() for a, b in zip(first.get_weights(), usual, strict=True))
  for settings, message in (
    ([f"model.weights={path}"], "model.weights needs a model.backbone"),
    ([*_BACKBONE, "model.weights=absent.h5"], "Not found: "),
  ):
    with pytest.raises(BadInputError, match=message):
      desk.run(desk.task, *settings)


def _check_image_size(desk) -> None:
  assert desk.prepared("model.image_size=32").values["pixels"].shape == (60, 32, 32, 3)
  assert desk.seen("model.image_size=32").model.input_shape == (None, 32, 32, 3)
  assert desk.seen().model.input_shape == (None, 28, 28, 3)


def _check_widths(desk) -> None:
  convolutions = desk.seen(*_CNN_TOGETHER).layers(keras.layers.Conv2D)
  assert [each.filters for each in convolutions] == [3, 5, 5, 7, 7]


def _check_image_dropout(desk) -> None:
  for asked in (_CNN_TOGETHER, _BACKBONE_TOGETHER):
    [dropout] = desk.seen(*asked).layers(keras.layers.Dropout)
    assert dropout.rate == 0.45


def _check_shift(desk) -> None:
  [shift] = desk.seen(*_CNN_TOGETHER).layers(keras.layers.RandomTranslation)
  assert (shift.height_factor, shift.width_factor) == (0.2, 0.2)
  assert not desk.seen("model.shift=0").layers(keras.layers.RandomTranslation)


def _check_flip(desk) -> None:
  assert not desk.seen().layers(keras.layers.RandomFlip)
  [flip] = desk.seen(*_CNN_TOGETHER).layers(keras.layers.RandomFlip)
  assert flip.mode == "horizontal"


def _check_head_epochs(desk) -> None:
  head, _ = desk.seen(*_BACKBONE_TOGETHER).fits
  assert head.epochs == 3


def _check_head_l2(desk) -> None:
  [head] = desk.seen(*_BACKBONE_TOGETHER).layers(keras.layers.Dense)
  assert float(head.kernel_regularizer.l2) == 0.25


def _check_fine_tuning(desk) -> None:
  head, fine = desk.seen(*_BACKBONE_TOGETHER).fits
  assert (head.rate, fine.rate) == (0.5, 0.0625)
  assert fine.epochs == 4
  assert not fine.frozen
  with pytest.raises(BadInputError, match=r"^model\.fine_tune_factor needs fine-tuning"):
    desk.run(desk.task, *_BACKBONE, "model.fine_tune_epochs=0", "model.fine_tune_factor=0.1")


_CHECKS = {
  "backbone": _check_backbone,
  "weights": _check_weights,
  "image_size": _check_image_size,
  "widths": _check_widths,
  "dropout": _check_image_dropout,
  "shift": _check_shift,
  "flip": _check_flip,
  "head_epochs": _check_head_epochs,
  "head_l2": _check_head_l2,
  "fine_tune_epochs": _check_fine_tuning,
  "fine_tune_factor": _check_fine_tuning,
}


def test_it_changes_what_is_built_or_how_it_is_trained(setting, desk):
  if setting.name == "min_steps":
    desk.check_min_steps()
  else:
    _CHECKS[setting.name](desk)
