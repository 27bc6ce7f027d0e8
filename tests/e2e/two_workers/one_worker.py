"""One worker of a small training; `test_two_workers.py` starts two of them.

python one_worker.py FOLDER: trains as TF_CONFIG says, with its checkpoint in FOLDER. Each epoch is
a line on stderr; history and weights are JSON on stdout.
"""

import json
import logging
import pathlib
import sys

import keras
import numpy as np

from dlpipe import progress
from pipeline.task import Phase
from pipeline.training import datasets, loop
from pipeline.training.machines import strategy

_EPOCHS = 12


def _data(rows, seed):
  features = np.random.default_rng(seed).normal(size=(rows, 8)).astype("float32")
  return datasets.in_memory({"features": features}, (features.sum(axis=1) > 0).astype("int64"))


def main():
  folder = pathlib.Path(sys.argv[1])
  logging.basicConfig(stream=sys.stderr)
  logging.getLogger(progress.LOGGER_NAME).setLevel(logging.INFO)
  distribution = strategy.make_strategy()
  keras.utils.set_random_seed(1)
  with distribution.scope():
    model = keras.Sequential(
      [keras.Input((8,)), keras.layers.Dense(16, activation="relu"), keras.layers.Dense(2)]
    )
  history = loop.Training(
    model=model,
    phases=[Phase(name="train", epochs=_EPOCHS, learning_rate=0.01)],
    train=_data(203, 1),
    val=_data(64, 2),
    compile_args=lambda: {
      "loss": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
      "metrics": [keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
    },
    batch_size=32,
    monitor=("val_accuracy", "max"),
    patience=99,
    seed=3,
    distribution=distribution,
    checkpoint_dir=folder / "checkpoints",
    log_dir=str(folder / f"logs-{strategy.is_chief()}"),
  ).run()
  weights = [w.tolist() for w in model.get_weights()]
  sys.stdout.write(json.dumps({"history": history, "weights": weights}))


if __name__ == "__main__":
  main()
