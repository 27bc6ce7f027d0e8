"""What every setting of `model` does to the model of images and to how it is trained."""

from __future__ import annotations

import h5py
import keras
import pytest

from dlpipe.errors import BadInputError
from pipeline.tasks.images.augmentation import Augmentation
from pipeline.tasks.images.cnn import Whitening

TASKS = ("images",)
SECTIONS = ("model",)

_BACKBONE = ("model.backbone=squeezenet", "model.image_size=32")
# Trainings are dear; these do not depend on each other.
_CNN_TOGETHER = (
  *("model.widths=[3, 5, 7]", "model.dropout=0.45", "model.shift=0.2", "model.flip=true"),
  *("model.residual=true", "model.whitening=false", "model.cutout=0.5"),
  "model.mirrored_answers=true",
  *("model.label_smoothing=0.125", "model.weight_decay=0.375", "model.warmup=0.5"),
)
_BACKBONE_TOGETHER = (
  *_BACKBONE,
  *("model.head_epochs=3", "model.head_views=2", "model.head_l2=0.25", "model.fine_tune_epochs=4"),
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
  assert desk.seen().model.input_shape == (None, 16, 16, 3)


def _filters(seen) -> list[int]:
  return [each.filters for each in seen.layers(keras.layers.Conv2D)]


def _check_widths(desk) -> None:
  assert _filters(desk.seen(*_CNN_TOGETHER)) == [3, 3, 3, 5, 5, 5, 7, 7, 7]
  assert _filters(desk.seen("model.image_size=32")) == [8, 8, 16, 16]
  inferred = desk.run(desk.task, "model.image_size=64").params.widths
  assert inferred == [32, 64, 128, 256]


def _check_residual(desk) -> None:
  assert len(desk.seen(*_CNN_TOGETHER).layers(keras.layers.Add)) == 3
  assert not desk.seen().layers(keras.layers.Add)


def _check_whitening(desk) -> None:
  [whitening] = desk.seen().layers(Whitening)
  assert not desk.seen(*_CNN_TOGETHER).layers(Whitening)
  assert not whitening.kernel.trainable


def _check_image_dropout(desk) -> None:
  for asked in (_CNN_TOGETHER, _BACKBONE_TOGETHER):
    [dropout] = desk.seen(*asked).layers(keras.layers.Dropout)
    assert dropout.rate == 0.45


def _augmentation(seen) -> Augmentation:
  [found] = seen.layers(Augmentation)
  return found


def _check_shift(desk) -> None:
  assert _augmentation(desk.seen(*_CNN_TOGETHER)).shift == 3  # of 16 pixels
  assert _augmentation(desk.seen("model.shift=0")).shift == 0


def _check_flip(desk) -> None:
  assert not _augmentation(desk.seen()).flip  # digits
  assert _augmentation(desk.seen(*_CNN_TOGETHER)).flip


def _check_cutout(desk) -> None:
  assert _augmentation(desk.seen(*_CNN_TOGETHER)).cutout == 8
  assert _augmentation(desk.seen()).cutout == 0  # with --tiny


def _check_mirrored_answers(desk) -> None:
  assert _augmentation(desk.seen(*_CNN_TOGETHER)).mirrors_answers
  assert not _augmentation(desk.seen()).mirrors_answers
  with pytest.raises(BadInputError, match=r"^model\.mirrored_answers needs pictures that are"):
    desk.run(desk.task, "model.flip=false", "model.mirrored_answers=true")


def _check_label_smoothing(desk) -> None:
  assert desk.seen(*_CNN_TOGETHER).model.loss._smoothing == 0.125
  assert isinstance(desk.seen().model.loss, keras.losses.SparseCategoricalCrossentropy)


def _check_weight_decay(desk) -> None:
  assert desk.seen(*_CNN_TOGETHER).model.optimizer.weight_decay == 0.375
  assert desk.seen().model.optimizer.weight_decay == 0.1


def _check_warmup(desk) -> None:
  """The rate at the first step is 0 with a rise, and the peak without."""
  asked = (_CNN_TOGETHER, ("model.warmup=0",))
  first, usual = (float(desk.seen(*each).model.optimizer.learning_rate) for each in asked)
  assert (first, usual) == (0, pytest.approx(0.01))


def _check_head_epochs(desk) -> None:
  head, _ = desk.seen(*_BACKBONE_TOGETHER).fits
  assert head.epochs == 3


def _check_head_views(desk) -> None:
  head, fine = desk.seen(*_BACKBONE_TOGETHER).fits
  assert (sum(head.sizes), sum(fine.sizes)) == (120, 60)
  assert sum(desk.seen(*_BACKBONE).fits[0].sizes) == 60


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
  "residual": _check_residual,
  "whitening": _check_whitening,
  "shift": _check_shift,
  "flip": _check_flip,
  "cutout": _check_cutout,
  "mirrored_answers": _check_mirrored_answers,
  "label_smoothing": _check_label_smoothing,
  "weight_decay": _check_weight_decay,
  "warmup": _check_warmup,
  "head_epochs": _check_head_epochs,
  "head_views": _check_head_views,
  "head_l2": _check_head_l2,
  "fine_tune_epochs": _check_fine_tuning,
  "fine_tune_factor": _check_fine_tuning,
}


def test_it_changes_what_is_built_or_how_it_is_trained(setting, desk):
  if setting.name == "min_steps":
    desk.check_min_steps()
  else:
    _CHECKS[setting.name](desk)
