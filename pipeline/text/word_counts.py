"""Counts words in TFX's Transform, one batch at a time, and ranks the frequent ones.

TFT's vocabulary sends every word of every text through Beam as a separate element. This module
counts each batch on its worker and sends only the counts.
"""

from __future__ import annotations

import collections
import contextlib
import os
from collections.abc import Iterable

import apache_beam as beam
import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
from tensorflow_transform.beam.experimental import PTransformAnalyzer

# The only entry of an empty vocabulary, because TensorFlow cannot load an empty table.
NO_WORD = "\ufffd"


def frequent_words(words: tf.Tensor, *, top: int, min_count: int, file_name: str) -> tf.Tensor:
  """Finds the most frequent words of the training split, in `preprocessing_fn`.

  Args:
    words: `[n]` string, UTF-8, without spaces.
    top: largest number of words to keep.
    min_count: smallest count of a word that is kept.
    file_name: the asset that gets the words, "count word" a line, sorted by falling count and then
      by name.

  Returns:
    The asset's path, for `ranks`.
  """
  [path] = tft.experimental.ptransform_analyzer(
    inputs=[words],
    ptransform=_FindFrequent(top, min_count, file_name),
    output_dtypes=[tf.string],
    output_shapes=[[]],
    output_asset_default_values=[f"0 {NO_WORD}".encode()],
    name=file_name,
  )
  return path


def ranks(words: tf.Tensor, path: tf.Tensor) -> tf.Tensor:
  """Maps `[...]` string to `[...]` int64: 0 for the most frequent word, -1 for an unknown one."""
  return tft.apply_vocabulary(words, path, default_value=-1, lookup_fn=_look_up)


def read_counts(
  tft_output: tft.TFTransformOutput, file_name: str
) -> tuple[list[bytes], np.ndarray]:
  """Returns the words of `frequent_words` by rank, and their counts in train, `[words]` int64."""
  lines = asset_text(tft_output, file_name).encode().split(b"\n")
  pairs = [line.split(b" ", 1) for line in lines]
  return [word for _, word in pairs], np.array([int(count) for count, _ in pairs], "int64")


def asset_text(tft_output: tft.TFTransformOutput, file_name: str) -> str:
  """Reads an asset that an analyzer wrote, without its last line break."""
  assets = os.path.join(tft_output.transform_savedmodel_dir, tf.saved_model.ASSETS_DIRECTORY)
  with tf.io.gfile.GFile(os.path.join(assets, file_name)) as file:
    # Not splitlines: it also splits at characters that may occur within a line.
    return file.read().removesuffix("\n")


class CountWords(beam.PTransform):
  """Reduces batches of words, each a tuple of one array, to one `Counter` of bytes."""

  def expand(self, pcoll: beam.PCollection) -> beam.PCollection:
    return (
      pcoll | "CountBatch" >> beam.Map(_count_batch) | "AddUp" >> beam.CombineGlobally(_AddCounts())
    )


class _FindFrequent(PTransformAnalyzer):
  """Turns batches of words into the path of the vocabulary's file."""

  def __init__(self, top: int, min_count: int, file_name: str):
    super().__init__()
    self._top, self._min_count, self._file_name = top, min_count, file_name

  def expand(self, pcoll: beam.PCollection) -> beam.PCollection:
    path = os.path.join(self.base_temp_dir, self._file_name)
    return pcoll | CountWords() | beam.Map(_write_frequent, self._top, self._min_count, path)


def _count_batch(batch: tuple[np.ndarray]) -> collections.Counter[bytes]:
  return collections.Counter(batch[0].tolist())


class _AddCounts(beam.CombineFn):
  """Adds counters."""

  def create_accumulator(self) -> collections.Counter[bytes]:
    return collections.Counter()

  def add_input(self, accumulator, element):
    accumulator.update(element)
    return accumulator

  def merge_accumulators(self, accumulators: Iterable[collections.Counter[bytes]]):
    total: collections.Counter[bytes] = collections.Counter()
    for accumulator in accumulators:
      total.update(accumulator)
    return total

  def extract_output(self, accumulator):
    return accumulator


def _write_frequent(
  counts: collections.Counter[bytes], top: int, min_count: int, path: str
) -> np.ndarray:
  kept = sorted(
    ((count, word) for word, count in counts.items() if count >= min_count),
    key=lambda item: (-item[0], item[1]),
  )[:top]
  return write_asset(path, [f"{count} {word.decode()}" for count, word in kept] or [f"0 {NO_WORD}"])


def write_asset(path: str, lines: Iterable[str]) -> np.ndarray:
  """Writes the lines of an analyzer's asset; returns its path in the form an analyzer needs."""
  tf.io.gfile.makedirs(os.path.dirname(path))
  with tf.io.gfile.GFile(path, "w") as file:
    file.write("".join(f"{line}\n" for line in lines))
  return np.array(path, dtype=object)


def _look_up(words: tf.Tensor, path: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
  # If the path is known while the graph is traced, load the table once, not at every call.
  known = hasattr(path, "numpy")
  with tf.init_scope() if known else contextlib.nullcontext():
    table = tf.lookup.StaticHashTable(
      tf.lookup.TextFileInitializer(
        path, tf.string, 1, tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER, delimiter=" "
      ),
      default_value=-1,
    )
    size = table.size()
  return table.lookup(words), size
