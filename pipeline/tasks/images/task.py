"""The images task: class folders, manifests, idx files or TFRecords to an image classifier."""

from __future__ import annotations

import hashlib
import os
import pathlib
from typing import Any

from dlpipe.errors import BadInputError
from pipeline.sources.text_files.text_tables import TABLE_OPTIONS
from pipeline.task import Input, MetricGate, Options, Task
from pipeline.tasks.images import sources
from pipeline.tasks.images.backbone_names import CNN, check_backbone, check_weights
from pipeline.tasks.images.features import IMAGE, LABEL, LABEL_ID, PIXELS, SIZE_BUCKET, VOCABULARY
from pipeline.tasks.images.settings import SETTINGS
from pipeline.tasks.images.shipped import shipped_data
from pipeline.tasks.images.sources import picture_paths

_HERE = "pipeline.tasks.images"
# What most ImageNet backbones were trained on.
_BACKBONE_SIZE = 224


def _infer(
  source: str, path: str, data_options: Options, hyperparameters: Options
) -> dict[str, Any]:
  """Fits the picture size to the data or the backbone, and identifies a weights file."""
  backbone = hyperparameters["backbone"]
  check_backbone(backbone)
  from_nothing = backbone.lower() == CNN
  size, weights = hyperparameters["image_size"], hyperparameters["weights"]
  if size is None:
    size = sources.infer_image_size(source, path, data_options) if from_nothing else _BACKBONE_SIZE
  inferred: dict[str, Any] = {"image_size": size, **({"backbone": CNN} if from_nothing else {})}
  if weights and from_nothing:
    raise BadInputError("model.weights needs a model.backbone; the cnn starts from nothing.")
  if weights:
    check_weights(backbone, weights)
  if weights and weights != "imagenet":
    file = pathlib.Path(weights).resolve()
    inferred["weights"] = str(file)
    # The path alone would let an exchanged file come back CACHED.
    inferred["weights_sha256"] = hashlib.sha256(file.read_bytes()).hexdigest()
  return inferred


def _unread(hyperparameters: Options) -> dict[str, str]:
  """The `cnn` has no head and no fine-tuning; a backbone has no widths and epochs of its own."""
  if hyperparameters["backbone"].lower() == "cnn":
    of_backbone = "is a backbone's, and the cnn has none. Set model.backbone, or leave it out"
    return {
      **dict.fromkeys(("head_epochs", "head_l2", "fine_tune_epochs"), of_backbone),
      "fine_tune_factor": of_backbone,
    }
  unread = {
    "epochs": "is the cnn's. A backbone's epochs are model.head_epochs and model.fine_tune_epochs",
    "widths": "is the cnn's, and a backbone has its own. Leave it out",
  }
  if not hyperparameters["fine_tune_epochs"]:
    unread["fine_tune_factor"] = "needs fine-tuning. Set model.fine_tune_epochs to more than 0"
  return unread


def _sample_input() -> str:
  return str(min(pathlib.Path(shipped_data()).glob("*/*.png")))


def _find_file(folder: str, cell: Any) -> str:
  return os.path.join(folder, picture_paths.find(folder, picture_paths.written_path(cell)))


def _file_bytes(path: Any) -> bytes:
  if not isinstance(path, str):
    raise ValueError(f"the path is no string, but of type {type(path).__name__}")
  try:
    return pathlib.Path(path).read_bytes()
  except OSError as err:
    raise BadInputError(f"Cannot read the picture {path!r}: {err.strerror}.") from err


TASK = Task(
  name="images",
  summary="Image classification with a convolutional network.",
  input=Input(
    key=IMAGE,
    kind="file",
    value=_file_bytes,
    sample=_sample_input,
    find_file=_find_file,
    rule=f"{_HERE}.pictures.servable.faults",
    bounds=("max_pixels",),
    describe="pipeline.checks.pictures.describe",
  ),
  label_key=LABEL,
  label_id_key=LABEL_ID,
  cache_dtypes={PIXELS: "uint8"},
  vocabulary=VOCABULARY,
  sources=sources.SOURCES,
  shipped_data=shipped_data,
  data_options={
    "max_pixels": 50_000_000,
    "path_column": "path",
    "label_column": "label",
    **TABLE_OPTIONS,
    "image_feature": None,
    "label_feature": None,
  },
  preprocessing_fn=f"{_HERE}.preprocessing.preprocessing_fn",
  preprocessing_hyperparameters=("image_size",),
  build_model=f"{_HERE}.model.build_model",
  compile_args=f"{_HERE}.model.compile_args",
  training_plan=f"{_HERE}.plan.training_plan",
  serving_outputs=f"{_HERE}.model.serving_outputs",
  search_space=f"{_HERE}.model.search_space",
  metrics=f"{_HERE}.metrics.metrics",
  slices=(LABEL, SIZE_BUCKET),
  monitor=("val_accuracy", "max"),
  infer_hyperparameters=_infer,
  unread=_unread,
  lifted_epochs=("epochs", "head_epochs"),
  settings=SETTINGS,
  hyperparameters={
    "backbone": "cnn",
    "weights": None,
    "image_size": None,
    "widths": [32, 64, 128],
    "dropout": 0.3,
    "shift": 0.08,
    "flip": False,
    "epochs": 12,
    "head_epochs": 30,
    "head_l2": 0.01,
    "fine_tune_epochs": 2,
    "fine_tune_factor": 0.005,
    "min_steps": 600,
    "batch_size": 64,
    "learning_rate": 0.003,
  },
  tiny={
    "widths": [8, 16],
    "epochs": 6,
    "head_epochs": 6,
    "fine_tune_epochs": 0,
    "min_steps": 0,
    "learning_rate": 0.01,
  },
  gates=(
    MetricGate(
      metric="skill",
      best=1,
      bound=0.3,
      reason="a model worth serving avoids a good part of the errors that always guessing the "
      "commonest class makes",
    ),
    MetricGate(
      metric="accuracy",
      best=1,
      max_regression=0.01,
      reason="a new version may not be worse than the one it replaces, but for chance",
    ),
  ),
)
