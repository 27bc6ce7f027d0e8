"""Baseline (a): what a person writes without a pipeline. Reads idx files, trains, evaluates, saves.

    python plain_keras.py DATA_FOLDER EPOCHS

The model, the augmentation, the optimizer and the batch size are those of the images task.
"""

from __future__ import annotations

import gzip
import math
import pathlib
import resource
import sys
import tempfile

import keras
import numpy as np
import tensorflow as tf

from pipeline.problems.classes import compile_args
from pipeline.tasks.images.model import build_model
from pipeline.tasks.images.task import TASK


class _Classes:
  """Stands where the pipeline has a transform graph; the model asks only how many classes."""

  def vocabulary_size_by_name(self, _: str) -> int:
    return 10


def read(folder: pathlib.Path, split: str) -> tuple[np.ndarray, np.ndarray]:
  """Returns pictures `[n, 28, 28, 3]` uint8 and labels `[n]` uint8."""
  images = gzip.decompress((folder / f"{split}-images-idx3-ubyte.gz").read_bytes())
  labels = gzip.decompress((folder / f"{split}-labels-idx1-ubyte.gz").read_bytes())
  pixels = np.frombuffer(images, np.uint8, offset=16).reshape(-1, 28, 28, 1)
  return np.repeat(pixels, 3, axis=-1), np.frombuffer(labels, np.uint8, offset=8)


def main(folder: str, epochs: int) -> None:
  """Trains and reports the test accuracy on stdout and the peak memory on stderr."""
  params = TASK.params.usual().replace(image_size=28, epochs=epochs)
  pixels, labels = read(pathlib.Path(folder), "train")
  kept = len(labels) * 9 // 10  # the pipeline validates on a tenth, too
  steps = math.ceil(kept / params.batch_size)
  model = build_model(params, _Classes())
  model.compile(
    keras.optimizers.Adam(
      keras.optimizers.schedules.CosineDecay(params.learning_rate, steps * epochs)
    ),
    **compile_args(params),
    jit_compile=False,
  )
  train = (
    tf.data.Dataset.from_tensor_slices((pixels[:kept], labels[:kept]))
    .shuffle(kept, seed=1)
    .batch(params.batch_size)
    .prefetch(tf.data.AUTOTUNE)
  )
  val = tf.data.Dataset.from_tensor_slices((pixels[kept:], labels[kept:])).batch(256)
  model.fit(train, validation_data=val, epochs=epochs, verbose=0)
  _, accuracy = model.evaluate(*read(pathlib.Path(folder), "t10k"), batch_size=256, verbose=0)
  with tempfile.TemporaryDirectory() as target:
    model.export(target)
  print(f"accuracy {accuracy:.4f}")
  peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
  print(f"PEAK_MB {peak:.1f}", file=sys.stderr)


if __name__ == "__main__":
  main(sys.argv[1], int(sys.argv[2]))
