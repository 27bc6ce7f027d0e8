"""The models that the servers are measured with, each `<folder>/<name>/1`.

    python served_models.py FOLDER

`small` is the CNN of most figures, `heavy` one that takes 5 ms and more, `loop` a loop of as many
turns as it is asked for. Weights are random: what a model answers is compared, not judged.
"""

from __future__ import annotations

import os
import pathlib
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import tensorflow as tf
from keras import layers

IMAGE = (28, 28, 1)
INPUT = "image"


def small() -> keras.Model:
  """28x28x1 to ten numbers; 24,000 parameters."""
  return keras.Sequential(
    [
      keras.Input(IMAGE, name=INPUT),
      layers.Conv2D(16, 3, strides=2, activation="relu"),
      layers.Conv2D(32, 3, strides=2, activation="relu"),
      layers.Conv2D(64, 3, activation="relu"),
      layers.GlobalAveragePooling2D(),
      layers.Dense(10),
    ]
  )


def heavy() -> keras.Model:
  """28x28x1 to ten numbers; 1.3 G multiplications a row."""
  convolutions = [layers.Conv2D(160, 3, padding="same", activation="relu") for _ in range(8)]
  return keras.Sequential(
    [
      keras.Input(IMAGE, name=INPUT),
      *convolutions,
      layers.GlobalAveragePooling2D(),
      layers.Dense(10),
    ]
  )


class Loop(tf.Module):
  """`rounds` turns that nothing shortens."""

  @tf.function(input_signature=[tf.TensorSpec([None], tf.int32, name="rounds")])
  def __call__(self, rounds: tf.Tensor) -> dict[str, tf.Tensor]:
    done = tf.while_loop(lambda i: i < rounds[0], lambda i: [i + 1], [tf.constant(0)])
    return {"done": tf.fill(tf.shape(rounds), done[0])}


def main() -> None:
  """Writes what is not there yet."""
  folder = pathlib.Path(sys.argv[1])
  keras.utils.set_random_seed(1)
  for make in (small, heavy):
    path = folder / make.__name__ / "1"
    if not path.exists():
      make().export(str(path), verbose=False)
  loop, path = Loop(), folder / "loop" / "1"
  if not path.exists():
    tf.saved_model.save(loop, str(path), signatures={"serving_default": loop.__call__})


if __name__ == "__main__":
  main()
