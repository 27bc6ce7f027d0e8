"""How the sentiment task trains: from nothing, or from pre-trained vectors, in one phase."""

from __future__ import annotations

from pipeline.task import Options, Phase


def training_plan(hyperparameters: Options) -> tuple[Phase, ...]:
  """One phase; small data gets more epochs, until there are `min_steps` steps."""
  return (
    Phase(
      name="train",
      epochs=hyperparameters["epochs"],
      learning_rate=hyperparameters["learning_rate"],
      min_steps=hyperparameters["min_steps"],
    ),
  )
