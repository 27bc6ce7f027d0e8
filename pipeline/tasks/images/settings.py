"""What each setting of the images task means, and what its value may be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from pipeline.sources.table_settings import TABLE_SETTINGS

SETTINGS: Mapping[str, Any] = {
  **TABLE_SETTINGS,
  "data.max_pixels": Annotated[
    int,
    Field(
      ge=1,
      description="a picture with more pixels, width times height, is quarantined and not decoded",
    ),
  ],
  "data.path_column": Annotated[
    str, Field(description="tables: the column that names the picture")
  ],
  "data.label_column": Annotated[str, Field(description="tables: the column that holds the label")],
  "data.split_column": Annotated[
    str | None,
    Field(
      description="tables: the column that names the split (`train`, `val`, `eval`, `test` or "
      "empty); null draws the splits",
    ),
  ],
  "data.image_feature": Annotated[
    str | None, Field(description="TFRecord: the feature that holds the picture; null looks for it")
  ],
  "data.label_feature": Annotated[
    str | None, Field(description="TFRecord: the feature that holds the label; null looks for it")
  ],
  "model.backbone": Annotated[
    str,
    Field(
      description="`cnn`, `squeezenet`, or a constructor of `keras.applications`, such as "
      "`MobileNetV2`",
    ),
  ],
  "model.weights": Annotated[
    str | None, Field(description="of the backbone: `imagenet`, a file, or null for random ones")
  ],
  "model.image_size": Annotated[
    int | None,
    Field(
      ge=8,
      le=1024,
      description="side of the square that pictures are resized to, 8 to 1024; null infers "
      "it: 224 with a backbone, else from the data, 28 to 96",
    ),
  ],
  "model.widths": Annotated[
    list[Annotated[int, Field(ge=1, le=10_000)]],
    Field(
      min_length=1,
      description="`cnn`: filters of each block; each block after the first halves the picture",
    ),
  ],
  "model.dropout": Annotated[float, Field(ge=0, lt=1, description="before the last layer")],
  "model.shift": Annotated[
    float,
    Field(
      ge=0,
      le=1,
      description="augmentation: the largest shift, as a part of the side; 0 shifts nothing",
    ),
  ],
  "model.flip": Annotated[bool, Field(description="augmentation: mirror left and right at random")],
  "model.head_epochs": Annotated[
    int, Field(ge=1, description="backbone: epochs with the backbone frozen")
  ],
  "model.head_l2": Annotated[
    float, Field(ge=0, description="backbone: shrinkage of the last layer")
  ],
  "model.fine_tune_epochs": Annotated[
    int, Field(ge=0, description="backbone: epochs with everything trained; 0 leaves them out")
  ],
  "model.fine_tune_factor": Annotated[
    float,
    Field(
      gt=0, description="backbone: learning rate of fine-tuning, as a part of `train.learning_rate`"
    ),
  ],
  "model.min_steps": Annotated[
    int,
    Field(
      ge=0,
      description="small data gets more epochs until there are so many steps, unless you set them; "
      "fine-tuning does not",
    ),
  ],
}
