"""How a model of pictures is compiled: the loss and metrics of its problem, and its optimizer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras

from pipeline.problems import classes
from pipeline.tasks.images.backbone_names import CNN

if TYPE_CHECKING:
  from pipeline.tasks.images.params import ImageParams

# What a filter can do without: a shrinkage of these only weakens what normalization has set.
_NOT_SHRUNK = ("bias", "gamma", "beta")


def compile_args(params: ImageParams) -> dict[str, Any]:
  """Returns the problem's arguments of `compile`; for the `cnn` also AdamW."""
  arguments = classes.compile_args(params)
  if params.backbone != CNN:
    return arguments

  def adamw(rate: Any) -> keras.Optimizer:
    optimizer = keras.optimizers.AdamW(rate, weight_decay=params.weight_decay)
    optimizer.exclude_from_weight_decay(var_names=list(_NOT_SHRUNK))
    return optimizer

  return {**arguments, "optimizer": adamw}
