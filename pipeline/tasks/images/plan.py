"""How the images task trains: from nothing in one phase; with a backbone, its head first."""

from __future__ import annotations

from pipeline.task import Options, Phase


def training_plan(hyperparameters: Options) -> tuple[Phase, ...]:
  """The phases; with a backbone, `head_epochs` and `fine_tune_epochs` replace `epochs`."""
  rate, min_steps = hyperparameters["learning_rate"], hyperparameters["min_steps"]
  if hyperparameters["backbone"] == "cnn":
    epochs = hyperparameters["epochs"]
    return (Phase(name="train", epochs=epochs, learning_rate=rate, min_steps=min_steps),)
  phases = [
    Phase(
      name="head",
      epochs=hyperparameters["head_epochs"],
      learning_rate=rate,
      frozen=("augmentation", "backbone", "pooling"),
      min_steps=min_steps,
      epochs_setting="head_epochs",
    )
  ]
  if hyperparameters["fine_tune_epochs"]:
    phases.append(
      Phase(
        name="fine-tune",
        epochs=hyperparameters["fine_tune_epochs"],
        epochs_setting="fine_tune_epochs",
        learning_rate=rate * hyperparameters["fine_tune_factor"],
      )
    )
  return tuple(phases)
