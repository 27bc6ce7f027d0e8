"""The images task: an image classifier from class folders, manifests, idx files or TFRecords."""

from __future__ import annotations

import hashlib
import os
import pathlib
from typing import Any

from dlpipe.errors import BadInputError
from pipeline.problems.classes import GATES, PROBLEM
from pipeline.task import Input, Options, Task
from pipeline.tasks.images import sources
from pipeline.tasks.images.backbone_names import CNN, check_backbone, check_weights
from pipeline.tasks.images.features import IMAGE, LABEL, LABEL_ID, PIXELS, SIZE_BUCKET, VOCABULARY
from pipeline.tasks.images.params import ImageParams, widths_for
from pipeline.tasks.images.shipped import shipped_data
from pipeline.tasks.images.sources import picture_paths
from pipeline.tasks.images.sources.options import ImageOptions

_HERE = "pipeline.tasks.images"
# The picture size in the training of most ImageNet backbones.
_BACKBONE_SIZE = 224


def _infer(source: str, path: str, data_options: Options, params: ImageParams) -> ImageParams:
  """Sets the picture size by the data or the backbone, and fingerprints a weights file."""
  backbone = params.backbone
  check_backbone(backbone)
  from_nothing = backbone.lower() == CNN
  size, weights = params.image_size, params.weights
  if size is None:
    size = sources.infer_image_size(source, path, data_options) if from_nothing else _BACKBONE_SIZE
  inferred: dict[str, Any] = {"image_size": size}
  if from_nothing:
    inferred |= {"backbone": CNN, "widths": params.widths or widths_for(size)}
  if weights and from_nothing:
    raise BadInputError("model.weights needs a model.backbone; the cnn starts from nothing.")
  if weights:
    check_weights(backbone, weights)
  if weights and weights != "imagenet":
    file = pathlib.Path(weights).resolve()
    inferred["weights"] = str(file)
    # With the path only, the node would stay CACHED after a change of the file.
    inferred["weights_sha256"] = hashlib.sha256(file.read_bytes()).hexdigest()
  return params.replace(**inferred)


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
    explain="pipeline.explanations.pictures.explain",
  ),
  label_key=LABEL,
  problem=PROBLEM.but(
    label_id_key=LABEL_ID, vocabulary=VOCABULARY, compile_args=f"{_HERE}.recipe.compile_args"
  ),
  cache_dtypes={PIXELS: "uint8"},
  sources=sources.SOURCES,
  shipped_data=shipped_data,
  data_options=ImageOptions,
  params=ImageParams,
  preprocessing_fn=f"{_HERE}.preprocessing.preprocessing_fn",
  build_model=f"{_HERE}.model.build_model",
  adapt=f"{_HERE}.first_look.adapt",
  training_plan=f"{_HERE}.plan.training_plan",
  search_space=f"{_HERE}.model.search_space",
  slices=(LABEL, SIZE_BUCKET),
  infer=_infer,
  gates=GATES,
)
