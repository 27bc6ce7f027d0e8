"""The training plan of the images task: one phase, or with a backbone first its head."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.task import Phase

if TYPE_CHECKING:
  from pipeline.tasks.images.params import ImageParams


def training_plan(params: ImageParams) -> tuple[Phase, ...]:
  """Returns the phases; with a backbone, `head_epochs` and `fine_tune_epochs` replace `epochs`."""
  rate, min_steps = params.learning_rate, params.min_steps
  if params.backbone == "cnn":
    return (
      Phase(
        name="train",
        epochs=params.epochs,
        learning_rate=rate,
        min_steps=min_steps,
        warmup=params.warmup,
      ),
    )
  phases = [
    Phase(
      name="head",
      epochs=params.head_epochs,
      learning_rate=rate,
      frozen=("augmentation", "backbone", "pooling"),
      min_steps=min_steps,
      epochs_setting="head_epochs",
      views=params.head_views,
    )
  ]
  if params.fine_tune_epochs:
    phases.append(
      Phase(
        name="fine-tune",
        epochs=params.fine_tune_epochs,
        epochs_setting="fine_tune_epochs",
        learning_rate=rate * params.fine_tune_factor,
      )
    )
  return tuple(phases)
