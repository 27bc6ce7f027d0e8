"""Measures what batches of similar length save: seconds per epoch, and the accuracy of both ways.

    python benchmarks/bucketing.py --lengths imdb    # lengths like IMDB's reviews
    DLPIPE_DATASETS=... python benchmarks/bucketing.py --lengths mr

Both ways train the sentiment task's model on the same arrays for the same number of epochs. One
gets its batches from `pipeline.training.datasets`: rows of similar length, cut to the longest row
of the batch. The other draws rows at random and pads each batch to the longest text of all. The
texts are the sample reviews; for `imdb`, neutral sentences are added until the lengths are
log-normal with the median and the spread of IMDB's (174 words; a quarter has over 280), cut at 400.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import pathlib
import random
import tempfile
import time
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from data.sentiment import reviews, vocabulary
from pipeline.problems.classes import compile_args
from pipeline.tasks.sentiment.features import END_CHARS, START_CHARS, STEM_CHARS, WORDS
from pipeline.tasks.sentiment.model import SEQUENCES, build_model
from pipeline.tasks.sentiment.params import SentimentParams
from pipeline.text.words import part_buckets, split_words
from pipeline.training import datasets

_MEDIAN, _SPREAD, _LONGEST = 174, 0.75, 400


class Vocabularies:
  """Replaces the pipeline's transform graph; its words all occur once."""

  def __init__(self, words: list[bytes]):
    self._folder = tempfile.TemporaryDirectory(prefix="dlpipe-bench-")
    self.transform_savedmodel_dir = self._folder.name
    assets = pathlib.Path(self._folder.name, tf.saved_model.ASSETS_DIRECTORY)
    assets.mkdir()
    (assets / WORDS).write_bytes(b"\n".join(b"1 " + word for word in words))

  def vocabulary_size_by_name(self, _: str) -> int:
    """Returns the number of classes."""
    return 2

  def vocabulary_by_name(self, _: str) -> list[bytes]:
    """Returns the classes."""
    return [b"negative", b"positive"]


def main() -> None:
  """Prints a JSON line for each way, and the ratio."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("--lengths", choices=["imdb", "mr"], default="imdb")
  parser.add_argument("--rows", type=int, default=3000)
  parser.add_argument("--epochs", type=int, default=3)
  options = parser.parse_args()
  texts, labels = (imdb_like if options.lengths == "imdb" else mr_polarity)(options.rows)
  inputs, words, params = encode(texts)
  held_out = len(labels) // 5
  rows = []
  for way in ("bucketed", "padded"):
    row = train(
      way, inputs, labels, words, params.replace(epochs=options.epochs), held_out, options.epochs
    )
    rows.append(row)
    print(json.dumps(row), flush=True)
  ratio = rows[1]["epoch_seconds"] / rows[0]["epoch_seconds"]
  print(f"padding to the longest takes {ratio:.2f} times as long an epoch")


def imdb_like(rows: int) -> tuple[list[str], np.ndarray]:
  """Returns sample reviews, lengthened to IMDB's lengths, and their labels."""
  rng = random.Random(1)
  neutral = [sentence for domain in vocabulary.DOMAINS for sentence in domain.neutral]
  texts, labels = [], []
  for text, label in reviews.reviews(rows=rows):
    target = min(_MEDIAN * math.exp(rng.gauss(0, _SPREAD)), _LONGEST)
    sentences = [text]
    while sum(len(s.split()) for s in sentences) < target:
      sentences.insert(rng.randrange(len(sentences) + 1), rng.choice(neutral))
    texts.append(" ".join(sentences))
    labels.append(label == "positive")
  return texts, np.array(labels, "int64")


def mr_polarity(rows: int) -> tuple[list[str], np.ndarray]:
  """Returns sentences of MR polarity, with alternating classes, and their labels."""
  folder = pathlib.Path(os.environ["DLPIPE_DATASETS"]) / "mr_polarity"
  negative, positive = (
    (folder / f"rt-polarity.{name}").read_text("utf-8").splitlines() for name in ("neg", "pos")
  )
  pairs = list(zip(negative, positive, strict=True))[: rows // 2]
  return [text for pair in pairs for text in pair], np.tile([0, 1], len(pairs)).astype("int64")


def encode(texts: list[str]) -> tuple[dict[str, np.ndarray], list[bytes], SentimentParams]:
  """Returns inputs `[rows, time]` int32 by name, the vocabulary of all words, and the settings."""
  params = SentimentParams(word_units=64)
  split = split_words(tf.constant(texts))
  words, numbers = np.unique(split.flat_values.numpy(), return_inverse=True)
  buckets = params.part_buckets
  parts = {
    chars: 1 + part_buckets(tf.constant(words), chars=chars, buckets=buckets).numpy()
    for chars in (STEM_CHARS, START_CHARS, END_CHARS)
  }
  values = (1 + buckets + numbers, parts[START_CHARS][numbers], parts[END_CHARS][numbers])
  inputs = {
    name: split.with_flat_values(tf.constant(array, tf.int32))[:, :_LONGEST].to_tensor().numpy()
    for name, array in zip(SEQUENCES, values, strict=True)
  }
  return inputs, list(words), params


def train(
  way: str,
  inputs: dict[str, np.ndarray],
  labels: np.ndarray,
  words: list[bytes],
  params: SentimentParams,
  held_out: int,
  epochs: int,
) -> dict[str, Any]:
  """Trains on all but the last `held_out` rows; times all epochs except the first, which traces."""
  keras.utils.set_random_seed(1)
  model = build_model(params, Vocabularies(words))
  batch_size = params.batch_size
  steps = math.ceil((len(labels) - held_out) / batch_size)
  schedule = keras.optimizers.schedules.CosineDecay(params.learning_rate, steps * (epochs + 1))
  model.compile(keras.optimizers.Adam(schedule), **compile_args(params), jit_compile=False)

  def split(rows: slice, sequence_keys: Sequence[str]) -> datasets.Split:
    chosen = {name: array[rows] for name, array in inputs.items()}
    return datasets.in_memory(chosen, labels[rows], sequence_keys=sequence_keys)

  bucketed = SEQUENCES if way == "bucketed" else ()
  train_data = split(slice(None, -held_out), bucketed).batches(batch_size, 1)
  test_data = split(slice(-held_out, None), SEQUENCES).batches(256, None)
  model.fit(train_data, epochs=1, verbose=0)
  started = time.monotonic()
  model.fit(train_data, initial_epoch=1, epochs=1 + epochs, verbose=0)
  seconds = (time.monotonic() - started) / epochs
  [_, accuracy] = model.evaluate(test_data, verbose=0)
  return {"way": way, "epoch_seconds": round(seconds, 2), "accuracy": round(accuracy, 4)}


if __name__ == "__main__":
  main()
