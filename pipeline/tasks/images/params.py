"""The settings of the images task's models: a `cnn`, or a backbone with a new head."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from pipeline.params import Params, Role
from pipeline.tasks.images.backbone_names import CNN

if TYPE_CHECKING:
  from typing_extensions import Self


class ImageParams(Params):
  """The settings `model.<name>` and `train.<name>` of the images task."""

  backbone: str = Field(
    "cnn",
    description="`cnn`, `squeezenet`, or a constructor of `keras.applications`, such as "
    "`MobileNetV2`",
  )
  weights: str | None = Field(
    None, description="of the backbone: `imagenet`, a file, or null for random ones"
  )
  weights_sha256: Annotated[str | None, Role.INFERRED] = None
  image_size: Annotated[int | None, Role.TRANSFORM] = Field(
    None,
    ge=8,
    le=1024,
    description="side of the square that pictures are resized to, 8 to 1024; null infers it: 224 "
    "with a backbone, else from the data, 16 to 96",
  )
  widths: list[Annotated[int, Field(ge=1, le=10_000)]] | None = Field(
    None,
    min_length=1,
    description="`cnn`: filters of each block; each block halves the picture; null infers them "
    "from `image_size`: 64, 128, 256 at 32 pixels",
  )
  residual: bool = Field(
    False, description="`cnn`: blocks of three convolutions with a shortcut instead of two"
  )
  whitening: bool = Field(
    True, description="`cnn`: a first layer that is fixed to whiten the patches of train"
  )
  dropout: float = Field(0.3, ge=0, lt=1, description="before the last layer")
  shift: float = Field(
    0.08,
    ge=0,
    le=1,
    description="augmentation: the largest shift, as a part of the side; 0 shifts nothing",
  )
  flip: bool | None = Field(
    None,
    description="augmentation: mirror left and right at random; null decides by whether mirrored "
    "pictures still resemble their class",
  )
  cutout: float = Field(
    0.25,
    ge=0,
    le=1,
    description="augmentation: side of a square that is covered, as a part of the picture's",
  )
  mirrored_answers: bool = Field(
    True,
    description="`cnn`: each answer is the mean of those for a picture and its mirror image, where "
    "pictures are mirrored in training; takes twice the time",
  )
  label_smoothing: float = Field(
    0.0, ge=0, lt=1, description="part of each target that goes to all classes alike"
  )
  weight_decay: float = Field(
    0.1, ge=0, description="`cnn`: shrinkage of the weights in AdamW, as a part of the rate"
  )
  warmup: float = Field(
    0.2, ge=0, lt=1, description="`cnn`: part of the steps in which the learning rate rises"
  )
  epochs: int = 16
  head_epochs: Annotated[int, Role.EPOCHS] = Field(
    30, ge=1, description="backbone: epochs with the backbone frozen"
  )
  head_views: int = Field(
    1,
    ge=1,
    le=100,
    description="backbone: how often the head sees each picture, once as it is and otherwise "
    "augmented; each costs a pass of the backbone",
  )
  head_l2: float = Field(0.003, ge=0, description="backbone: shrinkage of the last layer")
  fine_tune_epochs: int = Field(
    2, ge=0, description="backbone: epochs with everything trained; 0 leaves them out"
  )
  fine_tune_factor: float = Field(
    0.005,
    gt=0,
    description="backbone: learning rate of fine-tuning, as a part of `train.learning_rate`",
  )
  min_steps: int = Field(
    600,
    ge=0,
    description="small data gets more epochs until there are so many steps, unless you set them; "
    "fine-tuning does not",
  )
  batch_size: int = 64
  learning_rate: float = 0.003

  def bfloat16_pays(self) -> bool:
    """Returns whether the pictures go through `cnn`; a backbone's features are computed once."""
    return self.backbone == CNN

  @classmethod
  def tiny(cls) -> Self:
    """Returns settings for a narrow `cnn`, or for the head of a backbone only."""
    return cls(
      widths=[8, 16],
      cutout=0.0,
      mirrored_answers=False,
      epochs=6,
      head_epochs=6,
      fine_tune_epochs=0,
      min_steps=0,
      learning_rate=0.01,
    )

  def unread(self) -> Mapping[str, str]:
    """Maps settings of the head to advice for a `cnn`, and those of the `cnn` for a backbone."""
    if self.backbone.lower() == "cnn":
      of_backbone = "is a backbone's, and the cnn has none. Set model.backbone, or leave it out"
      names = ("head_epochs", "head_views", "head_l2", "fine_tune_epochs", "fine_tune_factor")
      unread = dict.fromkeys(names, of_backbone)
      if self.flip is False:
        unread["mirrored_answers"] = (
          "needs pictures that are mirrored in training. Leave out model.flip=false"
        )
      return unread
    of_cnn = "is the cnn's, and a backbone has its own. Leave it out"
    unread = {
      "epochs": "is the cnn's. A backbone's epochs are model.head_epochs and "
      "model.fine_tune_epochs",
      **dict.fromkeys(("widths", "residual", "whitening", "mirrored_answers"), of_cnn),
      **dict.fromkeys(("weight_decay", "warmup"), "is the cnn's. Leave it out"),
    }
    if not self.fine_tune_epochs:
      unread["fine_tune_factor"] = "needs fine-tuning. Set model.fine_tune_epochs to more than 0"
    return unread


def widths_for(size: int) -> list[int]:
  """Returns the filters of each block for pictures of `size` pixels a side.

  There are so many blocks that the last map has about 4 x 4 places, so that its places see the
  whole picture.

  >>> widths_for(16), widths_for(32), widths_for(96)
  ([64, 128], [64, 128, 256], [32, 64, 128, 256])
  """
  blocks = max(1, round(math.log2(size / 4.5)))
  return {1: [64], 2: [64, 128], 3: [64, 128, 256]}.get(
    blocks, [*[16] * (blocks - 5), *[32] * min(blocks - 3, 2), 64, 128, 256][-blocks:]
  )
