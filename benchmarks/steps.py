"""Measures the training loop's steps a second beside a plain loop over the same model and batches.

    python -m benchmarks.steps [--tasks images sentiment translation] [--steps 40] [--rounds 3]

(a) is the loop that `dlpipe run` trains with, `pipeline.training.loop.Training`: metrics, schedule,
progress, checkpoints, TensorBoard, all that a run has but the pass over val. (b) is one tf.function
over an in-memory tf.data pipeline, with the loss alone and nothing else. Both have the same model,
optimizer, batch size and rows. The rounds alternate, and each begins with an epoch that traces.

A ratio is (a)'s steps a second to (b)'s; greater is better for us. CPU is that of the process: keep
it on one core to compare (`taskset -c 0`).
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import pathlib
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from benchmarks.bucketing import Vocabularies, encode, imdb_like
from pipeline.problems import classes
from pipeline.task import Phase
from pipeline.training import datasets, loop
from pipeline.training.machines.adam import FusedAdam

_BATCH = 64


@dataclasses.dataclass(frozen=True, kw_only=True)
class Work:
  """What is trained.

  Attributes:
    build: returns a new model.
    compile_args: the task's arguments of `compile`.
    inputs: `[rows, ...]` by name.
    labels: `[rows, ...]`.
    sequences: names of the inputs, and "label", that are padded with 0.
  """

  build: Callable[[], keras.Model]
  compile_args: Callable[[], dict[str, Any]]
  inputs: dict[str, np.ndarray]
  labels: np.ndarray
  sequences: Sequence[str] = ()


def main() -> None:
  """Prints a JSON line for each task."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("--tasks", nargs="+", choices=list(_TASKS), default=list(_TASKS))
  parser.add_argument("--steps", type=int, default=40)
  parser.add_argument("--rounds", type=int, default=3)
  options = parser.parse_args()
  for name in options.tasks:
    work = _TASKS[name](options.steps * _BATCH)
    rounds = [(_ours(work), _plain(work)) for _ in range(options.rounds)]
    row: dict[str, Any] = {"task": name, "steps": options.steps}
    for number, clock in enumerate(("cpu", "wall")):
      ours, plain = (statistics.median(each[way][number] for each in rounds) for way in (0, 1))
      row |= {f"{clock}_s_ours": round(ours, 3), f"{clock}_s_plain": round(plain, 3)}
      row[f"{clock}_ratio"] = round(plain / ours, 3)
    print(json.dumps(row), flush=True)


class _Clock(keras.callbacks.Callback):
  """Measures the last epoch up to its last step."""

  def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
    """Starts the clocks."""
    self.began = time.process_time(), time.monotonic()

  def on_test_begin(self, logs: Any = None) -> None:
    """Stops them: the steps are over."""
    self.took = time.process_time() - self.began[0], time.monotonic() - self.began[1]


def _split(work: Work) -> datasets.Split:
  return datasets.in_memory(
    work.inputs,
    work.labels,
    sequence_keys=work.sequences,
    label_is_sequence="label" in work.sequences,
  )


def _ours(work: Work) -> tuple[float, float]:
  """Returns CPU and wall seconds of the second epoch of the loop."""
  keras.utils.set_random_seed(1)
  clock = _Clock()
  few = {name: array[:_BATCH] for name, array in work.inputs.items()}
  with tempfile.TemporaryDirectory(prefix="dlpipe-bench-") as scratch:
    loop.Training(
      model=work.build(),
      phases=[Phase(name="train", epochs=2, learning_rate=1e-3)],
      train=_split(work),
      val=_split(dataclasses.replace(work, inputs=few, labels=work.labels[:_BATCH])),
      compile_args=work.compile_args,
      batch_size=_BATCH,
      monitor=("val_loss", "min"),
      patience=9,
      seed=1,
      distribution=tf.distribute.get_strategy(),
      checkpoint_dir=pathlib.Path(scratch) / "checkpoint",
      log_dir=scratch,
      own_callbacks=lambda: [clock],
    ).run()
  return clock.took


def _plain(work: Work) -> tuple[float, float]:
  """Returns CPU and wall seconds of the second epoch of a loop without anything around it."""
  keras.utils.set_random_seed(1)
  model = work.build()
  arguments = work.compile_args()
  optimizer = arguments.pop("optimizer", FusedAdam)(1e-3)
  model.compile(optimizer, **arguments, jit_compile=False)
  optimizer.build(model.trainable_variables)
  has_own_step = type(model).train_step is not keras.Model.train_step

  @tf.function(reduce_retracing=True)
  def step(inputs: Any, labels: tf.Tensor) -> tf.Tensor:
    if has_own_step:
      return model.train_step((inputs, labels))["loss"]
    with tf.GradientTape() as tape:
      loss = model.loss(labels, model(inputs, training=True)) + sum(model.losses)
    gradients = tape.gradient(loss, [each.value for each in model.trainable_variables])
    optimizer.apply(gradients, model.trainable_variables)
    return loss

  # The same batches: cutting them otherwise would compare lengths, not loops.
  data = _split(work).batches(_BATCH, 1)
  for _ in range(2):
    began = time.process_time(), time.monotonic()
    for inputs, labels in data:
      loss = step(inputs, labels)
    float(loss)
    took = time.process_time() - began[0], time.monotonic() - began[1]
  return took


class _Vocabulary:
  """Replaces the transform graph of the images task."""

  def vocabulary_size_by_name(self, _: str) -> int:
    return 10


def _images(rows: int) -> Work:
  from pipeline.tasks.images.features import PIXELS
  from pipeline.tasks.images.model import build_model
  from pipeline.tasks.images.params import ImageParams, widths_for
  from pipeline.tasks.images.recipe import compile_args

  params = ImageParams(image_size=32, widths=widths_for(32), flip=True, label_smoothing=0.1)
  rng = np.random.default_rng(0)
  return Work(
    build=lambda: build_model(params, _Vocabulary()),
    compile_args=lambda: compile_args(params),
    inputs={PIXELS: rng.integers(0, 256, (rows, 32, 32, 3), "uint8")},
    labels=rng.integers(0, 10, rows),
  )


def _sentiment(rows: int) -> Work:
  from pipeline.tasks.sentiment.model import build_model

  texts, labels = imdb_like(rows)
  inputs, words, params = encode(texts)
  return Work(
    build=lambda: build_model(params, Vocabularies(words)),
    compile_args=lambda: classes.compile_args(params),
    inputs=inputs,
    labels=labels,
    sequences=list(inputs),
  )


def _translation(rows: int) -> Work:
  from pipeline.tasks.translation.model import Translator, compile_args
  from pipeline.tasks.translation.params import TranslationParams

  params, rng = TranslationParams(), np.random.default_rng(0)
  pieces = [""] * 4 + [f"piece{number}" for number in range(8000)]

  def sentences() -> np.ndarray:
    lengths = rng.integers(5, 26, (rows, 1))
    ids = 4 + rng.zipf(1.3, (rows, 26)) % 8000
    return np.where(np.arange(26) < lengths, ids, 0).astype("int64")

  return Work(
    build=lambda: Translator(params, pieces, pieces),
    compile_args=lambda: compile_args(params),
    inputs={"source_ids": sentences()},
    labels=sentences(),
    sequences=["source_ids", "label"],
  )


_TASKS: dict[str, Callable[[int], Work]] = {
  "images": _images,
  "sentiment": _sentiment,
  "translation": _translation,
}

if __name__ == "__main__":
  main()
